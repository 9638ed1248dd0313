package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watch notices each replacement of one file, from outside, as a reader does.
type Watch struct {
	path    string
	watcher *fsnotify.Watcher
}

// Watch begins to watch a file, which need not be there yet. Its directory has
// to be.
func (s *Stage) Watch(path string) (*Watch, error) {
	w, err := fsnotify.NewBufferedWatcher(1000)
	if err != nil {
		return nil, err
	}
	s.OnClose(func() { _ = w.Close() })
	return &Watch{path: path, watcher: w}, w.Add(filepath.Dir(path))
}

// Holds waits until the file holds the text and returns when it was put there.
func (w *Watch) Holds(ctx context.Context, text string, limit time.Duration) (time.Time, error) {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for {
		select {
		case e := <-w.watcher.Events:
			at := time.Now() // reading is not the writer's time
			if e.Name != w.path || !e.Has(fsnotify.Create) {
				continue
			}
			body, err := os.ReadFile(w.path)
			if err != nil {
				return at, err
			}
			if bytes.Contains(body, []byte(text)) {
				return at, nil
			}
		case err := <-w.watcher.Errors:
			return time.Time{}, err
		case <-timeout.C:
			return time.Time{}, fmt.Errorf("%s does not hold %q after %s", w.path, text, limit)
		case <-ctx.Done():
			return time.Time{}, errors.New("interrupted")
		}
	}
}

// Writes empties the queue of what happened in the directory, and returns how
// often a file in it was created, written or renamed.
func (w *Watch) Writes() int {
	n := 0
	for {
		select {
		case e := <-w.watcher.Events:
			if e.Has(fsnotify.Create) || e.Has(fsnotify.Write) || e.Has(fsnotify.Rename) {
				n++
			}
		default:
			return n
		}
	}
}
