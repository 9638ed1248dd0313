package health

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mcp-sd/mcp-sd/target"
)

// fake answers as told and writes down when it was asked.
type fake struct {
	answer func(ctx context.Context, c Check) Class

	mu      sync.Mutex
	asked   map[target.Key][]time.Duration // since start
	start   time.Time
	running map[string]int // by source
	most    map[string]int
}

func newFake(answer func(ctx context.Context, c Check) Class) *fake {
	return &fake{answer: answer, asked: map[target.Key][]time.Duration{}, start: time.Now(), running: map[string]int{}, most: map[string]int{}}
}

func (f *fake) Probe(ctx context.Context, c Check) Result {
	start := time.Now()
	f.enter(c, 1)
	class := f.answer(ctx, c)
	f.enter(c, -1)
	return Result{Key: c.Key, Identity: c.Identity, At: time.Now(), Took: time.Since(start), Class: class}
}

func (f *fake) enter(c Check, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n > 0 {
		f.asked[c.Key] = append(f.asked[c.Key], time.Since(f.start))
	}
	for _, of := range []string{"", c.Spec.Source()} {
		f.running[of] += n
		f.most[of] = max(f.most[of], f.running[of])
	}
}

func (f *fake) times(k target.Key) []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked[k])
}

// within answers after that long.
func within(d time.Duration, class Class) func(context.Context, Check) Class {
	return func(ctx context.Context, _ Check) Class { return wait(ctx, d, class) }
}

// wait makes no timer of 0: under the race detector Go 1.26 may crash where a
// bubble selects one that is due (golang/go#78156).
func wait(ctx context.Context, d time.Duration, class Class) Class {
	if d == 0 {
		return class
	}
	select {
	case <-time.After(d):
		return class
	case <-ctx.Done():
		return ClassCanceled
	}
}

// run is a Sweeper at work in virtual time.
type run struct {
	*Sweeper
	set  chan []Check
	out  chan []Result
	end  func()
	mu   sync.Mutex
	got  []Result
	when []time.Duration // of each result's arrival
	sent int             // batches
}

func sweeping(t *testing.T, f *fake, concurrency int) *run {
	t.Helper()
	return sweepingBy(t, f, f, concurrency)
}

// sweepingBy lets another prober, which has f inside, do the work.
func sweepingBy(t *testing.T, p Prober, f *fake, concurrency int) *run {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &run{
		Sweeper: NewSweeper(p, concurrency, NewMetrics(prometheus.NewRegistry())),
		set:     make(chan []Check), out: make(chan []Result),
	}
	ended := make(chan error)
	go func() { ended <- r.Run(ctx, r.set, r.out) }()
	go func() {
		for {
			select {
			case batch := <-r.out:
				r.take(batch, time.Since(f.start))
			case <-ctx.Done():
				return
			}
		}
	}()
	r.end = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.end)
	return r
}

func (r *run) take(batch []Result, at time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent++
	for _, result := range batch {
		r.got = append(r.got, result)
		r.when = append(r.when, at)
	}
}

// results are those that arrived so far, each with when it did.
func (r *run) results() (got []Result, when []time.Duration, batches int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got), slices.Clone(r.when), r.sent
}

// most is how many ran at once, by source and for all (""); it starts anew.
func (f *fake) mostAtOnce() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.most
	f.most = maps.Clone(f.running)
	return m
}

// until lets virtual time pass.
func (f *fake) until(d time.Duration) {
	<-time.After(d - time.Since(f.start))
	synctest.Wait()
}

func seconds(s ...float64) []time.Duration {
	var d []time.Duration
	for _, x := range s {
		d = append(d, time.Duration(x*float64(time.Second)))
	}
	return d
}

