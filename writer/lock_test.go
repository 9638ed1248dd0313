package writer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Contract §7: one writer at a time. Exit status 4 (§2) hangs on ErrLocked.
func TestOneWriterAtATime(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json"))
	_, err := Open(b.options)
	same(t, "locked", errors.Is(err, ErrLocked), true)
	says(t, err, b.dir, fmt.Sprintf("another mcp-sd holds the output (process %d): stop it first, or give each a directory of its own", os.Getpid()))

	link := filepath.Join(t.TempDir(), "link")
	ok(t, os.Symlink(b.dir, link))
	o := b.options
	o.Outputs = []Output{DefaultOutput()}
	o.Outputs[0].Path = filepath.Join(link, "other.json")
	_, err = Open(o)
	same(t, "locked under another name", errors.Is(err, ErrLocked), true)

	o = b.options
	o.DryRun = true
	w, err := Open(o)
	ok(t, err)
	ok(t, w.Close())

	ok(t, b.Close())
	w, err = Open(b.options)
	ok(t, err)
	ok(t, w.Close())
}

// Where one of several directories is locked, none stays locked by us.
func TestOpenGivesBackWhatItTook(t *testing.T) {
	a, b := newBench(t), newBench(t)
	a.open(a.out("mcp.json"))
	o := b.options
	o.Outputs = []Output{b.out("mcp.json"), a.out("mcp.json")}
	_, err := Open(o)
	same(t, "locked", errors.Is(err, ErrLocked), true)
	b.open(b.out("mcp.json"))
}

// A directory of an earlier configuration that another mcp-sd uses now is left
// to it, with a warning.
func TestPreviousDirectoryInUse(t *testing.T) {
	theirs, b := newBench(t), newBench(t)
	theirs.open(theirs.out("mcp.json"))
	theirs.publish(tgt("a:1"))
	b.options.PreviousDirs = []string{theirs.dir}
	b.open(b.out("mcp.json"))
	b.publish(tgt("b:1"))
	same(t, "theirs", theirs.addresses("mcp.json"), []string{"a:1"})
	if log := b.log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "another mcp-sd holds the output") {
		t.Fatal(log)
	}
}

// A reload takes over without letting go of the lock.
func TestReopen(t *testing.T) {
	b := newBench(t)
	b.open(b.out("a.json"))
	b.publish(tgt("x:1"))
	old := b.Writer
	o := b.options
	o.Outputs = []Output{b.out("b.json")}
	w, err := old.Reopen(o)
	ok(t, err)
	b.publish(tgt("x:1"), tgt("y:1")) // the old one goes on meanwhile
	b.clock.step(1e10)
	same(t, "written", written(b.publish(tgt("y:1"))), []string{"a.json"})
	ok(t, old.Close())
	_, err = Open(b.options)
	same(t, "still locked", errors.Is(err, ErrLocked), true)

	b.Writer = w
	published, err := w.Load()
	ok(t, err)
	same(t, "published", list2(published), "a.json")
	same(t, "written", written(b.publish(tgt("y:1"))), []string{"a.json", "b.json"})
	same(t, "old", b.addresses("a.json"), []string{})
	ok(t, w.Close())
	b.open(b.out("b.json"))
}

// A reload to another directory keeps the old one in view.
func TestReopenElsewhere(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json"))
	b.publish(tgt("x:1"))
	old, was := b.Writer, b.path("mcp.json")
	b.dir = t.TempDir()
	o := b.options
	o.Outputs = []Output{b.out("mcp.json")}
	w, err := old.Reopen(o)
	ok(t, err)
	ok(t, old.Close())
	b.Writer = w
	same(t, "written", len(b.publish(tgt("x:1")).Written), 2)
	body, err := os.ReadFile(was)
	ok(t, err)
	same(t, "old file", string(body), "[]\n")
	ok(t, w.Close())
}

// Contract §7: stale staging files are swept while the lock is held; nothing
// else is.
func TestSweep(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json"))
	b.publish(tgt("a:1"))
	b.put(".mcp-sd/stage-123", "half a fi")
	b.put(".mcp-sd/notes.txt", "somebody's")
	b.options.DryRun = true
	b.open(b.out("mcp.json"))
	same(t, "a dry run sweeps nothing", len(list(t, b.path(stageName))), 4)
	b.options.DryRun = false
	b.open(b.out("mcp.json"))
	same(t, "left", list(t, b.path(stageName)), []string{"lock", "manifest.json", "notes.txt"})
}

// Contract §2: an output directory that is missing or unwritable at the start
// can't be mended by waiting; all are named at once.
func TestOpenChecksDirectories(t *testing.T) {
	b := newBench(t)
	b.put("file", "")
	ok(t, os.Mkdir(b.path("shut"), 0o500))
	ok(t, os.Mkdir(b.path("odd"), 0o700))
	b.put("odd/.mcp-sd", "")
	o := b.options
	for _, name := range []string{"none/a.json", "file/a.json", "odd/a.json", "b-{x}.json"} {
		o.Outputs = append(o.Outputs, b.out(name))
	}
	_, err := Open(o)
	says(t, err, `none" does not exist: create it`, `file" is no directory`, `odd/.mcp-sd" is no directory: move it away`, "{x} is unknown")

	o.Outputs = []Output{b.out("shut/a.json")}
	asNobody(t, func() { _, err = Open(o) })
	says(t, err, `shut" is not writable: permission denied: let the user that mcp-sd runs as write to`)

	o.Outputs = []Output{b.out("m-{environment}.json"), b.out("m-x.json")}
	_, err = Open(o)
	says(t, err, "can be the same file")
}

// A directory that turns read-only while running is a failed write like any
// other.
func TestDirectoryTurnsReadOnly(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json", interval(0)))
	b.publish(tgt("a:1"))
	ok(t, os.Chmod(b.dir, 0o555))
	t.Cleanup(func() { ok(t, os.Chmod(b.dir, 0o700)) })
	ok(t, os.Chmod(b.path(stageName), 0o777))
	var err error
	asNobody(t, func() { _, err = b.Publish(t.Context(), nil) })
	says(t, err, "permission denied: let the user that mcp-sd runs as write to "+b.dir)
	same(t, "old file", b.addresses("mcp.json"), []string{"a:1"})
}

// asNobody runs f without root's right to pass every mode by, where the test
// has that right.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	const nobody = 65534
	ok(t, os.Chmod(filepath.Dir(t.TempDir()), 0o755)) // only root passes by the mode it comes with
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		// The bare call concerns this thread alone.
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			done <- errno
			return
		}
		f()
		done <- nil
	}()
	ok(t, <-done)
}

// Two outputs may share a directory under two names.
func TestOneDirectoryTwoNames(t *testing.T) {
	b := newBench(t)
	link := filepath.Join(t.TempDir(), "link")
	ok(t, os.Symlink(b.dir, link))
	o := DefaultOutput()
	o.Path = filepath.Join(link, "b.json")
	b.open(b.out("a.json"), o)
	b.publish(tgt("x:1"))
	same(t, "files", strings.Join(list(t, b.dir), " "), ".mcp-sd a.json b.json")

	same1 := DefaultOutput()
	same1.Path = filepath.Join(link, "a.json")
	opts := b.options
	opts.Outputs = []Output{b.out("a.json"), same1}
	ok(t, b.Close())
	_, err := Open(opts)
	says(t, err, "can be the same file")
}
