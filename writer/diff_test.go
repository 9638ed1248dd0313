package writer

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// Contract §2, --dry-run: a unified diff per output file.
func TestDiff(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json"))
	b.publish(in("p", "a:1"), in("p", "b:1"), in("q", "c:1"))
	b.options.DryRun = true
	b.open(b.out("mcp-{environment}.json"))

	d, err := b.Diff(refs([]target.Target{in("p", "a:1"), in("p", "b:1"), in("q", "c:1")}))
	ok(t, err)
	same(t, "no change", d, "")

	d, err = b.Diff(refs([]target.Target{in("p", "a:1"), down(in("p", "b:1")), in("r", "d:1")}))
	ok(t, err)
	want, err := os.ReadFile(filepath.Join("testdata", "change.diff"))
	got := strings.ReplaceAll(d, b.dir, "DIR")
	if *update {
		ok(t, os.WriteFile(filepath.Join("testdata", "change.diff"), []byte(got), 0o600))
		return
	}
	ok(t, err)
	same(t, "diff", got, string(want))
	same(t, "nothing was written", list(t, b.dir), []string{".mcp-sd", "mcp-p.json", "mcp-q.json"})
}

// The diff is one that patch understands, and comes to what Publish does.
func TestDiffIsAPatch(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json", interval(0)))
	b.publish(fleet(40, 3)...)
	want := append(fleet(60, 4)[10:], in("new", "x:1"))
	d, err := b.Diff(refs(want))
	ok(t, err)
	copied := t.TempDir()
	for _, name := range []string{"mcp-production.json"} {
		ok(t, os.WriteFile(filepath.Join(copied, name), []byte(b.read(name)), 0o600))
	}
	path, err := exec.LookPath("patch")
	if err != nil {
		t.Logf("patch is not installed: its part is left to machines that have it")
	} else {
		cmd := exec.Command(path, "-p0", "-d", copied)
		cmd.Stdin = strings.NewReader(strings.ReplaceAll(d, b.dir+"/", ""))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	b.publish(want...)
	again, err := b.Diff(refs(want))
	ok(t, err)
	same(t, "afterwards", again, "")
	if path == "" {
		return
	}
	for _, name := range []string{"mcp-production.json", "mcp-new.json"} {
		body, err := os.ReadFile(filepath.Join(copied, name))
		ok(t, err)
		same(t, name, string(body), b.read(name))
	}
}

// What would be an error is one in a dry run as well; the rest is shown.
func TestDiffSaysWhatWouldFail(t *testing.T) {
	b := newBench(t)
	b.put("mcp-p.json", foreign)
	b.options.DryRun = true
	b.open(b.out("mcp-{environment}.json"))
	d, err := b.Diff(refs([]target.Target{in("p", "a:1"), in("q", "b:1")}))
	says(t, err, "mcp-p.json exists but was not written by mcp-sd")
	if !strings.Contains(d, "+++ "+b.path("mcp-q.json")) || strings.Contains(d, "mcp-p.json") {
		t.Fatal(d)
	}
}

// The file that would be deleted goes to /dev/null.
func TestDiffOfADeletion(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json"))
	b.publish(in("p", "a:1"))
	b.clock.step(time.Hour)
	b.publish()
	b.clock.step(24 * time.Hour)
	d, err := b.Diff(nil)
	ok(t, err)
	same(t, "diff", d, strings.ReplaceAll("--- FILE\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-[]\n", "FILE", b.path("mcp-p.json")))
}
