package writer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/gofrs/flock"
	"golang.org/x/sys/unix"
)

const (
	stageName    = ".mcp-sd" // the staging folder: dotted, so that no *.json of a reader matches inside or out
	lockName     = "lock"
	stagedPrefix = "stage-" // the name of a staged file never ends in .json or .yml
)

// directory is one directory with output files, and its staging folder.
type directory struct {
	path     string // as configured
	real     string // without symbolic links: its identity
	stage    string
	previous bool // of an earlier configuration only
	lock     *lock
	manifest manifest
	saving   trouble // with the manifest
}

// lock is held by one process, and within it shared by the writers of two
// configurations while one takes over from the other.
type lock struct {
	flock *flock.Flock
	users atomic.Int32
}

// openDirs opens the directories of the outputs, then those of earlier
// configurations as far as they can be had.
func (w *Writer) openDirs(shared []*directory) error {
	var errs []error
	for _, o := range w.options.Outputs {
		c, fields := o.compile()
		for _, f := range fields {
			errs = append(errs, fmt.Errorf("output %q: %w", o.Path, f))
		}
		gid, err := parseGroup(o.Group)
		if err != nil {
			errs = append(errs, fmt.Errorf("output %q: group: %w", o.Path, err))
		}
		c.gid = gid
		d, err := w.openDir(filepath.Dir(o.Path), shared)
		if err != nil {
			errs = append(errs, fmt.Errorf("output %q: %w", o.Path, err))
			continue
		}
		c.dir = d
		w.outputs = append(w.outputs, c)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, path := range w.options.PreviousDirs {
		w.openPrevious(path, shared)
	}
	slices.SortFunc(w.dirs, func(a, b *directory) int { return strings.Compare(a.path, b.path) })
	return nil
}

func (w *Writer) openPrevious(path string, shared []*directory) {
	if info, err := os.Stat(filepath.Join(path, stageName)); err != nil || !info.IsDir() {
		return // nothing of ours is left there
	}
	n := len(w.dirs)
	if _, err := w.openDir(path, shared); err != nil {
		w.options.Logger.Warn("files in a directory of an earlier configuration are left as they are", "directory", path, "err", err)
	} else if len(w.dirs) > n {
		w.dirs[n].previous = true
	}
}

// openDir returns the directory, which two outputs may share under different
// names.
func (w *Writer) openDir(path string, shared []*directory) (*directory, error) {
	if err := checkDir(path); err != nil {
		return nil, err
	}
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return nil, fmt.Errorf("directory %q: %w", path, err)
	}
	if d := find(w.dirs, real); d != nil {
		return d, nil
	}
	d := &directory{path: path, real: real, stage: filepath.Join(path, stageName)}
	if !w.options.DryRun {
		if err := d.prepare(find(shared, real)); err != nil {
			return nil, err
		}
	}
	w.dirs = append(w.dirs, d)
	return d, nil
}

func find(dirs []*directory, real string) *directory {
	for _, d := range dirs {
		if d.real == real {
			return d
		}
	}
	return nil
}

// prepare makes the staging folder, takes the lock and sweeps; holder has the
// lock already, if it is not nil.
func (d *directory) prepare(holder *directory) error {
	if err := unix.Access(d.path, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("directory %q is not writable: %w: %s", d.path, err, remedy("", d.path, err))
	}
	if err := d.makeStage(); err != nil {
		return err
	}
	if holder != nil && holder.lock != nil {
		d.lock = holder.lock
		d.lock.users.Add(1)
		return nil // its staged files may be in use
	}
	if err := d.take(); err != nil {
		return err
	}
	if err := d.sweep(); err != nil {
		return errors.Join(err, d.release())
	}
	return nil
}

// makeStage makes the staging folder. It is nobody else's business: a file
// gets its own mode before it is renamed out of it.
func (d *directory) makeStage() error {
	err := os.Mkdir(d.stage, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making the staging folder %q: %w: %s", d.stage, err, remedy("", d.path, err))
	}
	if !d.present() {
		return fmt.Errorf("the staging folder %q is no directory: move it away", d.stage)
	}
	return nil
}

// present reports whether the staging folder is there: without it a missing
// file says nothing, for the whole directory may be a mount that was lost.
func (d *directory) present() bool {
	info, err := os.Lstat(d.stage)
	return err == nil && info.IsDir()
}

func (d *directory) take() error {
	path := filepath.Join(d.stage, lockName)
	l := &lock{flock: flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))}
	locked, err := l.flock.TryLock()
	if err != nil {
		return fmt.Errorf("locking %q: %w: %s", d.path, err, remedy("", d.path, err))
	}
	if !locked {
		return fmt.Errorf("directory %q: %w%s: stop it first, or give each a directory of its own", d.path, ErrLocked, holder(path))
	}
	d.lock = l
	l.users.Add(1)
	// For the message alone, so a full disk is no reason not to start.
	_ = os.WriteFile(path, strconv.AppendInt(nil, int64(os.Getpid()), 10), 0o600)
	return nil
}

// holder names the process that holds a lock, where it has said so.
func holder(lockPath string) string {
	b, err := os.ReadFile(lockPath)
	if pid, perr := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && perr == nil {
		return fmt.Sprintf(" (process %d)", pid)
	}
	return ""
}

func (d *directory) release() error {
	l := d.lock
	d.lock = nil
	if l == nil || l.users.Add(-1) > 0 {
		return nil
	}
	if err := l.flock.Close(); err != nil {
		return fmt.Errorf("unlocking %q: %w", d.path, err)
	}
	return nil
}

// sweep removes staged files that a killed process left. Only the holder of
// the lock may do so.
func (d *directory) sweep() error {
	left, err := os.ReadDir(d.stage)
	if err != nil {
		return fmt.Errorf("sweeping %q: %w: %s", d.stage, err, remedy("", d.path, err))
	}
	for _, e := range left {
		if !strings.HasPrefix(e.Name(), stagedPrefix) {
			continue
		}
		if err := os.Remove(filepath.Join(d.stage, e.Name())); err != nil {
			return fmt.Errorf("sweeping %q: %w: remove %s", d.stage, err, e.Name())
		}
	}
	return nil
}
