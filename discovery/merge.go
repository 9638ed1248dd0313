package discovery

import (
	"container/heap"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// Merged is one target and the parts that list it.
type Merged struct {
	Target *target.Target
	By     []*Part
}

// Merge joins the last good listings of all parts into one set, by Key.
//
// The same key from several parts is one target. Between sources the order of
// the configuration decides, never the order of arrival: the earlier one's
// labels win and the later one's fill gaps. Within one source the lowest
// identity wins (contract §4).
//
// Each part's targets must be sorted by Key, as relabelling leaves them; that
// makes the cost linear in the number of targets.
func Merge(sources []*Source) []Merged {
	total := 0
	var h cursors
	for i, src := range sources {
		for _, p := range src.Parts {
			if len(p.Targets) == 0 {
				continue
			}
			total += len(p.Targets)
			h = append(h, cursor{rank: i, part: p})
		}
	}
	if len(h) == 1 {
		return mergePart(h[0].part)
	}
	heap.Init(&h)
	out := make([]Merged, 0, total)
	var same []cursor
	for len(h) > 0 {
		same = append(same[:0], h.next())
		for len(h) > 0 && h[0].target().Key == same[0].target().Key {
			same = append(same, h.next())
		}
		out = append(out, join(same))
	}
	return out
}

func mergePart(p *Part) []Merged {
	out := make([]Merged, 0, len(p.Targets))
	for i, t := range p.Targets {
		if i > 0 && t.Key == p.Targets[i-1].Key {
			continue // same part, higher identity
		}
		out = append(out, Merged{Target: t, By: p.alone()})
	}
	return out
}

// mergeOne is Merge for a single key; ok is false where no part lists it.
func mergeOne(sources []*Source, k target.Key) (m Merged, ok bool) {
	var same []cursor
	for rank, src := range sources {
		for _, p := range src.Parts {
			at, found := slices.BinarySearchFunc(p.Targets, k, func(t *target.Target, k target.Key) int { return t.Key.Compare(k) })
			for ; found && at < len(p.Targets) && p.Targets[at].Key == k; at++ {
				same = append(same, cursor{rank: rank, part: p, at: at})
			}
		}
	}
	if len(same) == 0 {
		return Merged{}, false
	}
	slices.SortStableFunc(same, func(a, b cursor) int {
		switch {
		case a.before(b):
			return -1
		case b.before(a):
			return 1
		}
		return 0
	})
	return join(same), true
}

// cursor is a position in one part's targets.
type cursor struct {
	rank int // of the source
	part *Part
	at   int
}

func (c cursor) target() *target.Target { return c.part.Targets[c.at] }

// before orders by key, then by who wins.
func (c cursor) before(o cursor) bool {
	a, b := c.target(), o.target()
	if n := a.Key.Compare(b.Key); n != 0 {
		return n < 0
	}
	if c.rank != o.rank {
		return c.rank < o.rank
	}
	if n := strings.Compare(a.Identity, b.Identity); n != 0 {
		return n < 0
	}
	return c.part.Name < o.part.Name
}

type cursors []cursor

func (h cursors) Len() int           { return len(h) }
func (h cursors) Less(i, j int) bool { return h[i].before(h[j]) }
func (h cursors) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *cursors) Push(x any)        { *h = append(*h, x.(cursor)) }
func (h *cursors) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// next takes the first target off the heap.
func (h *cursors) next() cursor {
	c := (*h)[0]
	if c.at+1 < len(c.part.Targets) {
		(*h)[0].at++
		heap.Fix(h, 0)
	} else {
		heap.Pop(h)
	}
	return c
}

// join makes one target of those with the same key; the first one wins.
func join(same []cursor) Merged {
	first := same[0]
	if len(same) == 1 {
		return Merged{Target: first.target(), By: first.part.alone()}
	}
	t := *first.target()
	by := []*Part{first.part}
	rank := first.rank
	for _, c := range same[1:] {
		if !slices.Contains(by, c.part) {
			by = append(by, c.part)
		}
		if c.rank != rank { // within one source nothing is mixed: one instance has one set of labels
			rank = c.rank
			t.Labels = fill(t.Labels, c.target().Labels)
			t.Meta = fill(t.Meta, c.target().Meta)
		}
	}
	return Merged{Target: &t, By: by}
}

// fill adds to l the labels of more that l lacks.
func fill(l, more target.Labels) target.Labels {
	b := labels.NewBuilder(l)
	more.Range(func(m labels.Label) {
		if !l.Has(m.Name) {
			b.Set(m.Name, m.Value)
		}
	})
	return b.Labels()
}

// alone is the value of By for a target that only this part lists: one slice
// shared by all of them.
func (p *Part) alone() []*Part {
	if p.self == nil {
		p.self = []*Part{p}
	}
	return p.self
}
