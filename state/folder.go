// Package state is the folder in which mcp-sd keeps what it must not forget:
// small files with mode 0600 in a directory with mode 0700, each replaced
// atomically (contract §8). It does not know what is in them.
//
// The caveat: it has no lock of its own. Two programs that write the same
// output are kept apart by the writer's lock, and the state follows the output.
package state

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Folder is the state directory. Make one with New.
type Folder struct {
	path string
	now  func() time.Time
}

// New returns the folder at path. It is made by the first Write: a state that
// can't be kept holds removals back, it does not keep mcp-sd from running.
func New(path string) *Folder { return &Folder{path: path, now: time.Now} }

// Path is where the folder is.
func (f *Folder) Path() string { return f.path }

// Read returns a file's content; its error is fs.ErrNotExist where the file was
// never written.
func (f *Folder) Read(name string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(f.path, name))
	if err != nil {
		return nil, fmt.Errorf("reading the state: %w", err)
	}
	return data, nil
}

// Write replaces a file: a crash at any moment leaves the old content or the
// new one, and once Write has returned, the new one survives a power cut.
func (f *Folder) Write(name string, data []byte) error {
	return f.Stream(name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Stream is Write for a content that is too large to be in memory as a whole.
// Where content fails the old one stays.
func (f *Folder) Stream(name string, content func(io.Writer) error) (err error) {
	path := filepath.Join(f.path, name)
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the state directory: %w; name a writable one with --state.path", err)
	}
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(name)+".*.tmp") // mode 0600
	if err != nil {
		return fmt.Errorf("staging %s: %w; name a writable state directory with --state.path", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	if err := errors.Join(fill(tmp, content), tmp.Close()); err != nil {
		return fmt.Errorf("staging %s: %w", path, err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("replacing %s: %w", path, err)
	}
	return syncDir(dir)
}

// fill writes a file, in large pieces, and makes it durable.
func fill(f *os.File, content func(io.Writer) error) error {
	w := bufio.NewWriterSize(f, 64<<10)
	if err := content(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

// SetAside renames a file that can't be used, and returns its new name.
func (f *Folder) SetAside(name string) (string, error) {
	path := filepath.Join(f.path, name)
	to := fmt.Sprintf("%s.damaged-%s", path, f.now().UTC().Format("20060102T150405.000000000"))
	if err := os.Rename(path, to); err != nil {
		return "", fmt.Errorf("setting the state aside: %w", err)
	}
	return to, nil
}

// Sweep deletes what a killed process left half written.
func (f *Folder) Sweep() {
	for _, dir := range []string{f.path, filepath.Join(f.path, "listings")} {
		left, _ := filepath.Glob(filepath.Join(dir, ".*.tmp"))
		for _, name := range left {
			_ = os.Remove(name)
		}
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("making %s durable: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("making %s durable: %w", dir, err)
	}
	return nil
}
