package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// step is how long each call takes that changes what is on the disk: long
// enough to be killed between any two.
const step = 10 * time.Millisecond

// TestKilledAtEachStep kills a pass that removes a target, a little later each
// time, and in larger steps where the pass is a long one. The file is the old one or the new one; if it is the new one, the
// removal is on record; and the next pass does the rest.
func TestKilledAtEachStep(t *testing.T) {
	t.Parallel()
	s := newStepCase(t)
	// A busy machine may let a pass end before it kills it: only three in a row
	// say that there is nothing left to kill.
	for after, ended := step/2, 0; ended < 3; {
		if !s.killed(t, after) {
			ended++
			continue
		}
		s.holds(t, after)
		after, ended = after+max(step, after/20), 0
	}
	t.Logf("%d of %d kills left the old file", s.old, s.kills)
	if s.old == 0 || s.old == s.kills {
		t.Error("all kills came before the new file or after it: want some of each")
	}
}

type stepCase struct {
	*rack
	before     string // copies of what is there before each pass
	was        map[string]labels
	kills, old int
}

func newStepCase(t *testing.T) *stepCase {
	s := &stepCase{rack: newRack(t)}
	s.run(t).expectSilence(t)
	s.before, s.was = t.TempDir(), s.want
	copyTree(t, s.targets, filepath.Join(s.before, "targets"))
	copyTree(t, s.state, filepath.Join(s.before, "state"))
	s.fleet.set(rackIP(3), off)
	s.lists(t, "v2", 1, 2, 4)
	return s
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// killed runs a pass that is killed this long after it begins to write its
// state, and reports whether that was before its end.
func (s *stepCase) killed(t *testing.T, after time.Duration) bool {
	t.Helper()
	copyTree(t, filepath.Join(s.before, "targets"), s.targets)
	copyTree(t, filepath.Join(s.before, "state"), s.state)
	begins := watchDir(t, s.state)
	defer begins.close()
	s.wrap = []string{
		need(t, strace), "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null",
		"-e", "trace=fsync,renameat,fchmod", "-e", "inject=fsync,renameat,fchmod:delay_enter=10ms",
	}
	args := append(s.commandLine(), "--once")
	s.wrap = nil
	pass := startProcess(t, "mcp-sd", args[0], args[1:]...)
	begins.wait(t, ".state.json")
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case <-pass.done:
		if pass.err != nil {
			t.Fatalf("the pass ended with %v:\n%s", pass.err, pass.logTail())
		}
		return false
	case <-timer.C:
		pass.kill()
		s.kills++
		s.letGo(t)
		return true
	}
}

// letGo waits for the killed pass to be gone: what was started and waited for
// is its tracer, which may end a moment before it.
func (s *stepCase) letGo(t *testing.T) {
	t.Helper()
	for _, path := range []string{filepath.Join(s.state, "lock"), filepath.Join(s.targets, ".mcp-sd", "lock")} {
		lock, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
			t.Fatalf("waiting for %s: %v", path, err)
		}
		_ = lock.Close()
	}
}

func (s *stepCase) holds(t *testing.T, after time.Duration) {
	t.Helper()
	if fileHas(s.file(), s.was) == nil {
		s.old++
	} else if err := s.written(); err != nil {
		t.Errorf("after a kill at %s the file is neither the old nor the new one: %v", after, err)
	} else if got := s.calls(t, "explain", s.address(3)); !strings.Contains(got.stdout, "removed") {
		t.Errorf("after a kill at %s the target is gone, and nothing is known about it:\n%s%s", after, got.stdout, got.stderr)
	}
	s.run(t).expectSilence(t)
	if err := s.written(); err != nil {
		t.Errorf("the pass after a kill at %s: %v", after, err)
	}
}
