package health

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// curious is a fake that can be asked who it is.
type curious struct {
	*fake
	reply func(ctx context.Context, c Check) Result

	mu       sync.Mutex
	queries  map[string][]time.Duration // by address, since start
	running  int
	most     int
	together int // most probes and questions at once
}

func newCurious(probe func(context.Context, Check) Class, reply func(context.Context, Check) Result) *curious {
	return &curious{fake: newFake(probe), reply: reply, queries: map[string][]time.Duration{}}
}

func (f *curious) AskMCP(ctx context.Context, c Check) Result {
	f.mu.Lock()
	f.queries[c.Key.Address] = append(f.queries[c.Key.Address], time.Since(f.start))
	f.running++
	f.most = max(f.most, f.running)
	f.fake.mu.Lock()
	f.together = max(f.together, f.running+f.fake.running[""])
	f.fake.mu.Unlock()
	f.mu.Unlock()
	r := f.reply(ctx, c)
	f.mu.Lock()
	f.running--
	f.mu.Unlock()
	r.Key, r.Identity, r.At = c.Key, c.Identity, time.Now()
	return r
}

func (f *curious) when(address string) []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.queries[address])
}

// proves answers at once, as a server that says how long that holds.
func proves(ttl time.Duration) func(context.Context, Check) Result {
	return func(context.Context, Check) Result { return Result{MCP: &Answer{Proved: true, ttl: ttl}} }
}

func open(class Class) func(context.Context, Check) Result {
	return func(context.Context, Check) Result { return Result{Class: class, MCP: &Answer{}} }
}

// sweepingFor is sweeping with a prober that can ask.
func sweepingFor(t *testing.T, f *curious, concurrency int) *run {
	t.Helper()
	return sweepingBy(t, f, f.fake, concurrency)
}

// A target is asked after its first probe, and again after the first probe that
// follows the end of its answer (the sweep's spread is that of the probes).
func TestAskedAfterTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newCurious(within(0, ClassUp), proves(20*time.Minute))
		r := sweepingFor(t, f, 16)
		set := checks(1, spec(t, nil, asks(nil)), Steady)
		r.set <- set
		f.until(time.Hour)
		probes, asked := f.times(set[0].Key), f.when(set[0].Key.Address)
		if len(asked) != 3 || asked[0] != probes[0] || asked[1]-asked[0] < 20*time.Minute || asked[1]-asked[0] > 21*time.Minute {
			t.Errorf("probed at %v…, asked at %v", probes[0], asked)
		}
		got, _, _ := r.results()
		answers := slices.DeleteFunc(slices.Clone(got), func(r Result) bool { return r.MCP == nil })
		if len(answers) != 3 || answers[0].MCP.Keep != 20*time.Minute || len(got) != len(probes)+3 {
			t.Errorf("%d results, answers %v", len(got), answers)
		}
	})
}

// What is remembered of it counts after a restart, but never for good; where
// nobody asks, nobody is asked.
func TestAskedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newCurious(within(0, ClassUp), proves(-1))
		r := sweepingFor(t, f, 16)
		set := checks(3, spec(t, nil, asks(nil)), Steady)
		set[0].AskAfter = toMillis(time.Now().Add(10 * time.Minute))
		set[1].AskAfter = toMillis(time.Now().Add(1000 * time.Hour))
		set[2].Spec = spec(t, nil)
		r.set <- set
		f.until(25 * time.Hour)
		if asked := f.when(set[0].Key.Address); len(asked) == 0 || asked[0] < 10*time.Minute || asked[0] > 11*time.Minute {
			t.Errorf("first asked at %v", asked)
		}
		if asked := f.when(set[1].Key.Address); len(asked) == 0 || asked[0] < 24*time.Hour {
			t.Errorf("first asked at %v", asked)
		}
		if asked := f.when(set[2].Key.Address); len(asked) > 0 {
			t.Errorf("asked at %v though it is off", asked)
		}
	})
}

// A question left open is put again after 1, 2, 4 s … interval. Where no HTTP
// server answers the probe none is put, and when one comes up it is put at once.
func TestAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		down := func(ctx context.Context, _ Check) Class {
			if since := time.Since(start); since > time.Hour && since < 2*time.Hour {
				return ClassRefused
			}
			return ClassUp
		}
		f := newCurious(down, open(ClassHTTP5xx))
		r := sweepingFor(t, f, 16)
		set := checks(1, spec(t, nil, asks(nil)), Steady)
		r.set <- set
		f.until(3 * time.Hour)
		asked := f.when(set[0].Key.Address)
		if len(asked) < 8 || len(asked) > 14 {
			t.Fatalf("asked %d times: %v", len(asked), asked)
		}
		back := 0
		for _, at := range asked {
			if at > time.Hour && at < 2*time.Hour {
				t.Errorf("asked at %v while it was down", at)
			}
			if at >= 2*time.Hour && at < 2*time.Hour+time.Minute {
				back++
			}
		}
		if back == 0 {
			t.Errorf("not asked when it came back: %v", asked)
		}
	})
}

