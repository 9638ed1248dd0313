package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestFileModes: whatever the umask, what mcp-sd keeps to itself is for its
// own user, its output is as configured, and nothing can be written by others
// (contract §2, §7, §8).
func TestFileModes(t *testing.T) {
	t.Parallel()
	group, err := user.LookupGroup("daemon")
	if err != nil {
		t.Fatal(err)
	}
	for _, umask := range []string{"000", "022", "077"} {
		t.Run(umask, func(t *testing.T) {
			t.Parallel()
			w, fleet := newWorkspace(t), newFleet(t)
			w.state = filepath.Join(w.dir, "var", "state")
			w.writes(t, "racks.yml", []string{fleet.add("127.0.51.1", "")})
			w.configure(t, `
sources: [{name: racks, static: {files: ['$STATIC/racks.yml']}}]
outputs:
  - {path: $TARGETS/mcp.json}
  - {path: $TARGETS/grouped.json, mode: "0640", group: daemon}
`)
			listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
			process := startProcess(t, "mcp-sd", "sh", "-c", `umask "$0" && exec "$@"`, umask, mcpSD,
				"--config.file="+w.config, "--state.path="+w.state, "--web.listen-address="+listen)
			for _, name := range []string{"mcp.json", "grouped.json"} {
				eventually(t, soon, func() error { return atLeast(w.output(name), fleet.address("127.0.51.1")) })
			}
			eventually(t, soon, func() error { return w.shows(t, []string{fleet.address("127.0.51.1")}, "up", "") })
			modes(t, map[string]fs.FileMode{
				w.state:                   0o700,
				w.state + "/control.sock": 0o600,
				w.output("mcp.json"):      0o644,
				w.output("grouped.json"):  0o640,
			})
			if err := process.stop(t, retried); err != nil {
				t.Error(err)
			}
			modes(t, map[string]fs.FileMode{
				w.state + "/state.json": 0o600, w.state + "/listings": 0o700, w.state + "/listings/racks.json": 0o600,
			})
			nothingForOthers(t, w)
			if gid := ownerOf(t, w.output("grouped.json")).Gid; strconv.Itoa(int(gid)) != group.Gid {
				t.Errorf("grouped.json has group %d, want %s", gid, group.Gid)
			}
		})
	}
}

func modes(t *testing.T, want map[string]fs.FileMode) {
	t.Helper()
	for path, mode := range want {
		info, err := os.Stat(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := info.Mode().Perm(); got != mode {
			t.Errorf("%s has mode %04o, want %04o", path, got, mode)
		}
	}
}

// nothingForOthers checks that no file of mcp-sd's can be written by others,
// and none of the state's be read.
func nothingForOthers(t *testing.T, w *workspace) {
	t.Helper()
	for _, root := range []string{w.targets, w.state} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			forbidden := fs.FileMode(0o022)
			if strings.HasPrefix(path, w.state) {
				forbidden = 0o077
			}
			if got := info.Mode().Perm(); got&forbidden != 0 {
				t.Errorf("%s has mode %04o", path, got)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func ownerOf(t *testing.T, path string) *syscall.Stat_t {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t)
}
