// Package stage starts the real programs that the benchmarks compare, on free
// loopback ports, and ends them: Consul, Prometheus 3, consul-template, and
// mcp-sd itself.
//
// Nothing outlives a Stage: its programs are killed when it closes, and by the
// kernel if the benchmark itself dies. Their logs are in its directory, the end
// of which is shown with the error when one of them fails.
package stage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mcp-sd/mcp-sd/house/ports"
)

// Stage is where one scenario plays.
type Stage struct {
	// Dir is for whatever the scenario writes; it is deleted by Close.
	Dir  string
	bins *Programs
	ctx  context.Context
	ends []func()
}

// New prepares an empty stage. Its programs end with ctx, or with Close.
func New(ctx context.Context, programs *Programs) (*Stage, error) {
	dir, err := os.MkdirTemp("", "mcp-sd-bench-")
	if err != nil {
		return nil, err
	}
	return &Stage{Dir: dir, bins: programs, ctx: ctx}, nil
}

// Close ends what runs, in reverse order, and deletes the directory.
func (s *Stage) Close() {
	for i := len(s.ends) - 1; i >= 0; i-- {
		s.ends[i]()
	}
	_ = os.RemoveAll(s.Dir)
}

// OnClose has end called when the stage closes.
func (s *Stage) OnClose(end func()) { s.ends = append(s.ends, end) }

// Path returns the path of a new directory below Dir.
func (s *Stage) Path(name string) (string, error) {
	dir, err := os.MkdirTemp(s.Dir, name+"-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755) //nolint:gosec // as an operator would
}

// freePorts are n free ones.
func freePorts(n int) ([]int, error) {
	free := make([]int, n)
	for i := range free {
		var err error
		if free[i], err = ports.Next(); err != nil {
			return nil, err
		}
	}
	return free, nil
}

// Write puts a file into place at once, as configuration management does.
func Write(path string, content []byte) error {
	staged := path + ".new"
	if err := os.WriteFile(staged, content, 0o644); err != nil { //nolint:gosec // as an operator would
		return err
	}
	return os.Rename(staged, path)
}

// Await polls until check returns nil, and returns its last error when that
// takes longer than limit.
func Await(ctx context.Context, every, limit time.Duration, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := check()
		if err == nil || errors.Is(err, ErrEnded) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("still after %s: %w", limit, err)
		case <-tick.C:
		}
	}
}

// Pause waits, or ends early with ctx.
func Pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// FileSystem names the type of the file system that dir is on, as Linux's
// mount table has it, because fsync costs differ.
func FileSystem(dir string) string {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "unknown"
	}
	best, kind := "", "unknown"
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) < 3 || len(f[1]) < len(best) {
			continue
		}
		if rel, err := filepath.Rel(f[1], dir); err == nil && !strings.HasPrefix(rel, "..") {
			best, kind = f[1], f[2]
		}
	}
	return kind
}
