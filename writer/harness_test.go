package writer

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// tgt makes a target of source "s" from its address and published labels.
func tgt(address string, pairs ...string) target.Target {
	b := labels.NewBuilder(labels.FromStrings(target.SourceLabel, "s", target.HealthLabel, "up"))
	for i := 0; i < len(pairs); i += 2 {
		b.Set(pairs[i], pairs[i+1])
	}
	l := b.Labels()
	k := target.KeyOf(l, "http", "/metrics")
	k.Address = address
	return target.Target{Key: k, Source: l.Get(target.SourceLabel), Labels: l}
}

func in(environment, address string, pairs ...string) target.Target {
	return tgt(address, append(pairs, "environment", environment)...)
}

// clock is a time that only a test moves.
type clock struct{ now time.Time }

func (c *clock) step(d time.Duration) { c.now = c.now.Add(d) }

// bench is a writer over a temporary directory, and what it was made of.
type bench struct {
	*Writer
	t       testing.TB
	dir     string
	clock   *clock
	options Options
	log     *bytes.Buffer
	reg     *prometheus.Registry
}

// out is an output of the bench's directory.
func (b *bench) out(name string, change ...func(*Output)) Output {
	o := DefaultOutput()
	o.Path = filepath.Join(b.dir, name)
	for _, c := range change {
		c(&o)
	}
	return o
}

func sharded(n int) func(*Output) { return func(o *Output) { o.Shards = n } }
func interval(d time.Duration) func(*Output) {
	return func(o *Output) { o.MinWriteInterval = model.Duration(d) }
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), log: &bytes.Buffer{}, reg: prometheus.NewRegistry()}
	b.clock = &clock{time.Now().Truncate(time.Second)}
	b.options = Options{
		Now:     func() time.Time { return b.clock.now },
		Logger:  slog.New(slog.NewTextHandler(b.log, nil)),
		Metrics: NewMetrics(b.reg),
	}
	return b
}

// open opens a writer with these outputs, closing one that is open.
func (b *bench) open(outputs ...Output) *bench {
	b.t.Helper()
	if b.Writer != nil {
		ok(b.t, b.Close())
	}
	b.options.Outputs = outputs
	w, err := Open(b.options)
	ok(b.t, err)
	b.Writer = w
	b.t.Cleanup(func() { ok(b.t, w.Close()) })
	return b
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Fatalf("%s:\n got %s\nwant %s", what, g, w)
	}
}

// says checks that an error holds all the words.
func says(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one with %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Fatalf("error %q lacks %q", err, w)
		}
	}
}

// refs are the targets as Publish takes them.
func refs(ts []target.Target) []*target.Target {
	var out []*target.Target
	for _, t := range ts {
		out = append(out, &t)
	}
	return out
}

// publish publishes without an error.
func (b *bench) publish(want ...target.Target) Published {
	b.t.Helper()
	p, err := b.Publish(context.Background(), refs(want))
	ok(b.t, err)
	return p
}

// refused publishes with an error.
func (b *bench) refused(want ...target.Target) (Published, error) {
	b.t.Helper()
	p, err := b.Publish(context.Background(), refs(want))
	if err == nil {
		b.t.Fatal("publishing went well")
	}
	return p, err
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) read(name string) string {
	b.t.Helper()
	body, err := os.ReadFile(b.path(name))
	ok(b.t, err)
	return string(body)
}

func (b *bench) put(name, body string) {
	b.t.Helper()
	ok(b.t, os.WriteFile(b.path(name), []byte(body), 0o600))
}

func (b *bench) exists(name string) bool {
	_, err := os.Lstat(b.path(name))
	return err == nil
}

// addresses are the sorted addresses in a file, which must parse.
func (b *bench) addresses(name string) []string {
	b.t.Helper()
	ts, err := Parse([]byte(b.read(name)))
	ok(b.t, err)
	as := []string{}
	for _, t := range ts {
		as = append(as, t.Address)
	}
	slices.Sort(as)
	return as
}

// written are the names of the files that a Publish wrote.
func written(p Published) []string {
	names := []string{}
	for _, path := range p.Written {
		names = append(names, filepath.Base(path))
	}
	return names
}

func behind(p Published) []string {
	as := []string{}
	for k := range p.Behind {
		as = append(as, k.Address)
	}
	slices.Sort(as)
	return as
}

// list names what is in a directory.
func list(t testing.TB, dir string) []string {
	t.Helper()
	es, err := os.ReadDir(dir)
	ok(t, err)
	names := []string{}
	for _, e := range es {
		names = append(names, e.Name())
	}
	return names
}

func perm(t testing.TB, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	ok(t, err)
	return info.Mode().Perm()
}

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}
