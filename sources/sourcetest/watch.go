package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// watch is a Watcher at work.
type watch struct {
	backend  Backend
	listings chan target.Listing
	done     chan error
	cancel   context.CancelFunc
	busy     atomic.Int32
	overlap  atomic.Bool
	v        view
	count    int
}

func startWatch(b Backend) *watch {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watch{backend: b, listings: make(chan target.Listing), done: make(chan error, 1), cancel: cancel, v: newView()}
	s, ok := b.New().(target.Watcher)
	if !ok {
		w.done <- errors.New("the source is no Watcher any more")
		return w
	}
	go func() {
		w.done <- s.Watch(ctx, func(l target.Listing) {
			if w.busy.Add(1) > 1 {
				w.overlap.Store(true)
			}
			defer w.busy.Add(-1)
			select {
			case w.listings <- l:
			case <-ctx.Done():
			}
		})
	}()
	return w
}

// next waits for one listing, checks its form and folds it into the view.
func (w *watch) next(limit time.Duration) (target.Listing, error) {
	select {
	case l := <-w.listings:
		if err := CheckListing(l, w.backend.Operator); err != nil {
			return l, fmt.Errorf("listing %d: %w", w.count, err)
		}
		if w.count == 0 {
			for _, p := range l.Parts {
				if p.Unchanged {
					return l, fmt.Errorf("the first listing says that part %q is unchanged", p.Name)
				}
			}
		}
		w.count++
		return l, w.v.fold(l)
	case err := <-w.done:
		w.done <- err
		return target.Listing{}, fmt.Errorf("watch returned %w before its context ended", orNil(err))
	case <-time.After(limit):
		return target.Listing{}, fmt.Errorf("no listing within %s", limit)
	}
}

// until takes listings in until ok is content with one.
func (w *watch) until(what string, ok func(target.Listing) (bool, error)) error {
	deadline := time.Now().Add(patience)
	for {
		l, err := w.next(time.Until(deadline))
		if err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		if done, err := ok(l); done || err != nil {
			return err
		}
	}
}

// stop ends the context, and expects Watch to return nil promptly and to emit
// nothing afterwards.
func (w *watch) stop() error {
	w.cancel()
	select {
	case err := <-w.done:
		switch {
		case err != nil:
			return fmt.Errorf("watch must return nil when its context ends, got: %w", err)
		case w.overlap.Load():
			return errors.New("emit was called by two goroutines at once")
		case w.busy.Load() > 0:
			return errors.New("emit was still running when watch returned")
		}
		return nil
	case <-time.After(promptly):
		return fmt.Errorf("watch has not returned %s after its context ended", promptly)
	}
}

func orNil(err error) error {
	if err == nil {
		return errors.New("nil")
	}
	return err
}

// watching runs f on a started watch and stops it.
func watching(b Backend, f func(w *watch) error) error {
	w := startWatch(b)
	err := f(w)
	return errors.Join(err, w.stop())
}

// first expects the first listing to know as much as Discover does.
func (w *watch) first() (view, error) {
	good, err := known(w.backend)
	if err != nil {
		return good, err
	}
	l, err := w.next(patience)
	if err != nil {
		return good, err
	}
	if err := healthy(l, w.backend.Operator); err != nil {
		return good, fmt.Errorf("first listing: %w", err)
	}
	if !same(good, w.v) {
		return good, errors.New("the first listing is not complete: Discover lists something else")
	}
	return good, nil
}

func watchBeats(b Backend) error {
	return watching(b, func(w *watch) error {
		good, err := w.first()
		if err != nil {
			return err
		}
		for range 2 {
			l, err := w.next(b.Interval + promptly)
			if err != nil {
				return fmt.Errorf("heartbeat: %w", err)
			}
			for _, p := range l.Parts {
				if !p.Unchanged {
					return fmt.Errorf("nothing changed, and part %q is not marked unchanged (error: %w)", p.Name, orNil(p.Err))
				}
			}
			if !same(good, w.v) {
				return errors.New("a heartbeat must name every part")
			}
		}
		return nil
	})
}

func watchChanges(b Backend) error {
	return watching(b, func(w *watch) error {
		good, err := w.first()
		if err != nil {
			return err
		}
		b.Change()
		want, err := known(b)
		if err != nil {
			return err
		}
		if same(good, want) {
			return errors.New("the backend's Change changes nothing")
		}
		return w.until("the change", func(l target.Listing) (bool, error) {
			return !l.Failed() && same(w.v, want), nil
		})
	})
}

func watchEmpties(b Backend) error {
	return watching(b, func(w *watch) error {
		if _, err := w.first(); err != nil {
			return err
		}
		b.Empty()
		return w.until("the empty listing", func(l target.Listing) (bool, error) {
			return !l.Failed() && w.v.len() == 0, nil
		})
	})
}

func watchFails(b Backend, f Fault) error {
	return watching(b, func(w *watch) error {
		good, err := w.first()
		if err != nil {
			return err
		}
		f.Break()
		if err := w.until("the failure", func(l target.Listing) (bool, error) {
			return l.Failed(), notShort(l, good, b.Operator)
		}); err != nil {
			return err
		}
		f.Mend()
		return w.until("the recovery", func(l target.Listing) (bool, error) {
			if err := notShort(l, good, b.Operator); err != nil {
				return false, err
			}
			return !l.Failed() && same(w.v, good), nil
		})
	})
}

// watchStartsBroken starts in front of a broken backend: the first listing
// says so, and mending mends.
func watchStartsBroken(b Backend, f Fault) error {
	good, err := known(b)
	if err != nil {
		return err
	}
	f.Break()
	backend := b
	b.New = func() target.Source { return told(backend, good) }
	return watching(b, func(w *watch) error {
		l, err := w.next(patience)
		if err != nil {
			return err
		}
		if !l.Failed() {
			return errors.New("the first listing of a broken backend has no failed part")
		}
		if err := notShort(l, good, b.Operator); err != nil {
			return err
		}
		f.Mend()
		return w.until("the recovery", func(l target.Listing) (bool, error) {
			if err := notShort(l, good, b.Operator); err != nil {
				return false, err
			}
			return !l.Failed() && same(w.v, good), nil
		})
	})
}

// watchCanceledWaiting ends the context while the backend is silent, at the
// start and after a first listing.
func watchCanceledWaiting(b Backend) error {
	if err := watching(b, func(w *watch) error {
		_, err := w.first()
		b.Hang()
		return err
	}); err != nil {
		return err
	}
	w := startWatch(b)
	select {
	case <-w.listings:
	case <-time.After(50 * time.Millisecond):
	}
	return w.stop()
}
