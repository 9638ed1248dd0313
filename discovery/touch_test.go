package discovery

import (
	"context"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// heart checks of which sources the latest Touch was told that they answered.
func (r *rig) heart(t *testing.T, why string, want map[string]bool) {
	t.Helper()
	synctest.Wait()
	r.mu().Lock()
	defer r.mu().Unlock()
	if !maps.Equal(r.told, want) {
		t.Fatalf("%s: the files are refreshed for %v, want %v", why, r.told, want)
	}
}

// Contract §7: the heartbeat of a file is stopped by the sources of its own
// targets, not by another that has never answered; and one that answers late
// need not wait for it.
func TestTouchBesideSilentSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dead := newRig(one), &fleet{err: errTest}
		s := r.setup()
		other := s.Sources[0]
		other.Name, other.Source, other.Relabeler = "b", dead, dead
		s.Sources = append(s.Sources, other)
		r.startWith(t, s)
		r.heart(t, "at the start", map[string]bool{"a": true, "b": false})
		r.mu().Lock()
		before := r.touch
		r.mu().Unlock()
		elapse(time.Hour)
		r.heart(t, "an hour later", map[string]bool{"a": true, "b": false})
		r.mu().Lock()
		n := r.touch - before
		r.mu().Unlock()
		if n < 50 || n > 61 {
			t.Errorf("touched %d times in an hour", n)
		}

		dead.change(func(f *fleet) { f.err, f.listed = nil, []string{two} })
		for began := time.Now(); ; elapse(time.Second) {
			if r.engine.View().Sources[1].Up {
				break
			}
			if time.Since(began) > 2*time.Minute {
				t.Fatal("it never answered")
			}
		}
		r.heart(t, "it answered", map[string]bool{"a": true, "b": true})
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// Contract §7 in a single pass, which is all that --once has.
func TestOnceTouchesBesideSilentSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(one)
		s := r.setup()
		other := s.Sources[0]
		other.Name, other.Source = "b", &fleet{err: errTest}
		s.Sources = append(s.Sources, other)
		r.make()
		if _, err := r.engine.Once(t.Context(), s, OnceOptions{}); err != nil {
			t.Fatal(err)
		}
		r.heart(t, "one pass", map[string]bool{"a": true, "b": false})
	})
}

// wire is a Watcher that hands over what its fleet lists whenever it is told to.
type wire struct {
	*fleet
	tell chan struct{}
}

func (w wire) Watch(ctx context.Context, emit func(target.Listing)) error {
	for {
		emit(w.Discover(ctx))
		select {
		case <-w.tell:
		case <-ctx.Done():
			return nil
		}
	}
}

// A watcher that has nothing more to say, not even that nothing changed, has
// not answered, although the last that it said was good (contract §7).
func TestTouchStopsWithTheHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(one)
		w := wire{fleet: r.fleet, tell: make(chan struct{})}
		s := r.setup()
		s.Sources[0].Source = w
		r.startWith(t, s)
		elapse(2*time.Minute + time.Second)
		r.heart(t, "two intervals and the timeout after its last word", map[string]bool{"a": true})
		elapse(time.Minute)
		r.heart(t, "a minute later", map[string]bool{"a": false})
		w.tell <- struct{}{}
		elapse(time.Minute)
		r.heart(t, "it speaks again", map[string]bool{"a": true})
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// torn is an EarlySource of two parts; the second keeps it waiting.
type torn struct {
	*fleet
	hangs bool
}

func (s torn) DiscoverEarly(ctx context.Context, early func(target.Listing)) target.Listing {
	l := s.Discover(ctx)
	q := target.Part{Name: "q"}
	if s.hangs {
		early(target.Listing{Parts: l.Parts, Early: true})
		<-ctx.Done()
		q.Err = ctx.Err()
	}
	l.Parts = append(l.Parts, q)
	return l
}

// After a restart a source has answered when all its parts have, not when some
// have and the run before was fine (contract §7).
func TestTouchWaitsForAllParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(one)
		s := r.setup()
		s.Sources[0].Timeout = 5 * time.Minute
		s.Sources[0].Source = torn{fleet: r.fleet}
		r.startWith(t, s)
		r.heart(t, "both parts answer", map[string]bool{"a": true})
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		s.Sources[0].Source = torn{fleet: r.fleet, hangs: true}
		r.startWith(t, s)
		elapse(90 * time.Second)
		r.heart(t, "one part has not answered yet", map[string]bool{"a": false})
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}
