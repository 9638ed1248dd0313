package writer

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// down is t with another health and nothing else changed.
func down(t target.Target) target.Target {
	t.Labels = labels.NewBuilder(t.Labels).Set(target.HealthLabel, "down").Labels()
	return t
}

// Contract §3, min_write_interval: the first change is written at once, a
// burst is gathered; additions and removals alike.
func TestMinWriteInterval(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json"))
	same(t, "first", written(b.publish(tgt("a:1"))), []string{"mcp.json"})
	b.clock.step(time.Second)
	p := b.publish(tgt("a:1"), tgt("b:1"))
	same(t, "burst", written(p), []string{})
	same(t, "behind", behind(p), []string{"b:1"})
	same(t, "next", p.NextAt, b.clock.now.Add(time.Second))
	b.clock.step(999 * time.Millisecond)
	p = b.publish(tgt("b:1"), tgt("c:1"))
	same(t, "behind", behind(p), []string{"a:1", "b:1", "c:1"})
	same(t, "burst", written(p), []string{})
	b.clock.now = p.NextAt
	p = b.publish(tgt("b:1"), tgt("c:1"))
	same(t, "gathered", written(p), []string{"mcp.json"})
	same(t, "behind", behind(p), []string{})
	b.clock.step(2 * time.Second)
	same(t, "later change", written(b.publish(tgt("b:1"))), []string{"mcp.json"})
}

// Contract §3: changes of health alone wait 30 s.
func TestHealthWaits(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json"))
	a, c, d := in("p", "a:1"), in("p", "c:1"), in("q", "d:1")
	b.publish(a, c, d)
	b.clock.step(time.Hour)
	start := b.clock.now

	p := b.publish(down(a), c, d)
	same(t, "at once", written(p), []string{})
	same(t, "behind", behind(p), []string{"a:1"})
	same(t, "next", p.NextAt, start.Add(30*time.Second))

	b.clock.step(29 * time.Second)
	p = b.publish(down(a), down(c), d)
	same(t, "after 29 s", written(p), []string{})
	same(t, "next", p.NextAt, start.Add(30*time.Second))

	b.clock.now = p.NextAt
	same(t, "after 30 s", written(b.publish(down(a), down(c), d)), []string{"mcp-p.json"})
}

func TestHealthThatTurnsBackIsNotWritten(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json"))
	a := tgt("a:1")
	b.publish(a)
	b.clock.step(time.Hour)
	b.publish(down(a))
	b.clock.step(20 * time.Second)
	p := b.publish(a)
	same(t, "next", p.NextAt.IsZero(), true)
	b.clock.step(20 * time.Second)
	p = b.publish(down(a)) // the wait begins anew
	same(t, "written", written(p), []string{})
	same(t, "next", p.NextAt, b.clock.now.Add(30*time.Second))
}

// Contract §3: any other change takes the changes of health along, in every
// file; and a change of state is one of these.
func TestOtherChangesFlushHealth(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json"))
	a, c := in("p", "a:1"), in("q", "c:1")
	b.publish(a, c)
	b.clock.step(time.Hour)
	same(t, "health alone", written(b.publish(down(a), c)), []string{})
	b.clock.step(time.Second)
	lingering := in("q", "c:1", target.StateLabel, "lingering")
	same(t, "with a state", written(b.publish(down(a), lingering)), []string{"mcp-p.json", "mcp-q.json"})
}

// Immediate is for --once, which has no later; Flush for a clean shutdown.
func TestImmediateAndFlush(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json"))
	a := tgt("a:1")
	p, err := b.Flush(context.Background())
	ok(t, err)
	same(t, "flushing before anything was asked for", written(p), []string{})
	same(t, "file", b.exists("mcp.json"), false)

	b.publish(a)
	same(t, "deferred", written(b.publish(down(a))), []string{})
	p, err = b.Flush(context.Background())
	ok(t, err)
	same(t, "flushed", written(p), []string{"mcp.json"})

	b.options.Immediate = true
	b.open(b.out("mcp.json"))
	b.publish(a)
	same(t, "immediate", written(b.publish(down(a))), []string{"mcp.json"})
}

// Contract §7: a file whose last target left becomes [], and is deleted after
// 24 h as [], counted across restarts.
func TestEmptyFileIsDeletedAfterADay(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json"))
	b.publish(in("p", "a:1"), in("q", "b:1"))
	b.clock.step(time.Minute)
	start := b.clock.now
	p := b.publish(in("p", "a:1"))
	same(t, "written", written(p), []string{"mcp-q.json"})
	same(t, "body", b.read("mcp-q.json"), "[]\n")
	same(t, "next", p.NextAt, start.Add(24*time.Hour))

	b.open(b.out("mcp-{environment}.json")) // a restart
	b.clock.step(24*time.Hour - time.Second)
	same(t, "removed", b.publish(in("p", "a:1")).Removed, nil)
	b.clock.step(time.Second)
	same(t, "removed", b.publish(in("p", "a:1")).Removed, []string{b.path("mcp-q.json")})
	same(t, "there", b.exists("mcp-q.json"), false)
	if m := b.read(".mcp-sd/manifest.json"); strings.Contains(m, "mcp-q") {
		t.Fatal(m)
	}

	b.publish(in("p", "a:1"), in("q", "b:1"))
	same(t, "back again", b.addresses("mcp-q.json"), []string{"b:1"})
}

