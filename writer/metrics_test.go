package writer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/mcp-sd/mcp-sd/target"
)

// Contract §10.
func TestMetrics(t *testing.T) {
	b := newBench(t)
	expect := func(success, failure int, files ...string) {
		t.Helper()
		want := fmt.Sprintf("# HELP mcp_sd_writes_total Attempts to write an output file, by outcome.\n# TYPE mcp_sd_writes_total counter\n"+
			"mcp_sd_writes_total{outcome=\"failure\"} %d\nmcp_sd_writes_total{outcome=\"success\"} %d\n", failure, success)
		if len(files) > 0 {
			want += "# HELP mcp_sd_published_targets Targets in the output file.\n# TYPE mcp_sd_published_targets gauge\n"
		}
		for _, f := range files {
			name, n, _ := strings.Cut(f, " ")
			want += fmt.Sprintf("mcp_sd_published_targets{file=%q} %s\n", b.path(name), n)
		}
		ok(t, testutil.GatherAndCompare(b.reg, strings.NewReader(want), "mcp_sd_writes_total", "mcp_sd_published_targets"))
		n, err := testutil.GatherAndCount(b.reg, "mcp_sd_last_write_timestamp_seconds", "mcp_sd_output_hash")
		ok(t, err)
		same(t, "series per file", n, 2*len(files))
	}
	expect(0, 0)
	b.open(b.out("mcp-{environment}.json", interval(0)))
	b.publish(in("p", "a:1"), in("p", "b:1"), in("q", "c:1"))
	expect(2, 0, "mcp-p.json 2", "mcp-q.json 1")
	b.failing("mcp-p.json")
	b.refused(in("p", "a:1"))
	expect(3, 1, "mcp-p.json 2", "mcp-q.json 0")
	b.failing()
	b.clock.step(25 * time.Hour)
	b.publish(in("p", "a:1")) // mcp-q.json is deleted, and its series with it
	expect(4, 1, "mcp-p.json 1")

	b.open(b.out("new.json")) // a reload: the same Metrics, other files
	_, err := b.Load()
	ok(t, err)
	expect(4, 1, "mcp-p.json 1")
	b.publish(tgt("a:1"))
	expect(6, 1, "mcp-p.json 0", "new.json 1")

	problems, err := testutil.GatherAndLint(b.reg)
	ok(t, err)
	same(t, "lint", problems, nil)
}

func TestMetricValues(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json"))
	ts := []target.Target{tgt("a:1", "x", "y")}
	b.publish(ts...)
	want := fmt.Sprintf(`# HELP mcp_sd_last_write_timestamp_seconds When the output file was last written, or at the start its modification time.
# TYPE mcp_sd_last_write_timestamp_seconds gauge
mcp_sd_last_write_timestamp_seconds{file=%q} %d
# HELP mcp_sd_output_hash First 48 bits of a SHA-256 over the output file's targets and labels, without the __meta_ labels: replicas that disagree differ.
# TYPE mcp_sd_output_hash gauge
mcp_sd_output_hash{file=%q} %d
`, b.path("mcp.json"), b.clock.now.Unix(), b.path("mcp.json"), hashOf(t, ts))
	ok(t, testutil.GatherAndCompare(b.reg, strings.NewReader(want), "mcp_sd_last_write_timestamp_seconds", "mcp_sd_output_hash"))
}

// Contract §9, /sd: the very bytes of the files; nil until they are loaded.
func TestSnapshot(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json", interval(0)))
	same(t, "before Load", b.Snapshot() == nil, true)
	_, err := b.Load()
	ok(t, err)
	same(t, "loaded", b.Snapshot() != nil, true)
	b.publish(in("p", "a:1"), in("q", "b:1"))
	old := b.Snapshot()
	same(t, "files", len(old), 2)
	for _, f := range old {
		same(t, f.Path, string(f.Body), b.read(f.Path[len(b.dir)+1:]))
		same(t, "targets", f.Targets, 1)
		same(t, "written at", f.WrittenAt, b.clock.now)
	}
	b.publish(in("p", "a:1"), in("q", "b:1"))
	same(t, "no change makes no new one", &b.Snapshot()[0] == &old[0], true)
	was := string(old[0].Body)
	b.publish(in("p", "a:1"), in("p", "c:1"), in("q", "b:1"))
	same(t, "the old one stays", string(old[0].Body), was)
	same(t, "the new one is new", string(b.Snapshot()[0].Body), b.read("mcp-p.json"))
}

// A pass in which nothing changed costs next to nothing, however many targets
// there are.
func TestUnchangedPassAllocatesNextToNothing(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json"))
	ts := fleet(5_000, 20)
	b.publish(ts...)
	want := refs(ts)
	n := testing.AllocsPerRun(10, func() {
		_, err := b.Publish(t.Context(), want)
		ok(t, err)
	})
	if n > 20 {
		t.Fatalf("%v allocations", n)
	}
}
