package health

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"pgregory.net/rapid"

	"github.com/mcp-sd/mcp-sd/target"
)

func every(d time.Duration) func(*Options) {
	return func(o *Options) {
		o.Interval = model.Duration(d)
		o.Timeout = min(o.Timeout, o.Interval)
	}
}

func numbered(i int) target.Key {
	return target.Key{Scheme: "http", Address: fmt.Sprintf("10.%d.%d.%d:3000", i>>16, i>>8&255, i&255), Path: "/metrics"}
}

func checks(n int, s *Spec, c Cadence) []Check {
	set := make([]Check, n)
	for i := range set {
		set[i] = Check{Key: numbered(i), Spec: s, Cadence: c}
	}
	return set
}

// Probes are spread over the interval (contract §5), at moments that a restart
// does not change.
func TestSlots(t *testing.T) {
	s := spec(t, nil)
	const n, buckets = 30_000, 30
	var count [buckets]int
	for i := range n {
		c := Check{Key: numbered(i), Spec: s}
		slot := nextSlot(c, epoch)
		if slot.Sub(epoch) <= 0 || slot.Sub(epoch) > s.interval() {
			t.Fatalf("%v after %v", slot, epoch)
		}
		later := epoch.Add(s.interval() * 1000).Add(slot.Sub(epoch) / 2) // another process, another day
		if got := nextSlot(c, later).Sub(slot) % s.interval(); got != 0 {
			t.Fatalf("%s off its slot", got)
		}
		count[int(slot.Sub(epoch))*buckets/int(s.interval()+1)]++
	}
	for i, c := range count {
		if c < n/buckets*8/10 || c > n/buckets*12/10 {
			t.Errorf("%d probes in bucket %d of %d, want about %d", c, i, buckets, n/buckets)
		}
	}
}

// What a change of the set does to a target that is waiting for its slot.
func TestReplace(t *testing.T) {
	s, reloaded, faster := spec(t, nil), spec(t, func(o *Options) { o.Rise = 5 }), spec(t, every(5*time.Second))
	at := func(d time.Duration) time.Time { return epoch.Add(d) }
	now := at(time.Second)
	c := Check{Key: one, Spec: s}
	slot := nextSlot(c, epoch)
	for _, tc := range []struct {
		name     string
		from, to Check
		settled  bool
		want     time.Time
	}{
		{"nothing", c, c, false, slot},
		{"a reload", c, Check{Key: one, Spec: reloaded}, false, slot},
		{"another identity", c, Check{Key: one, Spec: s, Identity: "i-2"}, false, slot},
		{"another interval", c, Check{Key: one, Spec: faster}, false, nextSlot(Check{Key: one, Spec: faster}, now)},
		{"it leaves", c, Check{Key: one, Spec: s, Cadence: Leave}, false, now},
		{"it is to be admitted", c, Check{Key: one, Spec: s, Cadence: Admit}, false, now},
		{"it comes back", Check{Key: one, Spec: s, Cadence: Leave}, c, false, nextSlot(c, now)},
		{"it was admitted", Check{Key: one, Spec: s, Cadence: Admit}, c, true, at(0)},
		{"it was admitted without a success", Check{Key: one, Spec: s, Cadence: Admit}, c, false, nextSlot(c, now)},
		{"another one to be admitted", Check{Key: one, Spec: s, Cadence: Admit}, Check{Key: one, Spec: s, Cadence: Admit, Identity: "i-2"}, true, now},
	} {
		q := newSchedule()
		q.replace([]Check{tc.from}, epoch)
		q.items[one].settled = tc.settled
		changed := q.replace([]Check{tc.to}, now)
		if got := q.items[one].due; !got.Equal(tc.want) || changed != (tc.from != tc.to) {
			t.Errorf("%s: due after %s, want %s; changed %t", tc.name, got.Sub(epoch), tc.want.Sub(epoch), changed)
		}
	}
}

// The clock may be set back, and the sweep may fall behind: a slot is neither
// probed twice nor made up for.
func TestAfterSlot(t *testing.T) {
	c := Check{Key: one, Spec: spec(t, nil)}
	slot := nextSlot(c, epoch)
	for name, tc := range map[string]struct{ due, now, want time.Time }{
		"in time":        {slot, slot.Add(time.Second), slot.Add(30 * time.Second)},
		"set back a bit": {slot, slot.Add(-time.Millisecond), slot.Add(30 * time.Second)},
		"far behind":     {slot, slot.Add(95 * time.Second), slot.Add(120 * time.Second)},
		"off its slot":   {slot.Add(-10 * time.Second), slot.Add(-9 * time.Second), slot.Add(30 * time.Second)},
		"far off":        {slot.Add(-20 * time.Second), slot.Add(-19 * time.Second), slot},
	} {
		if got := afterSlot(c, tc.due, tc.now); !got.Equal(tc.want) {
			t.Errorf("%s: %s after the slot, want %s", name, got.Sub(slot), tc.want.Sub(slot))
		}
	}
}

// Whatever sets arrive, exactly the last one is scheduled, each key once.
func TestScheduleIsTheSet(t *testing.T) {
	s := spec(t, nil)
	rapid.Check(t, func(t *rapid.T) {
		q := newSchedule()
		now := epoch
		var out []*item // being probed
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				picked := rapid.SliceOfN(rapid.IntRange(0, 20), 0, 30).Draw(t, "set")
				var set []Check
				want := map[target.Key]bool{}
				for _, i := range picked {
					set = append(set, Check{Key: numbered(i), Spec: s, Cadence: Cadence(rapid.IntRange(0, 2).Draw(t, "cadence"))})
					want[numbered(i)] = true
				}
				q.replace(set, now)
				if len(q.items) != len(want) || len(q.order) != len(want) {
					t.Fatalf("%d items, %d in order, want %d", len(q.items), len(q.order), len(want))
				}
				for k := range want {
					if it := q.items[k]; it == nil || it.gone {
						t.Fatalf("%v is missing", k)
					}
				}
			},
			"probe": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "s")) * time.Second)
				for it := q.pop(now); it != nil; it = q.pop(now) {
					out = append(out, it)
				}
			},
			"result": func(t *rapid.T) {
				if len(out) == 0 {
					return
				}
				i := rapid.IntRange(0, len(out)-1).Draw(t, "i")
				q.probed(out[i], rapid.SampledFrom([]Class{ClassUp, ClassTimeout}).Draw(t, "class"), now)
				out = append(out[:i], out[i+1:]...)
			},
			"": func(t *rapid.T) {
				waiting := len(q.heap)
				for _, it := range out {
					if !it.gone {
						waiting++
					}
				}
				if waiting != len(q.items) {
					t.Fatalf("%d waiting or probed, of %d", waiting, len(q.items))
				}
				for i, it := range q.heap {
					if it.index != i || it.gone {
						t.Fatalf("the heap is out of order at %d: %+v", i, it)
					}
				}
			},
		})
	})
}

// An unchanged set costs a comparison and no memory.
func TestUnchangedSetAllocatesNothing(t *testing.T) {
	q, set := newSchedule(), checks(1000, spec(t, nil), Steady)
	q.replace(set, epoch)
	if n := testing.AllocsPerRun(10, func() { q.replace(set, epoch) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