// Somebody else behind the address, and another answer that is wanted, are asked
// for at the next probe.
func TestAskedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newCurious(within(0, ClassUp), proves(-1))
		r := sweepingFor(t, f, 16)
		set := checks(2, spec(t, nil, asks(nil)), Steady)
		r.set <- set
		f.until(10 * time.Minute)
		set = slices.Clone(set)
		set[0].Identity = "another"
		set[1].AskAfter = toMillis(time.Now())
		r.set <- set
		f.until(20 * time.Minute)
		set = slices.Clone(set)
		set[0].Spec = spec(t, nil, asks(func(o *MCPOptions) { o.Path = "/elsewhere" }))
		r.set <- set
		f.until(30 * time.Minute)
		for i, want := range []int{3, 2} {
			if asked := f.when(set[i].Key.Address); len(asked) != want {
				t.Errorf("%d: asked at %v, want %d times", i, asked, want)
			}
		}
	})
}

// Questions share the places with the probes, at most an eighth of them, and a
// verdict never waits for one: those that hold a place which a probe could use
// are called off (contract §5).
func TestQuestionsDelayNoVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := func(ctx context.Context, c Check) Result {
			class := wait(ctx, c.Spec.timeout(), ClassTimeout)
			return Result{Class: class, MCP: &Answer{}}
		}
		f := newCurious(within(time.Millisecond, ClassUp), never)
		r := sweepingFor(t, f, 1)
		set := checks(100, spec(t, nil, asks(nil)), Steady)
		r.set <- set
		f.until(5 * time.Minute)
		for _, c := range set {
			probes := f.times(c.Key)
			for i := 1; i < len(probes); i++ {
				if late := probes[i] - probes[i-1] - 30*time.Second; late > 50*time.Millisecond {
					t.Fatalf("%s: probed %s late", c.Key, late)
				}
			}
			if len(probes) < 9 {
				t.Errorf("%s: %d probes", c.Key, len(probes))
			}
		}
		f.mu.Lock()
		if f.together > 1 || len(f.queries) == 0 {
			t.Errorf("%d at once, %d asked", f.together, len(f.queries))
		}
		f.mu.Unlock()
	})
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context, _ Check) Result {
			wait(ctx, 5*time.Second, ClassUp)
			return Result{MCP: &Answer{Proved: true}}
		}
		f := newCurious(within(0, ClassUp), slow)
		r := sweepingFor(t, f, 32)
		r.set <- checks(200, spec(t, nil, asks(nil)), Admit)
		f.until(5 * time.Minute)
		if f.most != 4 || len(f.queries) != 200 {
			t.Errorf("%d asked at once, %d in all; want 4 of 32 places, and everybody", f.most, len(f.queries))
		}
	})
}

// A single pass asks once, after the verdicts, and leaves those out whose source
// does not ask.
func TestOnceAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newCurious(within(0, ClassUp), func(ctx context.Context, c Check) Result {
			wait(ctx, 10*time.Millisecond, ClassUp)
			return Result{MCP: &Answer{Proved: true, ttl: -1}}
		})
		s := NewSweeper(f, 32, NewMetrics(prometheus.NewRegistry()))
		set := checks(20, spec(t, nil, asks(nil)), Admit)
		set[3].Spec = spec(t, nil)
		if got := s.Once(t.Context(), set); len(got) != 20 || len(f.queries) != 0 {
			t.Fatalf("%d results, %d asked", len(got), len(f.queries))
		}
		got := s.Ask(t.Context(), set)
		if len(got) != 19 || f.most != 4 || got[0].MCP.Keep != time.Hour {
			t.Errorf("%d answers, %d at once, %+v", len(got), f.most, got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Millisecond)
		defer cancel()
		if got := s.Ask(ctx, set); len(got) != 4 {
			t.Errorf("%d answers before the end, want 4", len(got))
		}
		if got := NewSweeper(f.fake, 4, NewMetrics(prometheus.NewRegistry())).Ask(t.Context(), set); got != nil {
			t.Errorf("%v of a prober that can't ask", got)
		}
	})
}

// The end of the sweep ends the questions as well.
func TestQuestionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newCurious(within(0, ClassUp), func(ctx context.Context, _ Check) Result {
			<-ctx.Done()
			return Result{Class: ClassCanceled, MCP: &Answer{}}
		})
		r := sweepingFor(t, f, 8)
		r.set <- checks(10, spec(t, nil, asks(nil)), Admit)
		f.until(time.Minute)
		r.end()
		if f.running != 0 || f.most != 1 {
			t.Errorf("%d are still being asked, %d were at once", f.running, f.most)
		}
		got, _, _ := r.results()
		for _, r := range got {
			if r.MCP != nil {
				t.Errorf("an answer of a question that was called off: %+v", r)
			}
		}
	})
}
