package writer

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// fsys are the file system operations that publishing is made of, so that a
// test can make each of them fail.
type fsys struct {
	create  func(dir string) (*os.File, error) // a staged file of a fresh name
	write   func(f *os.File, b []byte) error
	chmod   func(f *os.File, mode fs.FileMode) error
	chgrp   func(f *os.File, gid int) error
	sync    func(f *os.File) error
	read    func(path string) ([]byte, error)
	open    func(path string) (io.ReadCloser, error)
	rename  func(from, to string) error
	syncDir func(path string) error
	remove  func(path string) error
	chtimes func(path string, mtime time.Time) error
}

func osFS() fsys {
	return fsys{
		create:  func(dir string) (*os.File, error) { return os.CreateTemp(dir, stagedPrefix+"*") },
		write:   func(f *os.File, b []byte) error { _, err := f.Write(b); return err },
		chmod:   func(f *os.File, mode fs.FileMode) error { return f.Chmod(mode) },
		chgrp:   func(f *os.File, gid int) error { return f.Chown(-1, gid) },
		sync:    (*os.File).Sync,
		read:    os.ReadFile,
		open:    func(path string) (io.ReadCloser, error) { return os.Open(path) },
		rename:  os.Rename,
		syncDir: syncDir,
		remove:  os.Remove,
		// Both times: the kernel reports a change of one alone as a write, for
		// which Prometheus reads everything again.
		chtimes: func(path string, mtime time.Time) error { return os.Chtimes(path, mtime, mtime) },
	}
}

// syncDir makes a rename durable. File systems that know no such thing say
// EINVAL or ENOTSUP, which is no failure.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// lookAt is os.Lstat where a missing file is no error but a nil result.
func lookAt(path string) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return info, err
}

// untouched reports whether a file is the one that was seen before, as far as
// a stat can tell.
func untouched(was, is fs.FileInfo) bool {
	return was != nil && is != nil && os.SameFile(was, is) &&
		was.Size() == is.Size() && was.Mode() == is.Mode() && was.ModTime().Equal(is.ModTime())
}

// gidOf returns the group of a file, -1 where the system doesn't say.
func gidOf(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Gid)
	}
	return -1
}
