package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

func lists(b Backend) error {
	return healthy(b.New().Discover(context.Background()), b.Operator)
}

// repeats asks twice, and asks a second source: all three answers agree, down
// to the order.
func repeats(b Backend) error {
	s := b.New()
	v := newView()
	first := s.Discover(context.Background())
	if err := errors.Join(healthy(first, b.Operator), v.fold(first)); err != nil {
		return err
	}
	was := view{good: cloneGood(v.good)}
	second := s.Discover(context.Background())
	if err := errors.Join(CheckListing(second, b.Operator), v.fold(second)); err != nil {
		return fmt.Errorf("second call: %w", err)
	}
	other := newView()
	third := b.New().Discover(context.Background())
	if err := errors.Join(CheckListing(third, b.Operator), other.fold(third)); err != nil {
		return fmt.Errorf("second source: %w", err)
	}
	switch {
	case !same(was, v):
		return errors.New("two calls with nothing changed between them list different targets, or in another order")
	case !same(was, other):
		return errors.New("two sources in front of the same backend list different targets, or in another order")
	case !slices.Equal(partNames(first), partNames(second)), !slices.Equal(partNames(first), partNames(third)):
		return fmt.Errorf("parts differ or change places: %q, %q, %q", partNames(first), partNames(second), partNames(third))
	}
	return nil
}

// canceledBefore asks with a context that has ended: no part may be short, and
// at least one is there.
func canceledBefore(b Backend) error {
	good, err := known(b)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l, err := discover(ctx, b.New())
	if err != nil {
		return err
	}
	return notShort(l, good, b.Operator)
}

func canceledWaiting(b Backend) error {
	good, err := known(b)
	if err != nil {
		return err
	}
	b.Hang()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	l, err := discover(ctx, b.New())
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(l.Parts, func(p target.Part) bool { return errors.Is(p.Err, context.DeadlineExceeded) }) {
		return errors.New("the context ended while the backend was silent, and no part failed with the context's error")
	}
	return notShort(l, good, b.Operator)
}

func changes(b Backend) error {
	s := b.New()
	before, after := newView(), newView()
	first := s.Discover(context.Background())
	if err := errors.Join(healthy(first, b.Operator), before.fold(first), after.fold(first)); err != nil {
		return err
	}
	b.Change()
	second := s.Discover(context.Background())
	if err := errors.Join(CheckListing(second, b.Operator), after.fold(second)); err != nil {
		return err
	}
	if second.Failed() {
		return errors.New("a change made a part fail")
	}
	if same(before, after) {
		return errors.New("the backend changed and the listing did not")
	}
	fresh, err := known(b)
	if err != nil {
		return err
	}
	if !same(fresh, after) {
		return errors.New("after a change, a source that was there before lists something else than a new one")
	}
	return nil
}

func empties(b Backend) error {
	s := b.New()
	v := newView()
	if err := v.fold(s.Discover(context.Background())); err != nil {
		return err
	}
	b.Empty()
	for i, s := range []target.Source{s, b.New()} {
		l := s.Discover(context.Background())
		if err := errors.Join(CheckListing(l, b.Operator), v.fold(l)); err != nil {
			return err
		}
		if l.Failed() || v.len() > 0 {
			return fmt.Errorf("source %d: an empty backend must be listed as empty, got %d targets and failures %v", i, v.len(), v.failed)
		}
	}
	return nil
}

// fails breaks the backend under a source that knows it and under a new one,
// which was only told of it: parts fail, none is short, and mending mends.
func fails(b Backend, f Fault) error {
	good, err := known(b)
	if err != nil {
		return err
	}
	old := b.New()
	v := newView()
	if err := v.fold(old.Discover(context.Background())); err != nil {
		return err
	}
	f.Break()
	for i, s := range []target.Source{old, told(b, good)} {
		l, err := discover(context.Background(), s)
		if err != nil {
			return err
		}
		if !l.Failed() {
			return fmt.Errorf("source %d: the backend is broken and no part failed", i)
		}
		if err := notShort(l, good, b.Operator); err != nil {
			return fmt.Errorf("source %d: %w", i, err)
		}
	}
	f.Mend()
	l := old.Discover(context.Background())
	if err := errors.Join(CheckListing(l, b.Operator), v.fold(l)); err != nil {
		return err
	}
	if l.Failed() || !same(v, good) {
		return fmt.Errorf("the backend was mended and the listing was not: failures %v", v.failed)
	}
	return nil
}

// told builds a source as it is built after a restart: one that is a
// target.Knower is told what was listed before.
func told(b Backend, before view) target.Source {
	s := b.New()
	if k, ok := s.(target.Knower); ok {
		var parts []string
		for name, raws := range before.good {
			if len(raws) > 0 {
				parts = append(parts, name)
			}
		}
		slices.Sort(parts)
		k.Know(parts)
	}
	return s
}

// known is what a new source lists in front of a healthy backend.
func known(b Backend) (view, error) {
	v := newView()
	l := b.New().Discover(context.Background())
	return v, errors.Join(healthy(l, b.Operator), v.fold(l))
}

// notShort says what is wrong with a listing of a backend that can't be listed
// whole: a part that lists anything lists all that it listed before, and none is
// absent without a failure that explains it.
func notShort(l target.Listing, good view, operator bool) error {
	if err := CheckListing(l, operator); err != nil {
		return err
	}
	named := map[string]bool{}
	for _, p := range l.Parts {
		named[p.Name] = true
		if p.Err == nil && !p.Unchanged && !sameRaws(p.Raw, good.good[p.Name]) {
			return fmt.Errorf("part %q is short or wrong: it lists %d targets, there are %d", p.Name, len(p.Raw), len(good.good[p.Name]))
		}
	}
	for name := range good.good {
		if !named[name] && !l.Failed() {
			return fmt.Errorf("part %q is missing, and no failure says why", name)
		}
	}
	return nil
}

// discover calls Discover, and gives up on one that does not return.
func discover(ctx context.Context, s target.Source) (target.Listing, error) {
	got := make(chan target.Listing, 1)
	go func() { got <- s.Discover(ctx) }()
	limit := patience
	if _, ok := ctx.Deadline(); ok || ctx.Err() != nil {
		limit = promptly
	}
	select {
	case l := <-got:
		return l, nil
	case <-time.After(limit):
		return target.Listing{}, fmt.Errorf("discover has not returned after %s", limit)
	}
}

func partNames(l target.Listing) []string {
	var names []string
	for _, p := range l.Parts {
		names = append(names, p.Name)
	}
	return names
}

func cloneGood(m map[string][]target.Raw) map[string][]target.Raw {
	c := map[string][]target.Raw{}
	for name, raws := range m {
		c[name] = slices.Clone(raws)
	}
	return c
}
