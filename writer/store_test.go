package writer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Contract §7: staged → chmod, chgrp → fsync → parsed back → rename → fsync of
// the directory. Whatever step fails, the old file stays, nothing is left
// over, and the error names file, step and remedy.
func TestFaultAtEachStep(t *testing.T) {
	tests := []struct {
		name  string
		fault func(s *fsys)
		says  []string
	}{
		{"stage", func(s *fsys) {
			s.create = func(dir string) (*os.File, error) {
				return nil, &fs.PathError{Op: "open", Path: dir, Err: syscall.EROFS}
			}
		}, []string{"staging it", "remount the file system of"}},
		{"write", func(s *fsys) {
			s.write = func(f *os.File, b []byte) error {
				_, err := f.Write(b[:len(b)/2])
				return errors.Join(err, syscall.ENOSPC)
			}
		}, []string{"staging it", "no space left on device", "free space on the file system of"}},
		{
			"chmod", func(s *fsys) { s.chmod = func(*os.File, fs.FileMode) error { return syscall.EPERM } },
			[]string{"setting its mode", "let the user that mcp-sd runs as write to"},
		},
		{
			"chgrp", func(s *fsys) { s.chgrp = func(*os.File, int) error { return syscall.EPERM } },
			[]string{"setting its group", "make the user that mcp-sd runs as a member of that group"},
		},
		{
			"sync", func(s *fsys) { s.sync = func(*os.File) error { return syscall.EIO } },
			[]string{"syncing it to disk", "check the disk"},
		},
		{
			"read back", func(s *fsys) { s.open = func(string) (io.ReadCloser, error) { return nil, syscall.EIO } },
			[]string{"reading it back", "check the disk"},
		},
		{
			"read back other bytes", func(s *fsys) {
				s.open = func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("[]\n")), nil }
			},
			[]string{"reading it back", "3 bytes that are not the"},
		},
		{"rename", func(s *fsys) {
			s.rename = func(from, to string) error {
				return &os.LinkError{Op: "rename", Old: from, New: to, Err: syscall.EXDEV}
			}
		}, []string{"renaming it into place", ".mcp-sd must be on the same file system"}},
		{"rename onto a mount point", func(s *fsys) {
			s.rename = func(from, to string) error {
				return &os.LinkError{Op: "rename", Old: from, New: to, Err: syscall.EBUSY}
			}
		}, []string{"renaming it into place", "a file that is a mount point can't be replaced: mount the directory"}},
		{
			"quota", func(s *fsys) { s.write = func(*os.File, []byte) error { return syscall.EDQUOT } },
			[]string{"staging it", "free space on the file system of"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.open(b.out("mcp.json", interval(0), func(o *Output) { o.Group = strconv.Itoa(os.Getgid()) }))
			b.publish(tgt("a:1"))
			old := b.read("mcp.json")
			tt.fault(&b.fs)
			p, err := b.refused(tgt("b:1"))
			says(t, err, append(tt.says, "writing "+b.path("mcp.json")+": ")...)
			same(t, "old file", b.read("mcp.json"), old)
			same(t, "left over", list(t, b.path(stageName)), []string{"lock", "manifest.json"})
			same(t, "written", written(p), []string{})
			same(t, "behind", behind(p), []string{"a:1", "b:1"})

			b.fs = osFS()
			b.clock.now = p.NextAt
			same(t, "written in the end", written(b.publish(tgt("b:1"))), []string{"mcp.json"})
		})
	}
}

// What is written is parsed back under file_sd's own rules before the rename.
func TestParsedBackBeforeRename(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json"))
	d := draft{dir: b.dirs[0], path: b.path("mcp.json"), mode: 0o644, gid: -1, check: checkFile(1)}
	for body, want := range map[string]string{
		`[{"targets":["a:1"],"labels":null}]`: "no reader would take it",
		`[{"targets":["a:1","b:1"]}]`:         "it has 2 targets instead of 1",
	} {
		d.body = []byte(body)
		info, err := b.fs.store(d)
		says(t, err, want)
		same(t, "info", info, nil)
		same(t, "there", b.exists("mcp.json"), false)
	}
}

// Once renamed, the file is what readers see: it counts as published, and only
// the directory's sync is tried again.
func TestDirectorySyncFails(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json", interval(0)))
	b.publish(tgt("a:1"))
	failing := true
	b.fs.syncDir = func(dir string) error {
		if failing && dir == b.dir {
			return syscall.EIO
		}
		return syncDir(dir)
	}
	p, err := b.refused(tgt("b:1"))
	says(t, err, "mcp.json: syncing its directory", "check the disk")
	same(t, "file", b.addresses("mcp.json"), []string{"b:1"})
	same(t, "behind", p.Behind == nil, true)
	b.clock.now = p.NextAt
	p, err = b.refused(tgt("b:1"))
	says(t, err, "syncing its directory")
	failing = false
	b.clock.now = p.NextAt
	p = b.publish(tgt("b:1"))
	same(t, "written", written(p), []string{})
	same(t, "next", p.NextAt.IsZero(), true)
}

