package discovery

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// scripted is a Source whose answers are a function of how often it was asked.
type scripted struct {
	answer func(n int) target.Listing
	asked  []time.Time
}

func (s *scripted) Discover(context.Context) target.Listing {
	s.asked = append(s.asked, time.Now())
	return s.answer(len(s.asked))
}

var (
	good = target.Listing{Parts: []target.Part{{Name: "p"}}}
	bad  = target.Listing{Parts: []target.Part{{Name: "p", Err: errTest}}}
)

// drive runs a driver for a while and returns what it sent.
func drive(t *testing.T, src target.Source, d time.Duration) []Arrival {
	t.Helper()
	var got []Arrival
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	(&driver{
		SourceSetup: SourceSetup{
			Name: "a", Source: src, Relabeler: &fleet{},
			RefreshInterval: time.Minute, Timeout: time.Second,
		},
		send: func(a Arrival) { got = append(got, a) },
	}).run(ctx)
	return got
}

// Contract §4: after a failure the retries begin at 1 s again.
func TestBackOffBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &scripted{answer: func(n int) target.Listing {
			if n == 10 {
				return good
			}
			return bad
		}}
		drive(t, src, time.Hour)
		if wait := src.asked[11].Sub(src.asked[10]); wait > 2*time.Second {
			t.Errorf("the first retry after a good answer came after %v", wait)
		}
		if wait := src.asked[9].Sub(src.asked[8]); wait < 20*time.Second {
			t.Errorf("the ninth retry came after %v", wait)
		}
	})
}

// A part that fails does not slow down the others: they are asked at the
// refresh interval as ever.
func TestFailingPartSlowsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		some := target.Listing{Parts: []target.Part{{Name: "p"}, {Name: "q", Err: errTest}}}
		src := &scripted{answer: func(int) target.Listing { return some }}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		(&driver{
			SourceSetup: SourceSetup{Name: "a", Source: src, Relabeler: &fleet{}, RefreshInterval: 5 * time.Second},
			send:        func(Arrival) {},
		}).run(ctx)
		if n := len(src.asked); n < 700 {
			t.Errorf("it was asked %d times within an hour, want one every 5s", n)
		}
	})
}

// early is a source of which one part is quick.
type early struct{ scripted }

func (e *early) DiscoverEarly(ctx context.Context, emit func(target.Listing)) target.Listing {
	emit(target.Listing{Parts: []target.Part{{Name: "p"}}, Early: true})
	return e.Discover(ctx)
}

// What a source says early is taken as such, and not at all in a single pass.
func TestEarlySource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &early{scripted{answer: func(int) target.Listing { return good }}}
		got := drive(t, src, time.Second)
		if len(got) != 2 || !got[0].Early || got[0].Source != "a" || got[1].Early {
			t.Errorf("got %+v", got)
		}
		d := &driver{SourceSetup: SourceSetup{Name: "a", Source: src, Relabeler: &fleet{}, Timeout: time.Second}}
		if l := d.ask(t.Context()); l.Early {
			t.Errorf("got %+v", l)
		}
	})
}

// A source that lists no part has said nothing, not that there is nothing.
func TestNoPartIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &scripted{answer: func(int) target.Listing { return target.Listing{} }}
		got := drive(t, src, time.Second/2)
		if len(got) != 1 || !got[0].Failed() {
			t.Errorf("it came through as %+v", got)
		}
	})
}

// watcher is a Watcher that gives up after each listing.
type watcher struct {
	scripted
	end error
}

func (w *watcher) Watch(ctx context.Context, emit func(target.Listing)) error {
	emit(w.Discover(ctx))
	return w.end
}

// A watcher that gives up is a failure, and is started again.
func TestWatcherGivesUp(t *testing.T) {
	for name, end := range map[string]error{"with an error": errors.New("lost"), "without": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &watcher{scripted: scripted{answer: func(int) target.Listing { return good }}, end: end}
				got := drive(t, w, 10*time.Second)
				if len(w.asked) < 3 {
					t.Fatalf("it was started %d times", len(w.asked))
				}
				if got[0].Failed() || !got[1].Failed() || got[0].Source != "a" {
					t.Errorf("it came through as %+v", got[:2])
				}
			})
		})
	}
}

// A target that answers the second probe is admitted by the same pass
// (contract §5: --once probes a new target twice, a second apart).
func TestOnceProbesTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(one)
		r.silent[one] = true
		go func() {
			elapse(time.Second / 2)
			r.change(func(f *fleet) { f.silent[one] = false })
		}()
		r.once(t, OnceOptions{})
		r.expect(t, "it answers the second probe", one)
	})
}

// While decisions take long, listings and probes are still taken in, and no
// step follows the other without a pause.
func TestStepsKeepTheirDistance(t *testing.T) {
	e := New(Options{})
	now := time.Now()
	for took, want := range map[time.Duration]time.Duration{
		100 * time.Millisecond: 300 * time.Millisecond,
		10 * time.Second:       2 * time.Second, // the first of a large fleet: a change after it does not wait half a minute
	} {
		e.lastStep, e.stepTook = now, took
		if got := e.earliest().Sub(now); got != want {
			t.Errorf("after a step of %v the next may come after %v, want %v", took, got, want)
		}
	}
}
