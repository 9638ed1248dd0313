package writer

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// Contract §7: one file per value, each with its own targets.
func TestPublish(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json"))
	p := b.publish(in("prod", "a:1"), in("dev", "b:1"), in("prod", "c:1"))
	same(t, "written", written(p), []string{"mcp-dev.json", "mcp-prod.json"})
	same(t, "behind", p.Behind == nil, true)
	same(t, "next", p.NextAt.IsZero(), true)
	same(t, "prod", b.addresses("mcp-prod.json"), []string{"a:1", "c:1"})
	same(t, "dev", b.addresses("mcp-dev.json"), []string{"b:1"})
	same(t, "directory", list(t, b.dir), []string{".mcp-sd", "mcp-dev.json", "mcp-prod.json"})
	same(t, "staging folder", list(t, b.path(stageName)), []string{"lock", "manifest.json"})
	same(t, "mode of the staging folder", perm(t, b.path(stageName)), 0o700)
}

// Contract §3: a target goes to every output that selects it.
func TestPublishToEveryOutputThatSelects(t *testing.T) {
	b := newBench(t)
	match := func(m string) func(*Output) { return func(o *Output) { o.Match = m } }
	b.open(b.out("all.json"), b.out("prod.json", match(`{environment="prod"}`)),
		b.out("rest.json", match(`{environment!="prod",__address__=~"b.*"}`)))
	ts := []target.Target{in("prod", "a:1"), tgt("b:1"), in("dev", "c:1")}
	b.publish(ts...)
	same(t, "all", b.addresses("all.json"), []string{"a:1", "b:1", "c:1"})
	same(t, "prod", b.addresses("prod.json"), []string{"a:1"})
	same(t, "rest", b.addresses("rest.json"), []string{"b:1"})
	same(t, "files of a:1", b.Files(ts[0]), []string{b.path("all.json"), b.path("prod.json")})
	same(t, "files of c:1", b.Files(ts[2]), []string{b.path("all.json")})
}

// Contract §3: meta_labels, a regexp of source __meta_* labels to publish as
// well, anchored as Prometheus' own.
func TestPublishMetaLabels(t *testing.T) {
	b := newBench(t)
	b.open(b.out("plain.json"), b.out("meta.json", func(o *Output) { o.MetaLabels = "__meta_consul_(dc|health)|__meta_mcp_sd_.*" }))
	a := tgt("a:1")
	a.Meta = labels.FromStrings("__meta_consul_dc", "dc1", "__meta_consul_dc2", "x", "__meta_consul_node", "n", target.HealthLabel, "never")
	twin := a
	twin.Address = "b:1"
	b.publish(a, twin)
	same(t, "groups", strings.Count(b.read("meta.json"), "targets"), 1)
	if body := b.read("plain.json"); strings.Contains(body, "consul") {
		t.Fatal(body)
	}
	body := b.read("meta.json")
	if !strings.Contains(body, `"__meta_consul_dc": "dc1"`) || strings.Contains(body, "dc2") || !strings.Contains(body, `"__meta_mcp_sd_health": "up"`) || strings.Contains(body, "node") {
		t.Fatal(body)
	}
	same(t, "keeps meta", b.outputs[1].KeepsMeta() && !b.outputs[0].KeepsMeta(), true)
	b.clock.step(time.Minute)
	b.publish(a)
	a.Meta = labels.FromStrings("__meta_consul_dc", "dc2")
	b.clock.step(time.Minute)
	same(t, "written", written(b.publish(a)), []string{"meta.json"})
	a.Meta = labels.FromStrings("__meta_consul_node", "m")
	b.clock.step(time.Minute)
	same(t, "written", written(b.publish(a)), []string{"meta.json"})
	b.clock.step(time.Minute)
	a.Meta = labels.FromStrings("__meta_consul_node", "other")
	same(t, "written", written(b.publish(a)), []string{})
}

