package static

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// notifier tells of changes in directories; a test puts its own in its place.
type notifier interface {
	events() <-chan fsnotify.Event
	errors() <-chan error
	// add watches a directory, and reports whether that is news: another one
	// may have taken the place of the one that was watched under this name.
	add(dir string) (bool, error)
	remove(dir string)
	// close ends it and waits for its goroutine.
	close()
}

func newNotifier() (notifier, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("asking the kernel for file events: %w", err)
	}
	return &inotifier{w: w, dirs: map[string]os.FileInfo{}}, nil
}

// inotifier is fsnotify, kept from watching a directory that a symbolic link no
// longer leads to.
type inotifier struct {
	w    *fsnotify.Watcher
	dirs map[string]os.FileInfo
}

func (n *inotifier) events() <-chan fsnotify.Event { return n.w.Events }
func (n *inotifier) errors() <-chan error          { return n.w.Errors }

// add asks the kernel every time, because it forgets directories that were
// deleted.
func (n *inotifier) add(dir string) (bool, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return false, err
	}
	old, known := n.dirs[dir]
	if known && !os.SameFile(old, info) {
		n.remove(dir)
		known = false
	}
	if err := n.w.Add(dir); err != nil {
		return false, fmt.Errorf("watching directory %s: %w", dir, err)
	}
	n.dirs[dir] = info
	return !known, nil
}

func (n *inotifier) remove(dir string) {
	// It fails where the directory was deleted, which ended the watch.
	_ = n.w.Remove(dir)
	delete(n.dirs, dir)
}

func (n *inotifier) close() { _ = n.w.Close() }

// noNotifier stands in where the kernel has no more to give.
type noNotifier struct{}

func (noNotifier) events() <-chan fsnotify.Event { return nil }
func (noNotifier) errors() <-chan error          { return nil }
func (noNotifier) add(string) (bool, error)      { return false, nil }
func (noNotifier) remove(string)                 {}
func (noNotifier) close()                        {}

// follow watches the directories of all patterns and of the files that links
// lead to, and above each pattern's directory the nearest one that exists, so
// that a directory is seen when it appears or is replaced. It reports whether
// anything is watched that was not before.
func (w *watch) follow() (added bool) {
	want := map[string]bool{}
	add := func(dir string) bool {
		if want[dir] {
			return true
		}
		news, err := w.notifier.add(dir)
		if err != nil {
			w.warn(dir, err)
			return false
		}
		want[dir] = true
		added = added || news
		return true
	}
	for _, p := range w.patterns {
		add(p.dir)
	}
	for _, f := range w.files {
		if f.linked != "" {
			add(f.linked)
		}
	}
	ours := maps.Clone(want)
	for _, p := range w.patterns {
		for dir := p.dir; dir != filepath.Dir(dir); {
			if dir = filepath.Dir(dir); add(dir) {
				break
			}
		}
	}
	w.unwatch(want)
	w.ancestor = want
	maps.DeleteFunc(w.ancestor, func(dir string, _ bool) bool { return ours[dir] })
	return added
}

// unwatch ends the watches that nobody wants any more.
func (w *watch) unwatch(want map[string]bool) {
	for dir := range w.watched {
		if !want[dir] {
			w.notifier.remove(dir)
		}
	}
	w.watched = maps.Clone(want)
}

// warn says once of a directory that it can't be watched. One that does not
// exist is waited for.
func (w *watch) warn(dir string, err error) {
	if errors.Is(err, fs.ErrNotExist) || w.warned[dir] {
		return
	}
	if w.warned == nil {
		w.warned = map[string]bool{}
	}
	w.warned[dir] = true
	w.env.Logger.Warn("can't watch a directory, its files are looked at once per refresh interval", "dir", dir, "err", err)
}
