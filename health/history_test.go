package health

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A history is the end of the list of all probes, word for word; who copied it
// before keeps what it was.
func TestHistoryIsTheEndOfAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h history
		var all []Probe
		for range rapid.IntRange(0, 12).Draw(t, "probes") {
			before, were := h, h.probes()
			p := Probe{
				At:     epoch.Add(time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "at"))).Local(),
				Took:   time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "took")),
				Class:  rapid.SampledFrom([]Class{ClassUp, ClassUp, ClassRefused, ClassTimeout}).Draw(t, "class"),
				Detail: rapid.SampledFrom([]string{"", "", "a", "b"}).Draw(t, "detail"),
			}
			all = append(all, p)
			h.remember(p)
			if !slices.Equal(before.probes(), were) {
				t.Fatalf("a copy became %v, and was %v", before.probes(), were)
			}
			last := all[max(len(all)-remembered, 0):]
			if got := h.probes(); !slices.Equal(got, last) || h.newest() != p {
				t.Fatalf("%v, want %v; the newest is %v", got, last, h.newest())
			}
			plain := func(p Probe) bool { return p.Class.Up() && p.Detail == "" }
			if h.good() == slices.ContainsFunc(last, func(p Probe) bool { return !plain(p) }) {
				t.Fatalf("good is %t of %v", h.good(), last)
			}
		}
	})
}

// Another probe of a target that is known takes no memory, and one that fails
// again as before none either.
func TestFoldAllocatesNothing(t *testing.T) {
	for name, r := range map[string]Result{
		"up":   {Key: one, Version: "1"},
		"down": {Key: one, Class: ClassRefused, Detail: "connection refused"},
	} {
		l := &Ledger{}
		l.Fold(r, 2, 3, epoch)
		if n := testing.AllocsPerRun(100, func() { l.Fold(r, 2, 3, epoch) }); n != 0 {
			t.Errorf("%s: %g allocations", name, n)
		}
	}
}
