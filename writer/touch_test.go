package writer

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

func (b *bench) mtime(name string) time.Time {
	b.t.Helper()
	info, err := os.Stat(b.path(name))
	ok(b.t, err)
	return info.ModTime()
}

func from(source, environment, address string) target.Target {
	t := in(environment, address, target.SourceLabel, source)
	return t
}

// Contract §7: after a pass in which every source with targets in a file
// answered, its modification time is refreshed, at most once a minute.
func TestTouch(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json"))
	b.publish(from("s", "p", "a:1"), from("r", "p", "b:1"), from("s", "q", "c:1"), from("s", "e", "d:1"))
	b.clock.step(time.Hour)
	b.publish(from("s", "p", "a:1"), from("r", "p", "b:1"), from("s", "q", "c:1"))
	tests := []struct {
		name     string
		wait     time.Duration
		answered map[string]bool
		touched  []string
	}{
		{"just started", 0, map[string]bool{"s": true, "r": true}, []string{"mcp-p.json", "mcp-q.json"}},
		{"within a minute", 59 * time.Second, map[string]bool{"s": true, "r": true}, nil},
		{"one failed", time.Second, map[string]bool{"s": true, "r": false}, []string{"mcp-q.json"}},
		{"one is missing", 0, map[string]bool{"r": true}, []string{"mcp-e.json"}},
		{"all answered", 0, map[string]bool{"s": true, "r": true}, []string{"mcp-p.json"}},
		{"a minute later", time.Minute, map[string]bool{"s": true, "r": true}, []string{"mcp-e.json", "mcp-p.json", "mcp-q.json"}},
	}
	b.clock.now = b.mtime("mcp-q.json").Add(2 * time.Hour).Truncate(time.Second)
	for name := range b.files { // as if written long ago, but mcp-e.json just now
		if f := b.files[name]; f.name != "mcp-e.json" {
			f.stored = time.Time{}
		} else {
			f.stored = b.clock.now
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b.clock.step(tt.wait)
			old := b.clock.now.Add(-24 * time.Hour)
			for _, f := range b.ordered {
				ok(t, os.Chtimes(f.path, old, old))
				info, err := os.Lstat(f.path)
				ok(t, err)
				f.seen = info
			}
			ok(t, b.Touch(tt.answered))
			var touched []string
			for _, f := range b.ordered {
				if b.mtime(f.name).Equal(b.clock.now) {
					touched = append(touched, f.name)
				}
			}
			same(t, "touched", touched, tt.touched)
		})
	}
}

// The refreshed time is no foreign edit.
func TestTouchIsNoEdit(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json"))
	b.publish(tgt("a:1"))
	b.clock.step(time.Hour)
	ok(t, b.Touch(map[string]bool{"s": true}))
	same(t, "mtime", b.mtime("mcp.json"), b.clock.now)
	seen := b.ordered[0].seen
	same(t, "written", written(b.publish(tgt("a:1"))), []string{})
	same(t, "looked at anew", b.ordered[0].seen == seen, true)
}

// A dead man's switch must not tick for a file that could not be written, nor
// for one that somebody changed.
func TestTouchSpares(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json", interval(0)))
	b.publish(in("p", "a:1"), in("q", "b:1"))
	b.failing("mcp-p.json")
	b.clock.step(time.Hour)
	b.refused(in("p", "c:1"), in("q", "b:1"))
	b.put("mcp-q.json", "[]")
	before := b.mtime("mcp-p.json")
	ok(t, b.Touch(map[string]bool{"s": true}))
	same(t, "failed", b.mtime("mcp-p.json"), before)
	same(t, "edited", b.mtime("mcp-q.json").Equal(b.clock.now), false)

	b.put("mcp-q.json", "[")
	b.open(b.out("mcp-{environment}.json"))
	_, err := b.Load()
	ok(t, err)
	ok(t, b.Touch(map[string]bool{"s": true}))
	same(t, "broken", b.mtime("mcp-q.json").Equal(b.clock.now), false)
}

func TestTouchFails(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json"))
	b.publish(tgt("a:1"))
	b.clock.step(time.Hour)
	b.fs.chtimes = func(string, time.Time) error { return syscall.EROFS }
	says(t, b.Touch(map[string]bool{"s": true}), "mcp.json: refreshing its modification time", "remount")
}
