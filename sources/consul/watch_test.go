package consul

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/mcp-sd/mcp-sd/target"
)

// expect compares listings in few words.
func expect(t *testing.T, l target.Listing, want string) {
	t.Helper()
	if got := say(l); got != want {
		t.Errorf("listed %q, want %q\n%s", got, want, errorsOf(l))
	}
}

// expectSoon waits for a listing and wants it within limit of now.
func expectSoon(t *testing.T, next func() target.Listing, limit time.Duration, want string) {
	t.Helper()
	began := time.Now()
	l := next()
	if took := time.Since(began); took > limit {
		t.Errorf("%q took %s, want at most %s", say(l), took, limit)
	}
	expect(t, l, want)
}

// Contract §4: a change is seen in milliseconds, and only what changed is told;
// an idle fleet gives heartbeats.
func TestWatchTellsChangesAtOnceAndBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"), instance("web", "b"), instance("db", "c"))
		next := watching(t, build(t, nil, f))
		expectSoon(t, next, 5*time.Millisecond, "local/db: c; local/web: a b; local:catalog:")

		f.set(instance("web", "d"))
		expectSoon(t, next, 5*time.Millisecond, "local/db: unchanged; local/web: a b d; local:catalog: unchanged")

		f.set(instance("web", "a", func(e *api.ServiceEntry) { e.Service.Meta["version"] = "v2" }))
		l := next()
		expect(t, l, "local/db: unchanged; local/web: a b d; local:catalog: unchanged")
		if got := l.Parts[1].Raw[0].Labels.Get("version"); got != "v2" {
			t.Errorf("version %q, want v2", got)
		}
		for range 5 {
			expectSoon(t, next, testInterval+gather, "local/db: unchanged; local/web: unchanged; local:catalog: unchanged")
		}
	})
}

// Only what ends up in labels is a change: the output of a check is not.
func TestWatchIsQuietAboutWhatNoLabelSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"))
		next := watching(t, build(t, only("web"), f))
		expect(t, next(), "local/web: a")
		time.AfterFunc(time.Second, func() {
			f.set(instance("web", "a", func(e *api.ServiceEntry) { e.Checks[0].Output = "still alive" }))
		})
		began := time.Now()
		expect(t, next(), "local/web: unchanged")
		if took := time.Since(began); took < testInterval {
			t.Errorf("emitted after %s, before the heartbeat", took)
		}
	})
}

// Changes of several services at the same moment make one listing.
func TestWatchGathersSimultaneousChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"), instance("db", "b"))
		next := watching(t, build(t, nil, f))
		next()
		f.set(instance("web", "c"), instance("db", "d"))
		expect(t, next(), "local/db: b d; local/web: a c; local:catalog: unchanged")
	})
}

// A service comes with its instances or not at all, and goes once its own query
// has said that it is empty (contract §4).
func TestServicesComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"))
		next := watching(t, build(t, nil, f))
		expect(t, next(), "local/web: a; local:catalog:")
		f.set(instance("db", "b"))
		expect(t, next(), "local/db: b; local/web: unchanged; local:catalog: unchanged")
		f.remove("db", "b")
		expect(t, next(), "local/db:; local/web: unchanged; local:catalog: unchanged")
		expect(t, next(), "local/web: unchanged; local:catalog: unchanged")
		f.set(instance("db", "c"))
		expect(t, next(), "local/db: c; local/web: unchanged; local:catalog: unchanged")
	})
}

// Contract §4: a wiped catalogue shortens nothing while the services' own
// queries still list instances.
func TestWipedCatalogShortensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"))
		s := build(t, nil, f)
		next := watching(t, s)
		expect(t, next(), "local/web: a; local:catalog:")
		f.wake(func() { f.catalog = func(map[string][]string) map[string][]string { return map[string][]string{} } })
		for range 4 {
			expect(t, next(), "local/web: unchanged; local:catalog: unchanged")
		}
		expect(t, s.Discover(t.Context()), "local/web: a; local:catalog:")
		f.remove("web", "a")
		expect(t, next(), "local/web:; local:catalog: unchanged")
		expect(t, next(), "local:catalog: unchanged")
	})
}

// Contract §4: one failed part touches no other, its last listing is not
// shortened, and its recovery is told at once.
func TestFailedPartTouchesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"), instance("db", "b"))
		next := watching(t, build(t, nil, f))
		next()
		f.wake(func() { f.fault = on("/v1/health/service/web", status(500)) })
		expect(t, next(), "local/db: unchanged; local/web: failed; local:catalog: unchanged")
		f.set(instance("db", "c"))
		expect(t, next(), "local/db: b c; local/web: failed; local:catalog: unchanged")
		f.lock(func() { f.fault = nil })
		expectSoon(t, next, 4*time.Second, "local/db: unchanged; local/web: a; local:catalog: unchanged")
	})
}

// A catalogue that was down is not back before the services it names have
// answered: a listing without them, and without a failure, would end them.
func TestCatalogComesBackWithItsServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"), instance("db", "b"))
		f.fault = on("/v1/catalog", status(500))
		next := watching(t, build(t, nil, f))
		expect(t, next(), "local:catalog: failed")
		release := make(chan struct{})
		f.lock(func() {
			f.fault = on("/v1/health/service/web", func(http.ResponseWriter, *http.Request) bool {
				<-release
				return false
			})
		})
		time.AfterFunc(20*time.Second, func() { close(release) })
		expectSoon(t, next, 4*time.Second, "local/db: b; local:catalog: failed")
		expectSoon(t, next, 20*time.Second, "local/db: unchanged; local/web: a; local:catalog:")
	})
}

