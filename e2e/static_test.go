package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestStaticFiles edits watched target files in all the ways they get edited.
func TestStaticFiles(t *testing.T) {
	t.Parallel()
	eachPrometheus(t, func(t *testing.T, version prometheusVersion) {
		s := newStatic(t, version)
		s.filesAppear(t)
		s.fileIsEdited(t)
		s.fileBreaks(t)
		s.targetsLeave(t)
	})
}

// staticLinger is long enough to see that one lingers.
const staticLinger = 15 * time.Second

type static struct {
	workspace  *workspace
	fleet      *fleet
	daemon     *daemon
	prometheus *prometheusServer
	a, b       string            // paths of the files
	want       map[string]labels // what Prometheus is to scrape
}

func newStatic(t *testing.T, version prometheusVersion) *static {
	w := newWorkspace(t)
	w.configure(t, `
global: {refresh_interval: 1s}
sources: [{name: racks, static: {files: ['$STATIC/*.yml', '$STATIC/*.json']}}]
health: {interval: 2s, timeout: 2s, fall: 2, linger: %s}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, staticLinger)
	s := &static{
		workspace: w, fleet: newFleet(t), want: map[string]labels{},
		a: filepath.Join(w.static, "a.yml"), b: filepath.Join(w.static, "b.json"),
	}
	for i := range 5 {
		s.fleet.add(fmt.Sprintf("127.0.6.%d", 1+i), "")
	}
	s.daemon = w.start(t)
	s.prometheus = version.startReading(t, w.targets)
	return s
}

func (s *static) address(i int) string { return s.fleet.address(fmt.Sprintf("127.0.6.%d", i)) }

// writes replaces a file by a group of targets in YAML's flow style, which is
// JSON as well.
func (s *static) writes(t *testing.T, path, version string, instances ...int) {
	t.Helper()
	list := ""
	for _, i := range instances {
		list += fmt.Sprintf("%q,", s.address(i))
		s.want[s.address(i)] = labels{"environment": "production", "region": "r1", "version": version}
	}
	replaceFile(t, path, fmt.Sprintf(
		`[{"targets": [%s], "labels": {"environment": "production", "region": "r1", "version": %q}}]`,
		list[:len(list)-1], version))
}

func (s *static) fileHas() error { return fileHas(s.workspace.output("mcp.json"), s.want) }

// published waits for the file and then for Prometheus.
func (s *static) published(t *testing.T) {
	t.Helper()
	eventually(t, retried, s.fileHas) // what lingers leaves late
	eventually(t, inStep, func() error { return s.prometheus.has(s.want) })
}

func (s *static) filesAppear(t *testing.T) {
	s.writes(t, s.a, "v1", 1, 2, 3)
	s.published(t)
	s.writes(t, s.b, "v1", 4, 5)
	s.published(t)
	eventually(t, inStep, func() error { return s.prometheus.up(s.address(4), "1") })
}

func (s *static) fileIsEdited(t *testing.T) {
	s.writes(t, s.a, "v2", 1, 2, 3)
	s.published(t)
}

// fileBreaks: whatever is wrong with it, the last good targets stay, and the
// other file goes on.
func (s *static) fileBreaks(t *testing.T) {
	for _, broken := range []string{"", "[{targets: [127.0.6.1:1", `[{"targets": ["127.0.6.1:80"], "tragets": []}]`} {
		replaceFile(t, s.a, broken)
		eventually(t, soon, func() error { return s.daemon.sourceUp("racks", "static", "0") })
		holds(t, 500*time.Millisecond, s.fileHas)
		s.writes(t, s.a, "v2", 1, 2, 3)
		eventually(t, soon, func() error { return s.daemon.sourceUp("racks", "static", "1") })
	}
	replaceFile(t, s.a, "{")
	eventually(t, soon, func() error { return s.daemon.sourceUp("racks", "static", "0") })
	s.writes(t, s.b, "v3", 4, 5)
	s.published(t)
}

// targetsLeave: one that is silent and one that lingers leave; a file that is
// deleted lists nothing, which its targets survive for a while as well.
func (s *static) targetsLeave(t *testing.T) {
	s.fleet.set("127.0.6.3", off)
	s.writes(t, s.a, "v2", 1, 2)
	s.writes(t, s.b, "v3", 4)
	delete(s.want, s.address(3))
	delete(s.want, s.address(5))
	s.published(t)

	if err := os.Remove(s.b); err != nil {
		t.Fatal(err)
	}
	path := s.workspace.output("mcp.json")
	eventually(t, soon, func() error { return fileLabel(path, s.address(4), "__meta_mcp_sd_state", "lingering") })
	s.daemon.stops(t)
}
