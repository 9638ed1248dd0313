// Package writer keeps the file_sd files true: it decides which target goes to
// which file, renders, stages, checks and renames the files, and remembers
// which files are its own (contract §7).
//
// A reader sees the old file or the new one, never less; a failed write leaves
// the old file. What it does not do is judge: the targets it is given are the
// ones that shall be there. It knows nothing of sources, probes or the guard.
//
// A Writer has one owner: its methods must not be called concurrently, but for
// Snapshot, which any goroutine may call at any time. It starts no goroutine
// and reads the time only from Options.Now.
//
// Where the contract is silent, this is what was chosen:
//   - A file whose name needs no target (no template, or {shard} alone) is
//     always there, as [] when it has no target, and is never deleted.
//   - A file of ours that was changed or deleted by somebody else is put back
//     by the next Publish.
//   - A file of ours that doesn't parse counts as empty, with a warning: what
//     it held is lost to mcp-sd. Prometheus has it in memory until the file
//     is good again.
//   - A symbolic link is never replaced. The directory may be one.
//   - A damaged manifest is set aside and rebuilt from the files that carry
//     our mark; a missing one means that nothing is ours.
package writer

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// ErrLocked is in the error chain where another process writes to the same
// directory (exit status 4, contract §2).
var ErrLocked = errors.New("another mcp-sd holds the output")

// Options are what a Writer is built with.
type Options struct {
	Outputs []Output
	Now     func() time.Time // nil: time.Now
	Logger  *slog.Logger
	Metrics *Metrics
	// PreviousDirs are directories that earlier configurations wrote to (see
	// Writer.Dirs): the files left there lose their targets once the new ones
	// are written. One that is gone, or in use by another mcp-sd, is passed over.
	PreviousDirs []string
	// DryRun takes no lock and writes nothing; only Load, Files, Diff and
	// Snapshot are of use then.
	DryRun bool
	// Immediate defers nothing, neither by min_write_interval nor after a
	// failure: for --once, which has no later.
	Immediate bool
}

// Published says what a Publish did.
type Published struct {
	Written []string // files written, by path
	Removed []string // files deleted, after 24 h as []
	// Behind holds the keys whose wanted state is not on disk yet, because a
	// write failed or was deferred; nil when there is none.
	Behind map[target.Key]bool
	// NextAt is when Publish should be called again, with the same targets or
	// other ones; zero where there is nothing to wait for.
	NextAt time.Time
	// Failing joins what is wrong with files, in this call or since an earlier one
	// and not tried again yet: a call that wrote others is no sign that all is well.
	Failing error
}

// Writer owns the output files.
type Writer struct {
	options Options
	fs      fsys
	outputs []*output
	dirs    []*directory     // sorted by path
	files   map[string]*file // by path
	ordered []*file          // the same, sorted by path
	loaded  bool
	pass    uint64 // counts assignments, to tell the families of the latest

	assigned bool // the files' want was made from prev
	prev     []*target.Target
	view     atomic.Pointer[[]File]
}

// Open checks that every output directory is there and writable, takes its
// lock and sweeps what a killed predecessor left in the staging folder. It
// reads no file: Load does.
func Open(o Options) (*Writer, error) { return open(o, nil) }

// Reopen is Open for a changed configuration while w still runs: locks are
// shared, and w's directories are among the previous ones. It may be called
// beside w's owner. w must have done its last Publish before the new writer's
// Load, and be closed afterwards.
func (w *Writer) Reopen(o Options) (*Writer, error) {
	o.PreviousDirs = slices.Clone(o.PreviousDirs)
	for _, d := range w.dirs {
		o.PreviousDirs = append(o.PreviousDirs, d.path)
	}
	return open(o, w.dirs)
}

func open(o Options, shared []*directory) (*Writer, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	w := &Writer{options: o, fs: osFS(), files: map[string]*file{}}
	if err := w.openDirs(shared); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	if err := w.overlaps(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// overlaps repeats the check of ValidateOutputs now that it is known which
// directories are the same one.
func (w *Writer) overlaps() error {
	for i, a := range w.outputs {
		for _, b := range w.outputs[:i] {
			if a.dir == b.dir && a.tmpl.overlaps(b.tmpl) {
				return overlapError(b.Path, a.Path)
			}
		}
	}
	return nil
}

// Close gives the locks back. The files stay.
func (w *Writer) Close() error {
	var errs []error
	for _, d := range w.dirs {
		errs = append(errs, d.release())
	}
	return errors.Join(errs...)
}

// Dirs are, after Load, the directories in which the writer has files: what a
// later configuration needs as PreviousDirs.
func (w *Writer) Dirs() []string {
	var dirs []string
	for _, d := range w.dirs {
		if !d.previous || len(d.manifest.owned) > 0 {
			dirs = append(dirs, d.path)
		}
	}
	return dirs
}

// Files are the paths of the files that t goes to, sorted; they need not exist.
func (w *Writer) Files(t target.Target) []string {
	var paths []string
	for _, o := range w.outputs {
		if o.selects(&t) {
			paths = append(paths, filepath.Join(o.dir.path, o.tmpl.name(&t, o.shard(&t))))
		}
	}
	slices.Sort(paths)
	return paths
}

// Publish brings the files to what want says, as far as it is due and can be
// done; want's order does not matter. The error joins what went wrong per
// file in this call; everything else was written all the same.
//
// Writes are gathered by min_write_interval, and changes of health alone wait
// 30 s; what was deferred or failed is in Behind, and NextAt says when to call
// again. The targets must not be written to afterwards.
func (w *Writer) Publish(ctx context.Context, want []*target.Target) (Published, error) {
	return w.publish(ctx, want, w.options.Immediate)
}

// Flush writes at once what the latest Publish deferred, and tries again what
// failed: for a clean shutdown.
func (w *Writer) Flush(ctx context.Context) (Published, error) {
	if !w.assigned {
		return Published{}, nil // nothing was asked for yet, which is not the same as asked for nothing
	}
	return w.publish(ctx, w.prev, true)
}

func (w *Writer) publish(ctx context.Context, want []*target.Target, immediate bool) (Published, error) {
	if w.options.DryRun {
		return Published{}, errors.New("publishing: this writer was opened for a dry run")
	}
	if err := w.ensureLoaded(); err != nil {
		return Published{}, err
	}
	p := &pass{Writer: w, ctx: ctx, now: w.options.Now(), immediate: immediate}
	w.observe()
	w.assign(want)
	p.run()
	w.show()
	return p.published, errors.Join(p.errs...)
}

// ensureLoaded is for a Publish that no Load went before.
func (w *Writer) ensureLoaded() error {
	if w.loaded {
		return nil
	}
	return w.load()
}

// file returns the record of a path, made where it is new.
func (w *Writer) file(d *directory, name string) *file {
	path := filepath.Join(d.path, name)
	f, ok := w.files[path]
	if !ok {
		f = &file{dir: d, name: name, path: path}
		w.files[path] = f
		at, _ := slices.BinarySearchFunc(w.ordered, path, func(f *file, p string) int { return strings.Compare(f.path, p) })
		w.ordered = slices.Insert(w.ordered, at, f)
	}
	return f
}

// forget drops the records of files that are neither there nor wanted.
func (w *Writer) forget(gone func(*file) bool) {
	w.ordered = slices.DeleteFunc(w.ordered, func(f *file) bool {
		if !gone(f) {
			return false
		}
		delete(w.files, f.path)
		return true
	})
}
