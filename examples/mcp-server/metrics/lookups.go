package metrics

import "sync"

const lookupWindow = 1000

// lookups keeps the outcome of the last 1,000 lookups of each cache. A ratio
// since the start would hardly move when a cache stops to work.
type lookups struct {
	ratio gauge

	mu    sync.Mutex
	rings map[string]*ring
}

type ring struct {
	hits    [lookupWindow]bool
	next, n int
	count   int // of hits
}

func newLookups(ratio gauge) *lookups {
	return &lookups{ratio: ratio, rings: map[string]*ring{}}
}

func (l *lookups) add(cache string, hit bool) {
	cache = l.ratio.labels[0].words.bounded(cache)
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rings[cache]
	if r == nil {
		r = &ring{}
		l.rings[cache] = r
	}
	r.add(hit)
	l.ratio.with(cache).Set(float64(r.count) / float64(r.n))
}

func (r *ring) add(hit bool) {
	if r.n == lookupWindow && r.hits[r.next] {
		r.count--
	}
	if hit {
		r.count++
	}
	r.n = min(r.n+1, lookupWindow)
	r.hits[r.next] = hit
	r.next = (r.next + 1) % lookupWindow
}