// Steady targets are probed once per interval and never in a burst (contract §5).
func TestSweepIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 3000
		f := newFake(within(5*time.Millisecond, ClassUp))
		r := sweeping(t, f, 256)
		r.set <- checks(n, spec(t, nil), Steady)
		f.until(90 * time.Second)
		r.end()
		perSecond := make([]int, 91)
		for k, times := range f.asked {
			if len(times) != 3 || times[1]-times[0] != 30*time.Second || times[2]-times[1] != 30*time.Second {
				t.Fatalf("%v was probed at %v", k, times)
			}
			for _, at := range times {
				perSecond[int(at/time.Second)]++
			}
		}
		if len(f.asked) != n {
			t.Errorf("%d targets were probed", len(f.asked))
		}
		if most := slices.Max(perSecond); most > n/30*3/2 {
			t.Errorf("%d probes within one second, want about %d", most, n/30)
		}
	})
}

// New targets are retried after 1, 2, 4 s … interval, and are steady as soon
// as they answer (contract §5).
func TestAdmitCadence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := numbered(1)
		f := newFake(func(_ context.Context, c Check) Class {
			if c.Key == good {
				return ClassUp
			}
			return ClassRefused
		})
		r := sweeping(t, f, 256)
		set := checks(2, spec(t, nil), Admit)
		r.set <- set
		f.until(150 * time.Second)
		bad := f.times(numbered(0))
		if !slices.Equal(bad[:6], seconds(0, 1, 3, 7, 15, 31)) {
			t.Errorf("retries at %v", bad)
		}
		for i, at := range bad[7:] {
			if at-bad[6+i] != 30*time.Second {
				t.Errorf("afterwards at %v", bad)
			}
		}
		times := f.times(good)
		if times[0] != 0 || times[1] > 30*time.Second || times[2]-times[1] != 30*time.Second {
			t.Errorf("the good one at %v", times)
		}
		set = slices.Clone(set)
		set[1].Cadence = Steady // published: nothing changes for it
		r.set <- set
		f.until(240 * time.Second)
		for i := 2; i < len(f.times(good)); i++ {
			if at := f.times(good); at[i]-at[i-1] != 30*time.Second {
				t.Errorf("after its admission at %v", at)
			}
		}
	})
}

// A target that is no longer listed is probed at once and then every 5 s
// (contract §5), also while a probe is under way, and is steady again when it
// comes back.
func TestLeaveCadence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(within(2*time.Second, ClassUp))
		r := sweeping(t, f, 256)
		s := spec(t, nil)
		slot := nextSlot(checks(1, s, Steady)[0], f.start).Sub(f.start)
		r.set <- checks(1, s, Steady)
		f.until(slot + time.Second) // a probe is under way
		r.set <- checks(1, s, Leave)
		f.until(slot + 20*time.Second)
		want := []time.Duration{slot, slot + 2*time.Second, slot + 7*time.Second, slot + 12*time.Second, slot + 17*time.Second}
		if got := f.times(numbered(0)); !slices.Equal(got, want) {
			t.Errorf("at %v, want %v", got, want)
		}
		r.set <- checks(1, s, Steady)
		f.until(slot + 65*time.Second)
		want = append(want, slot+30*time.Second, slot+60*time.Second)
		if got := f.times(numbered(0)); !slices.Equal(got, want) {
			t.Errorf("back again at %v, want %v", got, want)
		}
		r.set <- checks(1, s, Leave) // while it waits
		f.until(slot + 66*time.Second)
		if got := f.times(numbered(0)); got[len(got)-1] != slot+65*time.Second {
			t.Errorf("leaving again at %v", got)
		}
	})
}