func TestEmptyFileThatFillsAgainIsKept(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json"))
	b.publish(in("q", "b:1"))
	b.clock.step(time.Minute)
	b.publish()
	b.clock.step(23 * time.Hour)
	b.publish(in("q", "b:1"))
	b.clock.step(time.Hour)
	b.publish()
	b.clock.step(23 * time.Hour)
	same(t, "removed", b.publish().Removed, nil)
	b.clock.step(time.Hour)
	same(t, "removed", b.publish().Removed, []string{b.path("mcp-q.json")})
}

// A clock that was set back must not keep an empty file for ever.
func TestEmptySinceTheFutureCountsAsNow(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json"))
	b.publish(in("q", "b:1"))
	b.clock.step(1000 * time.Hour)
	b.publish()
	b.clock.step(-1000 * time.Hour)
	same(t, "next", b.publish().NextAt, b.clock.now.Add(24*time.Hour))
}

// Contract §7: a failed write leaves the old file, is retried from 1 s to
// 60 s, and what counts as published changes only after a successful write.
func TestFailedWriteIsRetried(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json", interval(0)))
	b.publish(in("p", "a:1"), in("q", "b:1"))
	rename := b.fs.rename
	b.fs.rename = func(from, to string) error {
		if filepath.Base(to) == "mcp-p.json" {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: syscall.EIO}
		}
		return rename(from, to)
	}
	want := []target.Target{in("p", "c:1"), in("q", "d:1")}
	p, err := b.refused(want...)
	says(t, err, "mcp-p.json", "input/output error")
	same(t, "the others are written all the same", written(p), []string{"mcp-q.json"})
	same(t, "old file", b.addresses("mcp-p.json"), []string{"a:1"})
	for _, wait := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		same(t, "behind", behind(p), []string{"a:1", "c:1"})
		same(t, "next", p.NextAt, b.clock.now.Add(wait*time.Second))
		b.clock.now = p.NextAt.Add(-time.Millisecond)
		p = b.publish(want...)
		same(t, "too early", written(p), []string{})
		says(t, p.Failing, "mcp-p.json", "input/output error")
		b.clock.now = p.NextAt
		p, err = b.refused(want...)
		says(t, err, "mcp-p.json")
	}
	b.fs.rename = rename
	b.clock.now = p.NextAt
	p = b.publish(want...)
	same(t, "written", written(p), []string{"mcp-p.json"})
	same(t, "behind", p.Behind == nil, true)
	same(t, "failing", p.Failing, nil)
	same(t, "next", p.NextAt.IsZero(), true)
}

// What keeps a folder's files from being written is one failure, however many
// they are.
func TestFailureOfAFolderIsOne(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json", interval(0)))
	b.fs.rename = func(string, string) error { return syscall.EIO }
	p, err := b.refused(in("p", "a:1"), in("q", "b:1"))
	says(t, err, "manifest.json")
	same(t, "failing", strings.Count(p.Failing.Error(), "input/output error"), 1)
}

// What failed and is no longer wanted is no trouble any more.
func TestFailureIsForgottenWithItsCause(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json", interval(0)))
	b.publish(tgt("a:1"))
	sync := b.fs.sync
	b.fs.sync = func(*os.File) error { return syscall.EIO }
	b.refused(tgt("b:1"))
	says(t, b.Snapshot()[0].Err, "input/output error")
	p := b.publish(tgt("a:1"))
	same(t, "next", p.NextAt.IsZero(), true)
	same(t, "error", b.Snapshot()[0].Err, nil)
	b.fs.sync = sync
	same(t, "written", written(b.publish(tgt("c:1"))), []string{"mcp.json"})
}

// A deletion that fails is tried again like a write.
func TestDeletionFails(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json", interval(0)))
	b.publish(in("p", "a:1"))
	b.clock.now = b.publish().NextAt
	b.fs.remove = func(string) error { return syscall.EROFS }
	p, err := b.refused()
	says(t, err, "mcp-p.json: deleting it", "remount")
	same(t, "next", p.NextAt, b.clock.now.Add(time.Second))
	same(t, "not yet", b.publish().Removed, nil)
	b.fs = osFS()
	b.clock.now = p.NextAt
	same(t, "removed", b.publish().Removed, []string{b.path("mcp-p.json")})
}
