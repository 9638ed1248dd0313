package metrics

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

const meminfo = "MemTotal:        2048 kB\nMemFree:          100 kB\n"

// What the kernel shows to a process, and what the process may have.
func TestMachineMemory(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  uint64
		known bool
	}{
		"plain host": {map[string]string{"proc/meminfo": meminfo}, 2 << 20, true},
		"service with MemoryMax": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/system.slice/mcp.service\n",
			"sys/fs/cgroup/system.slice/mcp.service/memory.max": "1000000\n",
			"sys/fs/cgroup/system.slice/memory.max":             "max\n",
		}, 1000000, true},
		"its slice is smaller": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/system.slice/mcp.service\n",
			"sys/fs/cgroup/system.slice/mcp.service/memory.max": "1000000\n",
			"sys/fs/cgroup/system.slice/memory.max":             "900000\n",
		}, 900000, true},
		"container": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "500000\n",
		}, 500000, true},
		"container, cgroup v1": {map[string]string{
			"proc/meminfo":     meminfo,
			"proc/self/cgroup": "7:cpu,cpuacct:/docker/abc\n5:memory:/docker/abc\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "400000\n",
		}, 400000, true},
		"cgroup v1 without a limit": {map[string]string{
			"proc/meminfo":     meminfo,
			"proc/self/cgroup": "5:memory:/\n0::/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 2 << 20, true},
		"limit above the machine's memory": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "99999999999\n",
		}, 2 << 20, true},
		"no meminfo": {map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "500000\n",
		}, 500000, true},
		"nonsense": {map[string]string{"proc/meminfo": "MemTotal: lots kB\n", "proc/self/cgroup": "x\n\n:\n"}, 0, false},
		"nothing":  {nil, 0, false},
	} {
		root := t.TempDir()
		for path, content := range c.files {
			path = filepath.Join(root, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got, known := memoryLimit(root); got != c.want || known != c.known {
			t.Errorf("%s: %d %t, want %d %t", name, got, known, c.want, c.known)
		}
		want := 0
		if c.known {
			want = 1
		}
		if n := testutil.CollectAndCount(machineMemory(root)); n != want {
			t.Errorf("%s: %d series, want %d", name, n, want)
		}
	}
}

// This machine has some.
func TestMachineMemoryHere(t *testing.T) {
	if bytes, known := MachineMemory(); !known || bytes < 64<<20 {
		t.Errorf("%d %t", bytes, known)
	}
}
