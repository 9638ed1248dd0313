package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"syscall"
)

// maxFileSize bounds one file. A configuration with 100,000 inline targets has
// about 3 MB; what is larger belongs in static.files.
const maxFileSize = 16 << 20

// readFile reads a file of the configuration. Where regular is set, a pipe or
// a device is refused: a pattern of source_files must not block the start.
func readFile(path string, regular bool) ([]byte, error) {
	fi, err := os.Stat(path)
	if err == nil && fi.IsDir() {
		return nil, errors.New("is a directory: name the file in it")
	}
	if err == nil && regular && !fi.Mode().IsRegular() {
		return nil, errors.New("is no regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, readError(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, readError(path, err)
	}
	if len(data) > maxFileSize {
		return nil, tooLarge()
	}
	return data, nil
}

func tooLarge() error {
	return fmt.Errorf("is larger than %d MiB: put long lists of targets into files named by static.files", maxFileSize>>20)
}

// readError says why a file can't be read, and what its reader would need.
func readError(path string, err error) error {
	var pe *fs.PathError
	errors.As(err, &pe)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &hinted{err, "no such file"}
	case errors.Is(err, fs.ErrPermission):
		return &hinted{err, "permission denied for " + whoAmI() + ownership(path) + ": let that user or its group read it"}
	case pe != nil:
		return &hinted{err, "can't be read: " + pe.Err.Error()}
	}
	return fmt.Errorf("can't be read: %w", err)
}

// hinted is an error told in words of its own; the chain stays.
type hinted struct {
	error
	text string
}

func (h *hinted) Error() string { return h.text }

func (h *hinted) Unwrap() error { return h.error }

func whoAmI() string {
	if u, err := user.Current(); err == nil {
		return fmt.Sprintf("user %s (uid %s, gid %s)", u.Username, u.Uid, u.Gid)
	}
	return fmt.Sprintf("uid %d, gid %d", os.Geteuid(), os.Getegid())
}

// ownership describes a file whose folder may be read at least.
func ownership(path string) string {
	fi, err := os.Stat(path)
	if err != nil {
		return ""
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("; the file has mode %04o and belongs to uid %d, gid %d", fi.Mode().Perm(), st.Uid, st.Gid)
}
