package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// ErrLocked is in the error chain where another process uses the folder (exit
// status 4, contract §2).
var ErrLocked = errors.New("another mcp-sd uses the state directory")

// Lock keeps other programs from using the folder, until the result is called
// or the process ends. Two that write different outputs are kept apart by
// nothing else.
func (f *Folder) Lock() (release func() error, err error) {
	if err := os.MkdirAll(f.path, 0o700); err != nil {
		return nil, fmt.Errorf("making the state directory: %w", err)
	}
	l := flock.New(filepath.Join(f.path, "lock"), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	locked, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking the state directory %q: %w", f.path, err)
	}
	if !locked {
		return nil, fmt.Errorf("%w %q: stop it first, or give each its own --state.path", ErrLocked, f.path)
	}
	return l.Close, nil
}
