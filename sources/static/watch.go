package static

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/fsnotify/fsnotify"

	"github.com/mcp-sd/mcp-sd/target"
)

const (
	// quiet is how long events are gathered after the last one, and burst how
	// long at most.
	quiet = 75 * time.Millisecond
	burst = 500 * time.Millisecond
)

// Watch implements target.Watcher. An event only says "look again"; what changed
// is found by looking, and so is what no event told of, once per refresh interval.
func (s *source) Watch(ctx context.Context, emit func(target.Listing)) error {
	n, err := s.notify()
	if err != nil {
		s.env.Logger.Warn("watching files is not possible, they are read once per refresh interval", "err", err)
		n = noNotifier{}
	}
	defer n.close()
	w := &watch{source: s, emit: emit, notifier: n, look: stopped(), retry: stopped(), backoff: newBackOff()}
	defer w.look.Stop()
	defer w.retry.Stop()
	w.run(ctx)
	return nil
}

// watch is what Watch keeps track of.
type watch struct {
	*source
	emit     func(target.Listing)
	notifier notifier
	look     *time.Timer // runs while events are gathered
	retry    *time.Timer // runs while a part fails
	backoff  *backoff.ExponentialBackOff
	since    time.Time         // of the first event that was gathered
	changed  map[string]bool   // paths that events named
	last     map[string]uint64 // what was emitted: versions of the parts that did not fail
	failures map[string]string // and the errors of those that did
	watched  map[string]bool   // directories
	ancestor map[string]bool   // those of them that only lead to ours
	warned   map[string]bool   // and those that can't be watched
}

func (w *watch) run(ctx context.Context) {
	refresh := time.NewTicker(w.env.RefreshInterval)
	defer refresh.Stop()
	w.pass(ctx, true)
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-w.notifier.events():
			w.note(e)
		case err := <-w.notifier.errors():
			w.env.Logger.Warn("watching files, looking at all of them", "err", err)
			w.arm()
		case <-w.look.C:
			w.pass(ctx, false)
		case <-w.retry.C:
			w.pass(ctx, false)
		case <-refresh.C:
			w.pass(ctx, true)
		}
	}
}

// note gathers an event, if it can concern one of our files. A chmod changes no
// content, but may make a file readable.
func (w *watch) note(e fsnotify.Event) {
	if e.Name == "" {
		return // the kernel's farewell to a watch
	}
	name := filepath.Clean(e.Name)
	if w.ancestor[filepath.Dir(name)] && !w.leadsToOurs(name) {
		return
	}
	if e.Op != fsnotify.Chmod {
		if w.changed == nil {
			w.changed = map[string]bool{}
		}
		w.changed[name] = true
	}
	w.arm()
}

func (w *watch) leadsToOurs(path string) bool {
	return slices.ContainsFunc(w.patterns, func(p pattern) bool {
		return p.dir == path || strings.HasPrefix(p.dir, strings.TrimSuffix(path, "/")+"/")
	})
}

// arm starts or prolongs the gathering of events.
func (w *watch) arm() {
	now := time.Now()
	if w.since.IsZero() {
		w.since = now
	}
	w.look.Reset(min(quiet, burst-now.Sub(w.since)))
}

// pass looks at everything, and emits what it saw if that is news, or if a
// heartbeat is due.
func (w *watch) pass(ctx context.Context, beat bool) {
	changed := w.changed
	w.changed, w.since = nil, time.Time{}
	w.look.Stop()
	w.follow() // before looking, so that nothing happens unseen in between
	began := time.Now()
	parts := w.list(ctx, changed)
	if ctx.Err() != nil {
		return
	}
	if w.follow() {
		w.arm() // a link led to a directory that was not watched: look again
	}
	l := target.Listing{Source: w.env.Source, At: time.Now()}
	if beat {
		l.Took = l.At.Sub(began)
	}
	var news bool
	if l.Parts, news = w.compare(parts); news || beat {
		w.emit(l)
	}
	w.plan(l.Failed(), news)
}

// compare marks parts that are as they were in the last listing, and reports
// whether any is not. Parts only ever go away after they were listed as empty.
func (w *watch) compare(parts []part) (marked []target.Part, news bool) {
	last, failures := map[string]uint64{}, map[string]string{}
	for _, p := range parts {
		version, listed := w.last[p.Name]
		switch {
		case p.Err != nil:
			failures[p.Name] = p.Err.Error()
			news = news || w.failures[p.Name] != p.Err.Error()
		case listed && version == p.version:
			last[p.Name] = p.version
			p.Part = target.Part{Name: p.Name, Unchanged: true, Inline: p.Inline}
		default:
			last[p.Name] = p.version
			news = true
		}
		marked = append(marked, p.Part)
	}
	w.last, w.failures = last, failures
	return marked, news
}

// plan looks again at failures soon, because half a file is a whole one a moment
// later, and then ever more rarely.
func (w *watch) plan(failed, news bool) {
	if !failed || news {
		w.backoff.Reset()
	}
	w.retry.Stop()
	if failed {
		w.retry.Reset(w.backoff.NextBackOff())
	}
}

// newBackOff pauses for 20 to 60 s in the end (contract §4). It begins below the
// second that others begin with: a look at a file is no burden on anybody, and
// most half files are whole by then.
func newBackOff() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval:     100 * time.Millisecond,
		RandomizationFactor: 0.5,
		Multiplier:          2,
		MaxInterval:         40 * time.Second,
	}
}

func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}