// Never more than concurrency at once (contract §3), also after it changed,
// and for each source no more than its own.
func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(within(500*time.Millisecond, ClassUp))
		r := sweeping(t, f, 10)
		narrow, err := NewSpec("narrow", func() Options { o := DefaultOptions(); o.Concurrency = 3; return o }(), true, r.metrics)
		if err != nil {
			t.Fatal(err)
		}
		set := append(checks(100, narrow, Admit), checks(200, spec(t, nil), Admit)[100:]...)
		r.set <- set
		f.until(4 * time.Second)
		if most := f.mostAtOnce(); most[""] != 10 || most["narrow"] != 3 || most["racks"] < 7 {
			t.Errorf("at once: %v", most)
		}
		r.SetConcurrency(20)
		f.until(8 * time.Second)
		if most := f.mostAtOnce(); most[""] != 20 || most["narrow"] != 3 {
			t.Errorf("at once: %v", most)
		}
		r.SetConcurrency(2)
		f.until(9 * time.Second)
		f.mostAtOnce()
		f.until(12 * time.Second)
		if most := f.mostAtOnce(); most[""] > 2 {
			t.Errorf("at once: %v", most)
		}
	})
}

// Probes share as many goroutines as there are places, also where they are called
// off, and none is left at the end.
func TestGoroutines(t *testing.T) {
	const places, others = 20, 3 // Run's own, its receiver, and this
	synctest.Test(t, func(t *testing.T) {
		answer, before := hanging(100), 0
		var most atomic.Int64
		f := newFake(func(ctx context.Context, c Check) Class {
			most.Store(max(most.Load(), int64(runtime.NumGoroutine()-before)))
			return answer(ctx, c)
		})
		before = runtime.NumGoroutine() - 1
		r := sweeping(t, f, places)
		r.set <- checks(600, spec(t, nil), Leave)
		f.until(time.Minute)
		if n := most.Load(); n < places || n > places+others {
			t.Errorf("%d goroutines for %d places", n, places)
		}
		r.end()
		synctest.Wait()
		if n := runtime.NumGoroutine() - before; n > others {
			t.Errorf("%d goroutines are left", n)
		}
	})
}

// hanging answers the first n targets after the timeout, the others at once.
func hanging(n int) func(context.Context, Check) Class {
	slow := map[target.Key]bool{}
	for i := range n {
		slow[numbered(i)] = true
	}
	return func(ctx context.Context, c Check) Class {
		if slow[c.Key] {
			return wait(ctx, c.Spec.timeout(), ClassTimeout)
		}
		return wait(ctx, time.Millisecond, ClassUp)
	}
}

// A slow endpoint delays no other's verdict; those that timed out last time
// share at most half of the places (contract §5).
func TestSlowEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow, fast = 500, 100
		f := newFake(hanging(slow))
		r := sweeping(t, f, 20)
		s := spec(t, nil)
		r.set <- checks(slow+fast, s, Steady)
		f.until(30 * time.Minute)
		r.end()
		for i := slow; i < slow+fast; i++ {
			times := f.times(numbered(i))
			slot := nextSlot(Check{Key: numbered(i), Spec: s}, f.start).Sub(f.start)
			for j, at := range times {
				allowed := 10 * time.Millisecond
				if j < 3 {
					allowed = time.Second // while it is found out which are slow
				}
				if late := at - slot - time.Duration(j)*30*time.Second; late > allowed {
					t.Fatalf("fast endpoint %d was late by %s in round %d", i, late, j)
				}
			}
		}
		verdicts := map[target.Key]int{}
		got, _, _ := r.results()
		for _, result := range got {
			verdicts[result.Key]++
		}
		for i := range slow {
			if verdicts[numbered(i)] == 0 {
				t.Fatalf("slow endpoint %d never got a verdict", i)
			}
		}
	})
}

// At most half of the places are for those that timed out last time.
func TestSlowShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(hanging(100))
		r := sweeping(t, f, 20)
		r.set <- checks(100, spec(t, nil), Leave)
		f.until(2 * time.Minute)
		f.mostAtOnce()
		f.until(10 * time.Minute)
		if most := f.mostAtOnce(); most[""] != 10 {
			t.Errorf("%d slow ones at once of 20 places", most[""])
		}
	})
}

