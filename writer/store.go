package writer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"

	"github.com/mcp-sd/mcp-sd/target"
)

// Steps of a write, as errors name them.
const (
	stepStage   = "staging it"
	stepChmod   = "setting its mode"
	stepChgrp   = "setting its group"
	stepSync    = "syncing it to disk"
	stepCheck   = "reading it back"
	stepRename  = "renaming it into place"
	stepSyncDir = "syncing its directory"
	stepRemove  = "deleting it"
	stepTouch   = "refreshing its modification time"
)

// draft is a file about to be written.
type draft struct {
	dir   *directory
	path  string // where it will be
	body  []byte
	mode  fs.FileMode
	gid   int // -1: as it comes
	check func(body []byte) error
}

// store writes a draft: staged in the staging folder → chmod, chgrp → fsync →
// parsed back → rename → fsync of the directory (contract §7). Where an error
// comes without a FileInfo, nothing has changed and nothing is left over; with
// one, readers see the new file, and only its durability is in doubt.
func (s fsys) store(d draft) (fs.FileInfo, error) {
	staged, err := s.create(d.dir.stage)
	if err != nil {
		return nil, d.failed(stepStage, err)
	}
	info, step, err := s.fill(staged, d)
	if err == nil {
		step, err = stepRename, s.rename(staged.Name(), d.path)
	}
	if err != nil {
		if rm := s.remove(staged.Name()); rm != nil {
			err = errors.Join(err, rm)
		}
		return nil, d.failed(step, err)
	}
	if err := s.syncDir(filepath.Dir(d.path)); err != nil {
		return info, d.failed(stepSyncDir, err)
	}
	return info, nil
}

// fill does all that comes before the rename, and closes the file.
func (s fsys) fill(f *os.File, d draft) (info fs.FileInfo, step string, err error) {
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			step, err = stepStage, cerr
		}
	}()
	if err := s.write(f, d.body); err != nil {
		return nil, stepStage, err
	}
	if err := s.chmod(f, d.mode); err != nil { // before the rename: a 0600 file stays unread until the reader's next tick
		return nil, stepChmod, err
	}
	if d.gid >= 0 {
		if err := s.chgrp(f, d.gid); err != nil {
			return nil, stepChgrp, err
		}
	}
	if err := s.sync(f); err != nil {
		return nil, stepSync, err
	}
	if err := s.readBack(f.Name(), d); err != nil {
		return nil, stepCheck, err
	}
	info, err = f.Stat()
	return info, stepStage, err
}

func (s fsys) readBack(name string, d draft) error {
	f, err := s.open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	got := comparison{rest: d.body}
	if _, err := io.Copy(&got, f); err != nil {
		return err
	}
	if got.differs || len(got.rest) > 0 {
		return fmt.Errorf("it reads back as %d bytes that are not the %d written: check the disk", got.size, len(d.body))
	}
	if d.check == nil {
		return nil
	}
	return d.check(d.body)
}

// comparison compares what is written to it with what was expected, without
// holding a large file twice.
type comparison struct {
	rest    []byte // expected to follow
	size    int
	differs bool
}

func (c *comparison) Write(b []byte) (int, error) {
	c.size += len(b)
	if c.differs = c.differs || !bytes.HasPrefix(c.rest, b); !c.differs {
		c.rest = c.rest[len(b):]
	}
	return len(b), nil
}

// checkFile is the check of output files: file_sd's own rules, and that no
// target got lost on the way.
func checkFile(targets int) func([]byte) error {
	return func(body []byte) error {
		n := 0
		// Nothing of the text outlives the check, so that it need not be copied.
		text := unsafe.String(unsafe.SliceData(body), len(body))
		if err := parse(text, func(as []string, _ target.Labels) { n += len(as) }); err != nil {
			return fmt.Errorf("no reader would take it: %w", err)
		}
		if n != targets {
			return fmt.Errorf("it has %d targets instead of %d", n, targets)
		}
		return nil
	}
}

func (d draft) failed(step string, err error) error {
	return stepError(d.path, step, d.dir.path, err)
}

// stepError names the file, the step, the reason, and what to do next.
func stepError(path, step, dir string, err error) error {
	if hint := remedy(step, dir, err); hint != "" {
		return fmt.Errorf("writing %s: %s: %w: %s", path, step, err, hint)
	}
	return fmt.Errorf("writing %s: %s: %w", path, step, err)
}

func remedy(step, dir string, err error) string {
	switch {
	case errors.Is(err, syscall.EBUSY) && step == stepRename:
		return fmt.Sprintf("a file that is a mount point can't be replaced: mount the directory %s instead of the single file", dir)
	case errors.Is(err, syscall.EXDEV):
		return fmt.Sprintf("%s must be on the same file system as the file: unmount what is mounted there", filepath.Join(dir, stageName))
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Sprintf("free space on the file system of %s", dir)
	case errors.Is(err, syscall.EROFS):
		return fmt.Sprintf("remount the file system of %s for writing", dir)
	case errors.Is(err, fs.ErrPermission) && step == stepChgrp:
		return "make the user that mcp-sd runs as a member of that group"
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("let the user that mcp-sd runs as write to %s and to %s in it", dir, stageName)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("see whether %s, or %s in it, was removed or is no longer mounted, and restart mcp-sd if it has to be made anew", dir, stageName)
	case errors.Is(err, syscall.EIO):
		return "check the disk"
	}
	return ""
}
