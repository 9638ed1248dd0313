package mcpregistry

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mcp-sd/mcp-sd/sources/mcpregistry/registrytest"
)

// asked are the questions since the last call, in short: full or changes.
func (r *registry) asked(before *int) string {
	var kinds []string
	calls := r.Calls()
	for _, q := range calls[*before:] {
		kinds = append(kinds, kind(q))
	}
	*before = len(calls)
	return strings.Join(kinds, " ")
}

func kind(q url.Values) string {
	if q.Get("updated_since") != "" {
		return "changes"
	}
	return "full"
}

// clock is one that a test moves.
type clock struct{ now time.Time }

func (c *clock) later(d time.Duration) { c.now = c.now.Add(d) }

func clocked(r *registry) *clock {
	c := &clock{time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	r.Now = func() time.Time { return c.now }
	return c
}

// After one full listing only changes are asked for, and whatever they are, a
// source that lived through them lists what a new one does (contract §4).
func TestFollows(t *testing.T) {
	for _, versions := range []string{latestVersion, allVersions} {
		t.Run(versions, func(t *testing.T) { follows(t, func(o *Options) { o.Versions = versions }) })
	}
}

func follows(t *testing.T, edit func(*Options)) {
	r := newRegistry(t)
	c := clocked(r)
	r.Publish(three()...)
	s := r.source(edit)
	good(t, s)
	var seen int
	r.asked(&seen)
	for _, step := range []struct {
		name   string
		change func()
		asked  string // with versions: latest
	}{
		{"nothing", func() {}, "changes"},
		{"a new server", func() { r.Publish(at("com.example/new", "1", "https://new.example.com/mcp")) }, "changes"},
		{"a new version", func() { r.Publish(at("com.example/time", "2.0.0", "https://time2.example.com/mcp")) }, "changes"},
		{"the latest deleted", func() { r.SetStatus("com.example/time", "2.0.0", "deleted") }, "changes full"},
		{"and back", func() { r.SetStatus("com.example/time", "2.0.0", "active") }, "changes"},
		{"the version before deprecated", func() { r.SetStatus("com.example/time", "1.0.0", "deprecated") }, ""},
		{"deprecated", func() { r.SetStatus("com.example/weather", "2.1.0", "deprecated") }, "changes"},
		{"deleted", func() { r.SetStatus("com.example/weather", "2.1.0", "deleted") }, "changes"},
	} {
		c.later(time.Hour)
		step.change()
		s.followed = 0
		good(t, s)
		asked := r.asked(&seen)
		if s.known.latestOnly && step.asked != "" && asked != step.asked {
			t.Errorf("%s: asked %q, want %q", step.name, asked, step.asked)
		}
		fresh := r.source(edit)
		good(t, fresh)
		if got, want := listed(s), listed(fresh); got != want {
			t.Errorf("%s: the old source lists\n%s\na new one\n%s", step.name, got, want)
		}
		r.asked(&seen)
	}
}

// Every tenth listing is full, so that what left no trace is noticed.
func TestFullNowAndThen(t *testing.T) {
	r := newRegistry(t, three()...)
	s := r.source(nil)
	good(t, s)
	r.Remove("com.example/time", "1.0.0")
	for range fullEvery {
		if p := good(t, s); !p.Unchanged {
			t.Errorf("changes tell of what left no trace: %+v", p)
		}
	}
	if good(t, s); strings.Contains(listed(s), "time") {
		t.Errorf("the full listing still has it:\n%s", listed(s))
	}
	s.full = s.full.Add(-fullAfter)
	var seen int
	r.asked(&seen)
	if good(t, s); r.asked(&seen) != "full" {
		t.Error("after an hour, it was not asked for everything")
	}
}

// Updates are dated by the registry's clock, whatever ours says, and one that
// becomes visible late, or lies in the future, costs no other.
func TestClocks(t *testing.T) {
	r := newRegistry(t)
	c := clocked(r)
	r.Publish(three()...)
	s := r.source(nil)
	good(t, s)
	c.later(-overlap / 2) // of a machine whose clock is behind
	r.Publish(at("com.example/late", "1", "https://late.example.com/mcp"))
	if good(t, s); !strings.Contains(listed(s), "late") {
		t.Errorf("a late update is missing:\n%s", listed(s))
	}
	c.later(1000 * time.Hour)
	r.Publish(at("com.example/future", "1", "https://future.example.com/mcp"))
	c.later(-900 * time.Hour)
	good(t, s)
	r.Publish(at("com.example/after", "1", "https://after.example.com/mcp"))
	if good(t, s); !strings.Contains(listed(s), "after") || s.followed != 3 {
		t.Errorf("an update is missing after one in the future:\n%s", listed(s))
	}
}

// A registry that does not know updated_since, or refuses it, is read in full.
func TestKnowsNoChanges(t *testing.T) {
	plain := newRegistry(t, three()...)
	plain.Plain = true
	s := plain.source(nil)
	var seen int
	for range 3 {
		good(t, s)
		if asked := plain.asked(&seen); asked != "full" {
			t.Errorf("asked %q of a registry that tells no times", asked)
		}
	}
	for name, set := range map[string]func(*registrytest.Registry){
		"refuses": func(r *registrytest.Registry) { r.RefusesSince = true },
		"ignores": func(r *registrytest.Registry) { r.IgnoresSince = true },
	} {
		r := newRegistry(t)
		c := clocked(r)
		set(r.Registry)
		r.Publish(three()...)
		c.later(time.Hour)
		r.Publish(at("com.example/new", "1", "https://new.example.com/mcp"))
		s, seen := r.source(nil), 0
		for _, want := range []string{"full", "changes full", "full"} {
			good(t, s)
			if asked := r.asked(&seen); asked != want {
				t.Errorf("%s: asked %q, want %q", name, asked, want)
			}
		}
	}
}

// A failure leaves what was known, and the next good listing names it all again.
func TestFailureKeeps(t *testing.T) {
	r := newRegistry(t, three()...)
	s := r.source(nil)
	before := good(t, s)
	r.Fail(registrytest.Fault{Status: 500})
	if p := part(t, s); p.Err == nil || len(p.Raw) > 0 {
		t.Errorf("a broken registry lists %+v", p)
	}
	r.Mend()
	if p := good(t, s); p.Unchanged || len(p.Raw) != len(before.Raw) {
		t.Errorf("mended, it lists %+v", p)
	}
}
