package static

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/sources/filesd"
	"github.com/mcp-sd/mcp-sd/target"
)

const (
	// settle is how long a file must have been left alone before it is
	// believed: half of one is often a valid YAML file with fewer targets.
	settle = 50 * time.Millisecond
	// attempts are how often a file that keeps changing is looked at in one go.
	attempts = 20
	// racy is how far from now a file's time must have been when it was read for
	// an unchanged time and size to prove that nothing was written since.
	racy = 2 * time.Second
	// maxSize is the largest file that is read.
	maxSize = 256 << 20

	filepathLabel = target.MetaPrefix + "filepath" // as in Prometheus
)

// file is what is known of one file.
type file struct {
	info    os.FileInfo // nil while it never could be read, or is gone
	readAt  time.Time
	sum     [sha256.Size]byte
	raws    []target.Raw
	chunks  chunks // of the last content that had any
	version uint64
	err     error  // why it could not be parsed; other errors are not remembered
	linked  string // the directory of the file that it links to
	gone    bool
}

// filePart reads a file, unless it is known and looks as it did.
func (s *source) filePart(ctx context.Context, path string, changed bool) part {
	p := part{Part: target.Part{Name: partName(path)}}
	f, err := s.refresh(ctx, path, changed)
	if err == nil {
		err = f.err
	}
	if err != nil {
		p.Err = err
		return p
	}
	p.Raw, p.version = f.raws, f.version
	return p
}

// refresh brings what is known of a file up to date. Its error is about reading.
func (s *source) refresh(ctx context.Context, path string, changed bool) (*file, error) {
	old := s.files[path]
	if old == nil {
		old = &file{} // known from now on, even if it can't be read
		s.files[path] = old
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if info, err := os.Stat(path); err == nil && !changed && old.current(info) {
		return old, nil
	}
	content, info, err := load(ctx, path, old.info != nil)
	if err != nil {
		return nil, fmt.Errorf("reading targets file: %w", err)
	}
	f := &file{info: info, readAt: time.Now(), sum: sha256.Sum256(content), linked: linkedDir(path)}
	if old.info != nil && old.sum == f.sum {
		f.raws, f.chunks, f.version, f.err = old.raws, old.chunks, old.version, old.err
	} else {
		f.version = s.nextVersion()
		f.parse(path, content, old.chunks)
	}
	s.files[path] = f
	return f, nil
}

func (f *file) parse(path string, content []byte, known chunks) {
	origin := labels.Label{Name: filepathLabel, Value: path}
	if cs, ok := readChunks(path, content, known, origin); ok {
		f.chunks, f.raws = cs, cs.raws
		return
	}
	f.chunks = known
	groups, err := filesd.Parse(path, content)
	if err != nil {
		f.err = fmt.Errorf("parsing targets file %s: %w", path, err)
		return
	}
	f.raws = filesd.Raws(groups, origin)
}

// current reports whether a file that looks like info still holds what was read.
func (f *file) current(info os.FileInfo) bool {
	return f.info != nil && sameFile(f.info, info) && f.readAt.Sub(info.ModTime()).Abs() > racy
}

func sameFile(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// load reads a file that nobody is writing. One that was there before and is
// missing gets a second chance, because some editors remove it before they write
// it anew.
func load(ctx context.Context, path string, known bool) ([]byte, os.FileInfo, error) {
	for range attempts {
		before, err := os.Stat(path)
		if known && errors.Is(err, fs.ErrNotExist) {
			known = false
			if err := wait(ctx, settle); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", path, err)
			}
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if young(before) {
			if err := wait(ctx, settle); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", path, err)
			}
		}
		content, err := readRegular(path)
		if err != nil {
			return nil, nil, err
		}
		if after, err := os.Stat(path); err == nil && sameFile(before, after) {
			return content, after, nil
		}
	}
	return nil, nil, fmt.Errorf("%s: is being written all the time: write another file and rename it", path)
}

// young reports whether a file may be being written right now. A clock that is a
// little ahead, as on a file server, does not hide it; a time far in the future
// was set by hand.
func young(info os.FileInfo) bool {
	age := time.Since(info.ModTime())
	return -racy < age && age < settle
}

// readRegular never waits, as opening a named pipe would, and never reads
// without end, as from a device.
func readRegular(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is no regular file (%s)", path, info.Mode().Type())
	}
	content := bytes.NewBuffer(make([]byte, 0, min(info.Size(), maxSize)+bytes.MinRead))
	_, err = content.ReadFrom(io.LimitReader(f, maxSize+1))
	if err == nil && content.Len() > maxSize {
		err = fmt.Errorf("%s: is larger than %d MiB", path, maxSize>>20)
	}
	return content.Bytes(), err
}

// linkedDir is the directory of what a symbolic link leads to in the end, and
// empty for everything else.
func linkedDir(path string) string {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return ""
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	return filepath.Dir(real)
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
