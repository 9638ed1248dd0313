package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// memory is a backend without a network: parts with addresses, which can fail
// and hang. Its defects are those that the suite is there to find.
type memory struct {
	mu      sync.Mutex
	parts   map[string][]string
	broken  bool
	hanging bool
	changed chan struct{} // closed and replaced with every change
	defect  string
}

func newMemory(defect string) *memory {
	return &memory{
		parts:   map[string][]string{"a": {"10.0.0.1:80", "10.0.0.2:80"}, "b": {"10.0.1.1:80"}},
		changed: make(chan struct{}),
		defect:  defect,
	}
}

func (m *memory) backend(testing.TB) Backend {
	return Backend{
		New:      func() target.Source { return &memorySource{m: m} },
		Interval: 20 * time.Millisecond,
		Change:   func() { m.set(func() { m.parts["a"] = []string{"10.0.0.3:80"} }) },
		Empty:    func() { m.set(func() { m.parts = map[string][]string{"a": nil, "b": nil} }) },
		Hang:     func() { m.set(func() { m.hanging = true }) },
		Faults: []Fault{{
			Name:  "part b",
			Break: func() { m.set(func() { m.broken = true }) },
			Mend:  func() { m.set(func() { m.broken = false }) },
		}},
	}
}

func (m *memory) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
	close(m.changed)
	m.changed = make(chan struct{})
}

type memorySource struct {
	m     *memory
	calls int
}

func (s *memorySource) Discover(ctx context.Context) target.Listing {
	if s.m.defect == "leak" {
		go func() { <-make(chan int) }()
	}
	s.calls++
	l := target.Listing{Source: SourceName, At: time.Now()}
	for _, name := range []string{"a", "b"} {
		l.Parts = append(l.Parts, s.part(ctx, name))
	}
	if s.m.defect == "swaps parts" && s.calls%2 == 0 {
		l.Parts[0], l.Parts[1] = l.Parts[1], l.Parts[0]
	}
	return l
}

func (s *memorySource) part(ctx context.Context, name string) target.Part {
	s.m.mu.Lock()
	hanging, broken, addrs := s.m.hanging, s.m.broken && name == "b", s.m.parts[name]
	s.m.mu.Unlock()
	if hanging {
		if s.m.defect == "ignores cancellation" {
			<-time.After(2 * promptly)
		}
		<-ctx.Done()
	}
	p := target.Part{Name: name}
	for _, a := range addrs {
		p.Raw = append(p.Raw, target.Raw{Labels: s.labels(a)})
	}
	switch {
	case ctx.Err() != nil && s.m.defect == "short when canceled":
		p.Raw = nil
	case ctx.Err() != nil:
		p.Raw, p.Err = nil, fmt.Errorf("listing %s: %w", name, ctx.Err())
	case broken:
		p = s.failed(p)
	}
	if s.m.defect == "names" {
		p.Name = "same"
	}
	return p
}

func (s *memorySource) labels(addr string) target.Labels {
	switch s.m.defect {
	case "sets job":
		return labels.FromStrings(target.AddressLabel, addr, "job", "x")
	case "own meta":
		return labels.FromStrings(target.AddressLabel, addr, target.HealthLabel, "up")
	case "label name":
		return labels.FromStrings(target.AddressLabel, addr, "__meta_a.b", "x")
	case "no address":
		return labels.FromStrings("__meta_x", "y")
	case "unstable":
		return labels.FromStrings(target.AddressLabel, addr, "__meta_call", fmt.Sprint(time.Now().UnixNano()))
	}
	return labels.FromStrings(target.AddressLabel, addr, "__meta_x", "y")
}

func (s *memorySource) failed(p target.Part) target.Part {
	switch s.m.defect {
	case "short list":
		p.Raw = p.Raw[:0]
		return p
	case "error with targets":
		p.Err = errors.New("half an answer")
		return p
	}
	return target.Part{Name: p.Name, Err: errors.New("broken")}
}

type memoryWatcher struct{ memorySource }

func (s *memoryWatcher) Watch(ctx context.Context, emit func(target.Listing)) error {
	prev := newView()
	for {
		s.m.mu.Lock()
		changed := s.m.changed
		s.m.mu.Unlock()
		l := s.Discover(ctx)
		if ctx.Err() != nil {
			if s.m.defect == "returns the context's error" {
				return ctx.Err()
			}
			return nil
		}
		s.mark(&l, &prev)
		emit(l)
		beat := 10 * time.Millisecond
		if s.m.defect == "no heartbeat" {
			beat = time.Hour
		}
		select {
		case <-ctx.Done():
			if s.m.defect == "hangs at the end" {
				<-time.After(2 * promptly)
			}
		case <-changed:
		case <-time.After(beat):
		}
	}
}

// mark sets Unchanged, and takes in what the listing says.
func (s *memoryWatcher) mark(l *target.Listing, prev *view) {
	first := len(prev.good) == 0
	for i, p := range l.Parts {
		old, known := prev.good[p.Name]
		switch {
		case p.Err != nil:
		case first && s.m.defect == "first is unchanged", known && sameRaws(old, p.Raw):
			l.Parts[i] = target.Part{Name: p.Name, Unchanged: true}
		default:
			prev.good[p.Name] = p.Raw
		}
	}
	switch {
	case first && s.m.defect == "first is partial":
		l.Parts = l.Parts[:1]
	case s.m.defect == "never unchanged":
		for i, p := range l.Parts {
			if p.Unchanged {
				l.Parts[i] = target.Part{Name: p.Name, Raw: prev.good[p.Name]}
			}
		}
	}
}
