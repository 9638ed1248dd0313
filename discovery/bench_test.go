package discovery

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// fleetOf is n targets of one source in so many label sets, published and up,
// and the latest listing of it.
func fleetOf(t testing.TB, n, sets int) (*world, []*target.Target) {
	listed := make([]*target.Target, n)
	for i := range listed {
		in := tgt("a", fmt.Sprintf("10.%03d.%03d.%03d:3000", i>>16, i>>8&255, i&255),
			"environment", "production", "region", fmt.Sprintf("region-%d", i%10), "version", fmt.Sprintf("v1.%d", i%sets/10), "team", "mcp")
		listed[i] = &in
	}
	w := newWorld(t, "a")
	w.relist(listed)
	for _, r := range w.state.Records() {
		w.state.Fold(r, health.Result{Key: r.Key, At: w.now}, health.DefaultOptions(), w.now)
	}
	w.redecide(t)
	return w, listed
}

// relist is a listing of what a relabeler made, as the engine takes it over.
func (w *world) relist(listed []*target.Target) {
	a := Arrival{
		Listing: target.Listing{Source: "a", Parts: []target.Part{{Name: "p", Raw: []target.Raw{}}}},
		Targets: [][]*target.Target{listed}, Rejected: [][]target.Rejection{nil},
	}
	if w.state.List(a, w.now) {
		w.state.Merge(w.now)
	}
}

// redecide is what a step of the engine is, without the writing.
func (w *world) redecide(t testing.TB) *Plan {
	p := Redecide(w.state, w.policy, w.now)
	if gone := w.state.Wrote(p, w.policy, nil, w.now); len(gone) > 0 {
		t.Fatalf("%v left", gone)
	}
	w.now = w.now.Add(time.Second)
	return p
}

func benchmarkFleet(b *testing.B, do func(b *testing.B, w *world, listed []*target.Target)) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		for _, sets := range []int{100, n} {
			b.Run(fmt.Sprintf("targets=%d/sets=%d", n, sets), func(b *testing.B) {
				w, listed := fleetOf(b, n, sets)
				b.ReportAllocs()
				b.ResetTimer()
				do(b, w, listed)
			})
		}
	}
}

// BenchmarkDecide is a decision about everything, as it defines what the others
// may be.
func BenchmarkDecide(b *testing.B) {
	benchmarkFleet(b, func(b *testing.B, w *world, _ []*target.Target) {
		for b.Loop() {
			Decide(w.state, w.policy, w.now)
		}
	})
}

// BenchmarkPassUnchanged is a whole pass in which nothing changed: the same is
// listed again, it is decided, and remembered.
func BenchmarkPassUnchanged(b *testing.B) {
	benchmarkFleet(b, func(b *testing.B, w *world, listed []*target.Target) {
		for b.Loop() {
			w.relist(listed)
			w.redecide(b)
		}
	})
}

// BenchmarkPassOneChanged is what one target's new labels cost: list, merge,
// decide and remember, without relabelling and writing.
func BenchmarkPassOneChanged(b *testing.B) {
	benchmarkFleet(b, func(b *testing.B, w *world, listed []*target.Target) {
		for i := 0; b.Loop(); i++ {
			w.change(listed, i)
			w.redecide(b)
		}
	})
}

// change lists all targets anew, one of them with another label.
func (w *world) change(listed []*target.Target, i int) {
	listed = slices.Clone(listed)
	changed := *listed[len(listed)/2]
	changed.Labels = labels.FromStrings("environment", fmt.Sprint(i))
	listed[len(listed)/2] = &changed
	w.relist(listed)
}

// BenchmarkPassOneCame is a target that comes, and leaves the list again.
func BenchmarkPassOneCame(b *testing.B) {
	benchmarkFleet(b, func(b *testing.B, w *world, listed []*target.Target) {
		came := tgt("a", "10.000.000.000:80", "environment", "production")
		with := append([]*target.Target{&came}, listed...)
		for b.Loop() {
			w.relist(with)
			w.redecide(b)
			w.relist(listed)
			w.redecide(b)
		}
	})
}

// Cost follows change, not size: a pass in which nothing changed allocates as
// much for 10,000 targets as for ten, and hardly anything.
func TestUnchangedPassAllocates(t *testing.T) {
	allocs := func(n int) (float64, int64) {
		w, listed := fleetOf(t, n, 10)
		w.redecide(t)
		pass := func() { w.relist(listed); w.redecide(t) }
		r := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				pass()
			}
		})
		return testing.AllocsPerRun(10, pass), r.AllocedBytesPerOp()
	}
	few, _ := allocs(10)
	many, bytes := allocs(10_000)
	if few != many || many > 20 || bytes > 4<<10 {
		t.Errorf("a pass without a change allocates %g times (%d bytes) for 10,000 targets, and %g times for ten", many, bytes, few)
	}
}