// Before anything is known of them, endpoints that hang do not keep the others
// from their first verdict either.
func TestFirstPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow, fast = 500, 500
		f := newFake(hanging(slow))
		r := sweeping(t, f, 20)
		r.set <- checks(slow+fast, spec(t, nil), Admit)
		f.until(30 * time.Second) // with the timeout for each that hangs it would be 250 s
		seen := map[target.Key]bool{}
		got, _, _ := r.results()
		for _, result := range got {
			seen[result.Key] = true
			if result.Class == ClassCanceled {
				t.Fatalf("a result without a verdict: %+v", result)
			}
		}
		for i := slow; i < slow+fast; i++ {
			if !seen[numbered(i)] {
				t.Fatalf("%d of %d have no verdict yet", slow+fast-i, fast)
			}
		}
	})
}

// Results of targets that wait for admission leave at once, others together,
// none is dropped however slow the receiver is.
func TestBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(within(0, ClassUp))
		s := spec(t, every(time.Second))
		r := sweeping(t, f, 256)
		r.set <- checks(1, s, Admit)
		synctest.Wait()
		if got, when, _ := r.results(); len(got) != 1 || when[0] != 0 {
			t.Errorf("%d results, at %v", len(got), when)
		}
		f.until(10 * time.Second)
		before, _, batches := r.results()
		r.set <- checks(1000, s, Steady)
		f.until(20*time.Second + gather)
		got, when, sent := r.results()
		if n := len(got) - len(before); n < 9_900 || n > 10_100 || sent-batches > 120 {
			t.Errorf("%d results in %d batches", n, sent-batches)
		}
		for i := len(before); i < len(got); i++ {
			if waited := when[i] - got[i].At.Sub(f.start); waited > gather {
				t.Fatalf("a result waited %s", waited)
			}
		}
	})
}

// A result leaves in time also where nothing else happens for long.
func TestLoneResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(within(0, ClassUp))
		r := sweeping(t, f, 256)
		r.set <- checks(5, spec(t, nil), Steady)
		f.until(2 * time.Minute)
		got, when, _ := r.results()
		if len(got) != 20 {
			t.Errorf("%d results", len(got))
		}
		for i, result := range got {
			if waited := when[i] - result.At.Sub(f.start); waited > gather {
				t.Errorf("a result waited %s", waited)
			}
		}
	})
}

// A probe that ends just before its next one is due does not wait for the batch
// that it joins.
func TestProbeAfterLongProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const took = 980 * time.Millisecond
		f := newFake(func(ctx context.Context, c Check) Class {
			if c.Key == numbered(0) {
				return wait(ctx, took, ClassUp)
			}
			return ClassUp
		})
		s := spec(t, every(time.Second))
		slot := func(k target.Key) time.Duration { return nextSlot(Check{Key: k, Spec: s}, f.start).Sub(f.start) }
		first, i := slot(numbered(0)), 1
		for ; ; i++ { // one that has the batch begin 20 to 70 ms before
			if before := (first + took - slot(numbered(i)) + time.Second) % time.Second; before > 20*time.Millisecond && before < 70*time.Millisecond {
				break
			}
		}
		r := sweeping(t, f, 256)
		r.set <- []Check{{Key: numbered(0), Spec: s}, {Key: numbered(i), Spec: s}}
		f.until(first + 1500*time.Millisecond)
		if got := f.times(numbered(0)); !slices.Equal(got, []time.Duration{first, first + time.Second}) {
			t.Errorf("probed at %v, want each second from %s", got, first)
		}
	})
}

func TestSlowReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(within(0, ClassUp))
		s := NewSweeper(f, 256, NewMetrics(prometheus.NewRegistry()))
		set, out := make(chan []Check), make(chan []Result)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx, set, out) }()
		set <- checks(5000, spec(t, nil), Admit)
		f.until(20 * time.Second)
		n := len(<-out)
		if n < 5000 {
			t.Errorf("%d results", n)
		}
		cancel()
		<-ended
	})
}