// Contract §7: identical bytes are not rewritten.
func TestPublishTwice(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json"))
	b.publish(tgt("a:1"), tgt("b:1"))
	before, err := os.Stat(b.path("mcp.json"))
	ok(t, err)
	b.clock.step(time.Hour)
	withEmpty := tgt("a:1") // an empty label is none
	withEmpty.Labels = labels.FromStrings(append(pairs(withEmpty.Labels), "none", "")...)
	for _, ts := range [][]target.Target{{tgt("a:1"), tgt("b:1")}, {tgt("b:1"), tgt("a:1")}, {withEmpty, tgt("b:1")}} {
		same(t, "written", written(b.publish(ts...)), []string{})
	}
	b.open(b.out("mcp.json"))
	same(t, "written after a restart", written(b.publish(tgt("a:1"), tgt("b:1"))), []string{})
	after, err := os.Stat(b.path("mcp.json"))
	ok(t, err)
	same(t, "the same file", untouched(before, after), true)
}

// The caller may go on with its slice: what counts is what it held.
func TestPublishKeepsNoSlice(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json", interval(0)))
	ts := []target.Target{tgt("a:1"), tgt("b:1")}
	b.publish(ts...)
	ts[0] = tgt("c:1")
	same(t, "written", written(b.publish(ts...)), []string{"mcp.json"})
	same(t, "addresses", b.addresses("mcp.json"), []string{"b:1", "c:1"})
}

// A file that needs no target for its name is always there, from the first
// Publish on: Prometheus has something to read.
func TestLiteralFileIsAlwaysThere(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json"), b.out("x-{environment}.json"))
	same(t, "written", written(b.publish()), []string{"mcp.json"})
	same(t, "body", b.read("mcp.json"), "[]\n")
	b.clock.step(48 * time.Hour)
	p := b.publish()
	same(t, "removed", p.Removed, nil)
	same(t, "next", p.NextAt.IsZero(), true)
	same(t, "body", b.read("mcp.json"), "[]\n")
}

// A target that no reader would take leaves the old file as it is: dropping it
// here could take a published target away.
func TestTargetThatCannotBeRendered(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json", interval(0)))
	b.publish(in("p", "a:1"), in("q", "b:1"))
	p, err := b.refused(in("p", "a:1", "bad-name", "x"), in("q", "c:1"))
	says(t, err, "rendering "+b.path("mcp-p.json"), `target "a:1": label name "bad-name"`)
	same(t, "written", written(p), []string{"mcp-q.json"})
	same(t, "behind", behind(p), []string{"a:1"})
	same(t, "old file", b.addresses("mcp-p.json"), []string{"a:1"})
}

func TestPublishEndsWithItsContext(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json"))
	ctx, cancel := context.WithCancel(context.Background())
	rename := b.fs.rename
	b.fs.rename = func(from, to string) error {
		if strings.HasSuffix(to, "mcp-p.json") {
			cancel()
		}
		return rename(from, to)
	}
	p, err := b.Publish(ctx, refs([]target.Target{in("p", "a:1"), in("q", "b:1")}))
	same(t, "error", errors.Is(err, context.Canceled), true)
	same(t, "written", written(p), []string{"mcp-p.json"})
	same(t, "behind", behind(p), []string{"b:1"})
	same(t, "next", p.NextAt, b.clock.now)
}

// Somebody else's edit of a file of ours is put right, deletion included.
func TestForeignEditIsPutRight(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json"))
	b.publish(tgt("a:1"))
	want := b.read("mcp.json")
	edits := map[string]func(){
		"another list":   func() { b.put("mcp.json", `[{"targets":["evil:1"]}]`) },
		"another layout": func() { b.put("mcp.json", strings.ReplaceAll(want, " ", "")) },
		"broken":         func() { b.put("mcp.json", "[") },
		"deleted":        func() { ok(t, os.Remove(b.path("mcp.json"))) },
		"another mode":   func() { ok(t, os.Chmod(b.path("mcp.json"), 0o600)); b.put("mcp.json", want+" ") },
	}
	for name, edit := range edits {
		t.Run(name, func(t *testing.T) {
			b.clock.step(time.Hour)
			edit()
			same(t, "written", written(b.publish(tgt("a:1"))), []string{"mcp.json"})
			same(t, "body", b.read("mcp.json"), want)
			same(t, "mode", perm(t, b.path("mcp.json")), 0o644)
		})
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	b := newBench(t)
	b.options.DryRun = true
	b.open(b.out("mcp.json"))
	_, err := b.Publish(context.Background(), refs([]target.Target{tgt("a:1")}))
	says(t, err, "dry run")
	says(t, b.Adopt(b.path("mcp.json")), "dry run")
	ok(t, b.Touch(map[string]bool{"s": true}))
	same(t, "directory", list(t, b.dir), []string{})
}
