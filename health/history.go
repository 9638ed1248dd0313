package health

import "time"

// Probe is one remembered result.
type Probe struct {
	At     time.Time
	Took   time.Duration
	Class  Class
	Detail string
}

// remembered is how many probes a history holds at most.
const remembered = 5

// history is the last few probes of one target, the oldest first. There may be
// 100,000 of them, nearly all of successes: so it lies within its Entry, and
// what is to be said of a failure lies elsewhere.
type history struct {
	n    int
	last [remembered]past
}

// past is a Probe as a history holds it.
type past struct {
	at   int64 // in nanoseconds since 1970; 0: not known. It is for people: nothing is measured by it.
	took time.Duration
	fail *fail // nil after a success without a word
}

// fail is never written again: probes that failed alike share one.
type fail struct {
	class  Class
	detail string
}

// remember adds a probe, and lets go of the oldest where there is no room.
func (h *history) remember(p Probe) {
	next := past{at: toNanos(p.At), took: p.Took}
	if !p.Class.Up() || p.Detail != "" {
		next.fail = h.failed(p)
	}
	if h.n == remembered {
		copy(h.last[:], h.last[1:])
		h.n--
	}
	h.last[h.n] = next
	h.n++
}

// failed is how p failed; that of the newest probe, if that failed alike.
func (h *history) failed(p Probe) *fail {
	if h.n > 0 {
		if old := h.last[h.n-1].fail; old != nil && old.class == p.Class && old.detail == p.Detail {
			return old
		}
	}
	return &fail{p.Class, p.Detail}
}

// newest is the zero value where there is none.
func (h *history) newest() Probe {
	if h.n == 0 {
		return Probe{}
	}
	return h.last[h.n-1].probe()
}

func (h *history) probes() []Probe {
	if h.n == 0 {
		return nil
	}
	ps := make([]Probe, h.n)
	for i := range ps {
		ps[i] = h.last[i].probe()
	}
	return ps
}

// good reports whether there are probes, and all were successes without a word.
func (h *history) good() bool {
	for _, p := range h.last[:h.n] {
		if p.fail != nil {
			return false
		}
	}
	return h.n > 0
}

func (h *history) age(move func(...*time.Time)) {
	for i := range h.last[:h.n] {
		at := fromNanos(h.last[i].at)
		move(&at)
		h.last[i].at = toNanos(at)
	}
}

func (p past) probe() Probe {
	out := Probe{At: fromNanos(p.at), Took: p.took}
	if p.fail != nil {
		out.Class, out.Detail = p.fail.class, p.fail.detail
	}
	return out
}

func toNanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNanos(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}
