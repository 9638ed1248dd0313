// Package sourcetest is the conformance suite that every discovery mechanism
// passes: what contract §4 and the documentation of target.Source and
// target.Watcher promise, asked of a real source in front of a backend that can
// be broken.
//
// It sees a mechanism from outside alone. That labels have the right values is
// for the mechanism's own tests; that a failing backend never turns into a short
// list, that nothing hangs and nothing leaks, is asked here.
//
//	func TestConformance(t *testing.T) {
//		sourcetest.Run(t, func(tb testing.TB) sourcetest.Backend {
//			srv := newFakeServer(tb) // httptest, stopped by tb.Cleanup
//			return sourcetest.Backend{
//				New:      func() target.Source { return newSource(tb, srv.URL) },
//				Interval: 50 * time.Millisecond,
//				Change:   func() { srv.add("another") },
//				Empty:    func() { srv.removeAll() },
//				Hang:     func() { srv.hang() },
//				Faults: []sourcetest.Fault{
//					{Name: "http 500", Break: func() { srv.fail(500) }, Mend: func() { srv.fail(0) }},
//					{Name: "truncated body", Break: srv.truncate, Mend: srv.heal},
//				},
//			}
//		})
//	}
package sourcetest

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mcp-sd/mcp-sd/target"
)

// Backend is what a source asks, in front of the source that asks it.
type Backend struct {
	// New builds a source that asks the backend. It may be called several
	// times; each source starts with an empty memory. Build it with
	// target.Env.Source set to SourceName.
	New func() target.Source
	// Interval is the Env.RefreshInterval that New uses: a Watcher's heartbeat
	// is expected that often. Some 50 ms keep the suite quick.
	Interval time.Duration
	// Operator is that of the mechanism's line in the table: its labels may
	// have any legal name.
	Operator bool

	// Change makes the backend list something else than it did.
	Change func()
	// Empty makes the backend say, truthfully, that there are no targets.
	Empty func()
	// Hang makes the backend take questions and never answer them. nil where
	// the mechanism cannot wait for anything, as with files.
	Hang func()
	// Faults are the ways in which the backend fails or answers by half.
	Faults []Fault
}

// Fault is one way in which a backend fails: an error, a page that is missing,
// an answer that was cut off or filtered, a broken file.
type Fault struct {
	Name  string
	Break func() // from now on, at least one part can't be listed
	Mend  func() // from now on, everything is listed as before
}

// Setup starts a fresh backend that lists at least one target. What it starts,
// it stops through tb.Cleanup.
type Setup func(tb testing.TB) Backend

// SourceName is the name that a Backend's New gives its source.
const SourceName = "conformance"

const (
	// promptly is how long a source may take to notice that its context ended.
	// It is generous for loaded machines; what it must catch waits forever.
	promptly = 5 * time.Second
	// patience is how long something may take that should happen at all.
	patience = 30 * time.Second
)

// check is one promise; it returns what broke it.
type check struct {
	name string
	run  func(Backend) error
}

// Run asks everything of a mechanism. Each question gets a fresh backend.
func Run(t *testing.T, setup Setup) {
	t.Helper()
	for _, c := range checks(setup(t)) {
		t.Run(c.name, func(t *testing.T) {
			if err := ask(setup(t), c); err != nil {
				t.Error(err)
			}
		})
	}
}

// ask runs one check, and then looks for goroutines that it left behind.
func ask(b Backend, c check) error {
	before := goleak.IgnoreCurrent()
	if err := c.run(b); err != nil {
		return err
	}
	if err := goleak.Find(before,
		// A connection that is kept alive is no leak, on either side of it.
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("net/http.(*conn).serve"),
	); err != nil {
		return fmt.Errorf("goroutines left behind: %w", err)
	}
	return nil
}

// checks lists what can be asked in front of such a backend.
func checks(b Backend) []check {
	all := []check{
		{"lists", lists},
		{"repeated calls agree", repeats},
		{"canceled before it began", canceledBefore},
	}
	if b.Hang != nil {
		all = append(all, check{"canceled while waiting", canceledWaiting})
	}
	if b.Change != nil {
		all = append(all, check{"sees a change", changes})
	}
	if b.Empty != nil {
		all = append(all, check{"empty is no failure", empties})
	}
	for i, f := range b.Faults {
		all = append(all, check{"fails whole/" + f.Name, func(b Backend) error { return fails(b, b.Faults[i]) }})
	}
	if _, ok := b.New().(target.Watcher); ok {
		all = append(all, watchChecks(b)...)
	}
	return all
}

func watchChecks(b Backend) []check {
	all := []check{
		{"watch/first listing and heartbeat", watchBeats},
	}
	if b.Change != nil {
		all = append(all, check{"watch/sees a change", watchChanges})
	}
	if b.Empty != nil {
		all = append(all, check{"watch/empty is no failure", watchEmpties})
	}
	if b.Hang != nil {
		all = append(all, check{"watch/canceled while waiting", watchCanceledWaiting})
	}
	for i, f := range b.Faults {
		all = append(all,
			check{"watch/fails whole/" + f.Name, func(b Backend) error { return watchFails(b, b.Faults[i]) }},
			check{"watch/starts broken/" + f.Name, func(b Backend) error { return watchStartsBroken(b, b.Faults[i]) }})
	}
	return all
}
