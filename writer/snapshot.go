package writer

import (
	"bytes"
	"time"
)

// File is one output file as readers see it, for the status page and /sd.
type File struct {
	Path      string
	Body      []byte // the very bytes; not to be modified
	Targets   int
	Hash      uint64    // see mcp_sd_output_hash
	WrittenAt time.Time // at the start the modification time
	// Err is why the file could not be brought up to date the last time, nil
	// where it could.
	Err error
}

// Snapshot returns our files by path, nil before the first Load. Any goroutine
// may call it; what it returns is never modified.
func (w *Writer) Snapshot() []File {
	if files := w.view.Load(); files != nil {
		return *files
	}
	return nil
}

// show makes the present state the one that others see.
func (w *Writer) show() {
	if old := w.view.Load(); old != nil && w.shows(*old) {
		return
	}
	files := make([]File, 0, len(w.ordered))
	for _, f := range w.ordered {
		if f.visible() {
			files = append(files, f.view())
		}
	}
	w.view.Store(&files)
	w.options.Metrics.files.Store(&files)
}

// shows reports whether a snapshot is still right, so that a pass without a
// change makes no new one.
func (w *Writer) shows(files []File) bool {
	for _, f := range w.ordered {
		if !f.visible() {
			continue
		}
		if len(files) == 0 || !files[0].same(f.view()) {
			return false
		}
		files = files[1:]
	}
	return len(files) == 0
}

func (f *file) visible() bool { return f.owned() && f.seen != nil }

func (f *file) view() File {
	return File{
		Path: f.path, Body: f.body, Targets: len(f.disk), Hash: f.hash,
		WrittenAt: f.changedAt, Err: f.trouble.err,
	}
}

func (f File) same(o File) bool {
	return f.Path == o.Path && f.Targets == o.Targets && f.Hash == o.Hash && f.WrittenAt.Equal(o.WrittenAt) &&
		bytes.Equal(f.Body, o.Body) && // at once where it is the same memory
		sameError(f.Err, o.Err)
}

func sameError(a, b error) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Error() == b.Error()
}