// The order of the steps is the promise.
func TestOrderOfSteps(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json", func(o *Output) { o.Group = strconv.Itoa(os.Getgid()); o.Mode = "0640" }))
	b.publish(tgt("a:1"))
	var steps []string
	s, real := &b.fs, osFS()
	s.create = func(d string) (*os.File, error) {
		steps = append(steps, "create in "+filepath.Base(d))
		return real.create(d)
	}
	s.write = func(f *os.File, body []byte) error { steps = append(steps, "write"); return real.write(f, body) }
	s.chmod = func(f *os.File, m fs.FileMode) error {
		if ext := filepath.Ext(f.Name()); ext == ".json" || ext == ".yml" || ext == ".yaml" {
			t.Errorf("staged as %s", f.Name())
		}
		steps = append(steps, "chmod "+m.String())
		return real.chmod(f, m)
	}
	s.chgrp = func(f *os.File, g int) error { steps = append(steps, "chgrp"); return real.chgrp(f, g) }
	s.sync = func(f *os.File) error { steps = append(steps, "sync"); return real.sync(f) }
	s.open = func(p string) (io.ReadCloser, error) { steps = append(steps, "read"); return real.open(p) }
	s.rename = func(from, to string) error {
		steps = append(steps, "rename to "+filepath.Base(to))
		return real.rename(from, to)
	}
	s.syncDir = func(d string) error {
		steps = append(steps, fmt.Sprint("sync of the directory ", d == b.dir))
		return real.syncDir(d)
	}
	b.clock.step(1e10)
	b.publish(tgt("b:1"))
	same(t, "steps", steps, []string{"create in .mcp-sd", "write", "chmod -rw-r-----", "chgrp", "sync", "read", "rename to mcp.json", "sync of the directory true"})
}

// The mode is what the configuration says, whatever the umask (0600 output is
// what Prometheus' own adapter gets wrong).
func TestModeWhateverTheUmask(t *testing.T) {
	was := unix.Umask(0)
	defer unix.Umask(was)
	for _, mask := range []int{0o077, 0o027, 0} {
		b := newBench(t)
		unix.Umask(mask)
		b.open(b.out("mcp.json"), b.out("group.json", func(o *Output) { o.Mode = "0664" }))
		b.publish(tgt("a:1"))
		same(t, "mode", perm(t, b.path("mcp.json")), 0o644)
		same(t, "mode", perm(t, b.path("group.json")), 0o664)
	}
}

// A changed mode reaches the file with the next start, though its bytes stay.
func TestModeChange(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json"))
	b.publish(tgt("a:1"))
	b.open(b.out("mcp.json", func(o *Output) { o.Mode = "0640" }))
	same(t, "written", written(b.publish(tgt("a:1"))), []string{"mcp.json"})
	same(t, "mode", perm(t, b.path("mcp.json")), 0o640)
	b.clock.step(1e10)
	same(t, "written", written(b.publish(tgt("a:1"))), []string{})
}

// A symbolic link is never replaced; the directory may be one.
func TestSymbolicLinks(t *testing.T) {
	b := newBench(t)
	elsewhere := filepath.Join(t.TempDir(), "real.json")
	ok(t, os.WriteFile(elsewhere, []byte("[]\n"), 0o600))
	b.open(b.out("mcp.json"))
	b.publish(tgt("a:1"))
	ok(t, os.Remove(b.path("mcp.json")))
	ok(t, os.Symlink(elsewhere, b.path("mcp.json")))
	b.clock.step(1e10)
	_, err := b.refused(tgt("b:1"))
	says(t, err, "is no regular file but a symbolic link, which a rename would replace: remove the link")
	body, err := os.ReadFile(elsewhere)
	ok(t, err)
	same(t, "what it leads to", string(body), "[]\n")
	ok(t, os.Remove(b.path("mcp.json")))

	link := filepath.Join(t.TempDir(), "link")
	ok(t, os.Symlink(b.dir, link))
	o := DefaultOutput()
	o.Path = filepath.Join(link, "mcp.json")
	b.open(o)
	b.publish(tgt("c:1"))
	same(t, "through the link", b.addresses("mcp.json"), []string{"c:1"})
}

// Contract §7: a reader sees the old file or the new one, never less.
func TestReaderNeverSeesATornFile(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json", interval(0)))
	small, large := fleet(1, 1), fleet(5_000, 50)
	b.publish(small...)
	done, reads := make(chan struct{}), 0
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			body, err := os.ReadFile(b.path("mcp.json"))
			ts, perr := Parse(body)
			if err != nil || perr != nil || len(ts) != 1 && len(ts) != 5_000 {
				t.Errorf("%d targets: %v, %v", len(ts), err, perr)
				return
			}
			reads++
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for range 30 {
		b.publish(large...)
		b.publish(small...)
	}
	close(done)
	reader.Wait()
	if reads == 0 {
		t.Fatal("nothing was read")
	}
}