// What is taken out of the set is probed no more, and its last result, still
// under way, tells nobody anything.
func TestTakenOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(within(2*time.Second, ClassUp))
		r := sweeping(t, f, 1)
		set := checks(3, spec(t, nil), Admit)
		r.set <- set // one under way, two in the queue
		f.until(time.Second / 2)
		r.set <- set[2:]
		f.until(time.Minute)
		got, _, _ := r.results()
		for _, result := range got {
			if result.Key != numbered(2) {
				t.Errorf("a result of %v", result.Key)
			}
		}
		if len(f.times(numbered(1))) != 0 || len(got) < 2 {
			t.Errorf("%d results; the second was asked at %v", len(got), f.times(numbered(1)))
		}
		r.SetConcurrency(10) // all three under way
		r.set <- checks(3, spec(t, nil), Leave)
		f.until(time.Minute + time.Second)
		r.set <- nil
		f.until(2 * time.Minute)
		if after, _, _ := r.results(); len(after) != len(got) {
			t.Errorf("results of nothing: %v", after[len(got):])
		}
	})
}

// When its context ends, Run waits for its probes and ends in time for SIGTERM.
func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(hanging(100))
		r := sweeping(t, f, 10)
		r.set <- checks(100, spec(t, nil), Admit)
		f.until(2 * time.Second)
		start := time.Now()
		r.end()
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %s", took)
		}
		if most := f.mostAtOnce(); most[""] != 10 || f.mostAtOnce()[""] != 0 {
			t.Errorf("%d probes at once, and some are left", most[""])
		}
	})
}

// A closed set channel means that no further sets come.
func TestSetClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(within(0, ClassUp))
		r := sweeping(t, f, 10)
		r.set <- checks(1, spec(t, nil), Leave)
		close(r.set)
		f.until(11 * time.Second)
		if got := f.times(numbered(0)); !slices.Equal(got, seconds(0, 5, 10)) {
			t.Errorf("at %v", got)
		}
	})
}

// Once probes each check once, whatever its cadence, and keeps their order.
func TestOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(hanging(50))
		s := NewSweeper(f, 20, NewMetrics(prometheus.NewRegistry()))
		set := checks(200, spec(t, nil), Steady)
		set[7] = set[8] // even the same twice
		got := s.Once(t.Context(), set)
		if most := f.mostAtOnce(); len(got) != 200 || most[""] > 20 {
			t.Fatalf("%d results, %d at once", len(got), most[""])
		}
		for i, r := range got {
			want := ClassUp
			if i < 50 {
				want = ClassTimeout
			}
			if r.Key != set[i].Key || r.Class != want {
				t.Errorf("%d: %v %s", i, r.Key, r.Class)
			}
		}
		if got := s.Once(t.Context(), nil); len(got) != 0 {
			t.Errorf("%v of nothing", got)
		}
		start := time.Now()
		if s.Once(t.Context(), set[100:120]); time.Since(start) != time.Millisecond {
			t.Errorf("took %s, where the slowest probe takes 1 ms", time.Since(start))
		}
	})
}

// Once ends with its context, without the unfinished ones (contract §2,
// --once.timeout).
func TestOnceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(hanging(100))
		s := NewSweeper(f, 20, NewMetrics(prometheus.NewRegistry()))
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		got := s.Once(ctx, checks(150, spec(t, nil), Steady))
		if time.Since(f.start) != 12*time.Second {
			t.Errorf("took %s", time.Since(f.start))
		}
		up := 0
		for _, r := range got {
			switch r.Class {
			case ClassUp:
				up++
			case ClassTimeout:
			default:
				t.Errorf("%v is %s", r.Key, r.Class)
			}
		}
		if up != 50 {
			t.Errorf("%d of 50 that answer have a verdict", up)
		}
	})
}

func ExampleClass() {
	fmt.Println(ClassUp, ClassNotMetrics)
	// Output: up not_metrics
}
