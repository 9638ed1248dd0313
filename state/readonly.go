package state

import (
	"errors"
	"io"
)

// ReadOnly is a Folder that reads and never writes: for a dry run.
type ReadOnly struct{ *Folder }

var errReadOnly = errors.New("a dry run writes no state")

// Write refuses.
func (ReadOnly) Write(string, []byte) error { return errReadOnly }

// Stream refuses.
func (ReadOnly) Stream(string, func(io.Writer) error) error { return errReadOnly }

// SetAside refuses.
func (ReadOnly) SetAside(string) (string, error) { return "", errReadOnly }