// The first listing comes when every part has an outcome, at the latest after
// the timeout of one question; what has not answered by then has failed.
func TestFirstListingIsCompleteOrInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"), instance("db", "b"))
		f.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/web") {
				<-r.Context().Done()
			}
			if strings.HasPrefix(r.URL.Path, "/v1/catalog") {
				<-time.After(20 * time.Second)
			}
			return false
		}
		next := watching(t, build(t, nil, f))
		expectSoon(t, next, testTimeout+gather, "local/db: b; local/web: failed; local:catalog:")
		f.lock(func() { f.fault = nil })
		expectSoon(t, next, time.Minute, "local/db: unchanged; local/web: a; local:catalog: unchanged")
	})
}

// A new service that does not answer holds up nothing else.
func TestSilentNewServiceHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"))
		next := watching(t, build(t, nil, f))
		next()
		f.lock(func() {
			f.fault = on("/v1/health/service/db", func(_ http.ResponseWriter, r *http.Request) bool {
				<-r.Context().Done()
				return true
			})
		})
		f.set(instance("db", "b"))
		time.AfterFunc(time.Second, func() { f.set(instance("web", "c")) })
		expectSoon(t, next, 2*time.Second, "local/web: a c; local:catalog: unchanged")
		expectSoon(t, next, testTimeout, "local/db: failed; local/web: unchanged; local:catalog: unchanged")
	})
}

// A standing query to a server that died without a word ends a little after
// Consul would have ended it.
func TestSilentServerIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"))
		next := watching(t, build(t, only("web"), f))
		began := time.Now()
		next()
		f.lock(func() {
			f.fault = func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }
		})
		for {
			l := next()
			if l.Failed() {
				break
			}
			expect(t, l, "local/web: unchanged")
		}
		// One answered wait, one plain question that hangs.
		if took := time.Since(began); took > waitLimit+testTimeout+time.Second {
			t.Errorf("noticed after %s", took)
		}
	})
}

// Contract §4: pauses grow from about 1 s to 60 s, are jittered, end at once on
// shutdown, and start anew after a success.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"))
		f.fault = status(500)
		next := watching(t, build(t, only("web"), f))
		next()
		for range 9 {
			expect(t, next(), "local/web: failed")
		}
		if n := len(f.questions("/v1/health")); n < 12 || n > 30 {
			t.Errorf("%d questions in 9 minutes of failure, want them to become rare", n)
		}
		f.lock(func() { f.fault = nil })
		for say(next()) != "local/web: a" {
		}
		f.wake(func() { f.fault = status(500) })
		expect(t, next(), "local/web: failed")
		f.lock(func() { f.fault = nil })
		expectSoon(t, next, 3*time.Second, "local/web: a")
	})
}

// An index that goes backwards starts anew, and queries that do not block are
// held back (contract §4).
func TestIndexBackwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"))
		f.streaming = false
		next := watching(t, build(t, only("web"), f))
		next()
		f.lock(func() {
			f.wiped = 3
			f.entries = append(f.entries, instance("web", "b"))
		})
		expectSoon(t, next, time.Second, "local/web: a b")
		synctest.Wait() // until it asks again
		f.lock(func() { f.wiped = 4; f.entries = append(f.entries, instance("web", "c")) })
		expectSoon(t, next, time.Second, "local/web: a b c")
		synctest.Wait()
		var indexes []string
		for _, a := range f.questions("/v1/health") {
			indexes = append(indexes, a.index)
		}
		if got, want := strings.Join(indexes, " "), " 11  3 4"; !strings.HasPrefix(got, want) {
			t.Errorf("asked from %q, want %q: after 3 came back for 11, ask from nothing", got, want)
		}
	})
}

func TestQueriesThatDoNotBlockAreHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"))
		f.fault = func(_ http.ResponseWriter, r *http.Request) bool {
			q := r.URL.Query()
			q.Set("wait", "1ms")
			r.URL.RawQuery = q.Encode()
			return false
		}
		next := watching(t, build(t, only("web"), f))
		next()
		for range 10 {
			next()
		}
		// Ten minutes: the burst, and ten a second. Every other one is the plain
		// question after a wait that found nothing.
		if n := len(f.questions("/v1/health")); n > burst+10*600+10 {
			t.Errorf("%d questions in ten minutes", n)
		}
	})
}

// on limits a fault to the paths with a prefix.
func on(prefix string, fault func(http.ResponseWriter, *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		return strings.HasPrefix(r.URL.Path, prefix) && fault(w, r)
	}
}

// status refuses.
func status(code int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "refused by the test", code)
		return true
	}
}

// What a loop that was stopped still has to say counts no more.
func TestLateNewsAreIgnored(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := build(t, nil, newFake())
	h := &hub{source: s, parts: map[string]*part{}, news: make(chan news)}
	dc := s.dcs[0]
	cancel() // the loops end at once
	h.selectServices(ctx, dc, selection{names: []string{"web"}})
	h.loops.Wait()
	p := h.part(dc, "web")
	first := p.run
	h.take(ctx, news{part: p, run: first, raws: make([]target.Raw, 2)})
	h.selectServices(ctx, dc, selection{gone: []string{"web"}})
	h.take(ctx, news{part: p, run: first, raws: make([]target.Raw, 2)})
	h.selectServices(ctx, dc, selection{names: []string{"web"}})
	h.take(ctx, news{part: p, run: first, raws: make([]target.Raw, 2)})
	h.loops.Wait()
	if len(p.raws) != 0 || p.run == first {
		t.Errorf("%d targets of a loop that was stopped", len(p.raws))
	}
}
