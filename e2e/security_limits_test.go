package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

const (
	limitBombs = 200
	limitPeak  = 128 // MiB
)

// TestResponseLimits: 200 bombs, each of 256 MiB unpacked, and beside them
// bodies without an end and a megabyte of headers. All are too large, and what
// they take of mcp-sd's memory together has nothing to do with their size
// (contract §5).
func TestResponseLimits(t *testing.T) {
	t.Parallel()
	w, fleet := newWorkspace(t), newFleet(t)
	good := fleet.add("127.0.56.1", "")
	var large []string
	for i := range limitBombs {
		large = append(large, fleet.play(fmt.Sprintf("127.0.57.%d", 1+i), bombs))
	}
	for i := range 10 {
		large = append(large,
			fleet.play(fmt.Sprintf("127.0.58.%d", 1+i), endless),
			fleet.play(fmt.Sprintf("127.0.59.%d", 1+i), headers))
	}
	w.writes(t, "racks.yml", append(large, good))
	w.configure(t, `
sources: [{name: racks, static: {files: ['$STATIC/racks.yml']}}]
health: {interval: 20s, timeout: 15s, body_limit: 2MiB}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`)
	daemon := (*host)(nil).start(t, w)
	eventually(t, retried, func() error { return w.shows(t, large, "down", "too_large") })
	if err := w.shows(t, []string{good}, "up", ""); err != nil {
		t.Error(err)
	}
	peak := daemon.peak(t)
	t.Logf("peak of %d MiB resident", peak)
	if peak > limitPeak {
		t.Errorf("peak of %d MiB resident, want at most %d", peak, limitPeak)
	}
	daemon.stops(t)
}

// peak is the most memory that the process had resident so far, in MiB.
func (p *process) peak(t testing.TB) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		t.Fatalf("no VmHWM in\n%s", status)
	}
	kilobytes, err := strconv.Atoi(fields[0])
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes >> 10
}
