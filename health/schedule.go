package health

import (
	"container/heap"
	"slices"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

const (
	leaveEvery = 5 * time.Second // between probes of a target that is about to leave
	firstRetry = time.Second     // of a target that is to be admitted
)

// item is one target in the sweep.
type item struct {
	check   *Check        // of the set, which is never written to
	pos     int           // in the last set, or among the checks of Once
	due     time.Time     // when the next probe is, or was, to begin
	index   int           // in the heap; -1 while it is queued or being probed
	retry   time.Duration // of Admit: what the next failure waits
	settled bool          // of Admit: it succeeded, or the retries grew to the interval
	again   bool          // probe once more as soon as the present one ends
	gone    bool          // no longer in the set
	slow    bool          // timed out last time, or nearly
	mark    uint64        // of the set that it was last in
	ask     *asking       // nil: it was not asked yet, or is not to be
}

// schedule knows when which target is to be probed. It starts nothing and
// reads no clock.
type schedule struct {
	items map[target.Key]*item
	order []*item // in the order of the last set
	spare []*item
	heap  dueHeap
	mark  uint64
}

func newSchedule() *schedule {
	return &schedule{items: map[target.Key]*item{}}
}

// replace makes set the targets to probe; it reports whether anything changed.
// What stays keeps its place in time.
func (s *schedule) replace(set []Check, now time.Time) (changed bool) {
	if s.same(set) {
		return false
	}
	s.mark++
	next := slices.Grow(s.spare[:0], len(set))
	if len(s.items) == 0 {
		s.items = make(map[target.Key]*item, len(set))
	}
	at := 0 // where in the old order the set goes on: most of it is the same
	for i := range set {
		c := &set[i]
		var it *item
		if it, at = s.find(c.Key, at); it == nil {
			it = s.add(c, now)
		} else {
			s.update(it, c, now)
		}
		if it.mark != s.mark { // a key that is there twice counts once
			it.mark, it.pos = s.mark, len(next)
			next = append(next, it)
		}
	}
	s.drop()
	clear(s.order)
	s.order, s.spare = next, s.order
	return true
}

func (s *schedule) same(set []Check) bool {
	if len(set) != len(s.order) {
		return false
	}
	for i, it := range s.order {
		if c := &set[i]; it.check != c && *it.check != *c {
			return false
		}
	}
	return true
}

// find looks next to the last hit before it asks the map.
func (s *schedule) find(k target.Key, at int) (*item, int) {
	for i := at; i < min(at+2, len(s.order)); i++ {
		if s.order[i].check.Key == k {
			return s.order[i], i + 1
		}
	}
	it := s.items[k]
	if it == nil {
		return nil, at
	}
	return it, it.pos + 1
}

func (s *schedule) add(c *Check, now time.Time) *item {
	it := &item{check: c, index: -1, retry: firstRetry}
	it.due = now
	if c.Cadence == Steady {
		it.due = nextSlot(*c, now)
	}
	s.items[c.Key] = it
	heap.Push(&s.heap, it)
	return it
}

func (s *schedule) update(it *item, c *Check, now time.Time) {
	old := it.check
	it.check = c
	it.ask = it.ask.renewed(old, c, now)
	switch {
	case c.Cadence != old.Cadence && c.Cadence == Steady:
		if old.Cadence == Leave || !it.settled {
			s.move(it, nextSlot(*c, now))
		}
	case c.Cadence != old.Cadence, c.Cadence == Admit && c.Identity != old.Identity:
		it.retry, it.settled = firstRetry, false
		it.again = it.index < 0
		s.move(it, now)
	case c.Spec.interval() != old.Spec.interval():
		if c.Cadence == Steady || c.Cadence == Admit && it.settled {
			s.move(it, nextSlot(*c, now))
		}
	}
}

// move gives an item another time; one that is being probed gets its own when
// that ends.
func (s *schedule) move(it *item, due time.Time) {
	if it.index >= 0 {
		it.due = due
		heap.Fix(&s.heap, it.index)
	}
}

// drop lets go of what the last set no longer had.
func (s *schedule) drop() {
	for _, it := range s.order {
		if it.mark == s.mark {
			continue
		}
		it.gone = true
		delete(s.items, it.check.Key)
		if it.index >= 0 {
			heap.Remove(&s.heap, it.index)
		}
	}
}

// next is when the next item is due; ok is false where there is none.
func (s *schedule) next() (due time.Time, ok bool) {
	if len(s.heap) == 0 {
		return time.Time{}, false
	}
	return s.heap[0].due, true
}

// pop takes an item that is due, or returns nil.
func (s *schedule) pop(now time.Time) *item {
	if len(s.heap) == 0 || s.heap[0].due.After(now) {
		return nil
	}
	return heap.Pop(&s.heap).(*item)
}

// probed puts an item back after a probe with that outcome.
func (s *schedule) probed(it *item, class Class, now time.Time) {
	if it.gone {
		return
	}
	switch {
	case it.again:
		it.again = false
		it.due = now
	case it.check.Cadence == Leave:
		it.due = later(it.due.Add(leaveEvery), now)
	case it.check.Cadence == Admit && !it.settled:
		it.due = s.afterAdmit(it, class, now)
	default:
		it.due = afterSlot(*it.check, it.due, now)
	}
	heap.Push(&s.heap, it)
}

func (s *schedule) afterAdmit(it *item, class Class, now time.Time) time.Time {
	wait, interval := it.retry, it.check.Spec.interval()
	it.retry *= 2
	if class.Up() || wait >= interval {
		it.settled = true
		return nextSlot(*it.check, now)
	}
	return now.Add(wait)
}

// afterSlot is the next slot that is not the present one, or nearly: a clock
// that is set back a little must not make it come twice.
func afterSlot(c Check, due, now time.Time) time.Time {
	next, interval := nextSlot(c, now), c.Spec.interval()
	if next.Sub(due) < interval/2 {
		return next.Add(interval)
	}
	return next
}

// nextSlot is the first moment after now that belongs to the key: its hash
// within the interval, counted from the epoch, so that a restart keeps it.
func nextSlot(c Check, now time.Time) time.Time {
	interval := c.Spec.interval()
	offset := time.Duration(hashKey(c.Key) % uint64(interval))
	past := time.Duration(uint64(now.UnixNano()) % uint64(interval))
	wait := offset - past
	if wait <= 0 {
		wait += interval
	}
	return now.Add(wait)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func sooner(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// hashKey is the same in every process: FNV-1a, with its bits stirred so that
// addresses that differ in one digit lie far apart.
func hashKey(k target.Key) uint64 {
	h := uint64(14695981039346656037)
	for _, s := range [...]string{k.Scheme, k.Address, k.Path, k.Params} {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
		h *= 1099511628211 // as if by a zero byte between
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// dueHeap has the item that is due first on top.
type dueHeap []*item

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is for container/heap alone.
func (h *dueHeap) Push(x any) {
	it := x.(*item)
	it.index = len(*h)
	*h = append(*h, it)
}

// Pop is for container/heap alone.
func (h *dueHeap) Pop() any {
	old := *h
	it := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	it.index = -1
	return it
}
