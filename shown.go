package main

import (
	"fmt"
	"sync/atomic"

	"github.com/mcp-sd/mcp-sd/config"
	"github.com/mcp-sd/mcp-sd/web"
	"github.com/mcp-sd/mcp-sd/writer"
)

// shown is what readers see of the configuration in force, whichever goroutine
// they are in.
type shown struct{ latest atomic.Pointer[configured] }

type configured struct {
	writer   *writer.Writer
	previous *writer.Writer // its files count until the newer one has loaded its own
	yaml     []byte
}

// take makes a configuration the one that is shown.
func (s *shown) take(c *config.Config, w *writer.Writer) error {
	yaml, err := c.Marshal()
	if err != nil {
		return fmt.Errorf("writing down the configuration in force: %w", err)
	}
	next := &configured{writer: w, yaml: yaml}
	if old := s.latest.Load(); old != nil {
		next.previous = old.loaded()
	}
	s.latest.Store(next)
	return nil
}

// loaded is the newest writer that knows its files, or nil.
func (c *configured) loaded() *writer.Writer {
	if c.writer.Snapshot() != nil {
		return c.writer
	}
	return c.previous
}

// files are the output files as they are; nil before they were loaded for the
// first time.
func (s *shown) files() []web.File {
	c := s.latest.Load()
	if c == nil || c.loaded() == nil {
		return nil
	}
	snapshot := c.loaded().Snapshot()
	files := make([]web.File, 0, len(snapshot))
	for _, f := range snapshot {
		files = append(files, web.File{
			Path: f.Path, Body: f.Body, Targets: f.Targets, Digest: fmt.Sprintf("%012x", f.Hash),
			WrittenAt: f.WrittenAt, Err: f.Err,
		})
	}
	return files
}

// settle lets go of the previous writer once the newer one knows its files.
func (s *shown) settle() {
	c := s.latest.Load()
	if c != nil && c.previous != nil && c.writer.Snapshot() != nil {
		s.latest.CompareAndSwap(c, &configured{writer: c.writer, yaml: c.yaml})
	}
}

func (s *shown) configuration() []byte {
	if c := s.latest.Load(); c != nil {
		return c.yaml
	}
	return nil
}
