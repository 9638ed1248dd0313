package e2e

import (
	"bytes"
	"encoding/binary"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A dirWatch tells when a file is created in a directory: the beginning of a
// write, where it is one in which mcp-sd prepares its files.
type dirWatch struct {
	inotify *os.File
	unread  []byte
}

func watchDir(t testing.TB, dir string) *dirWatch {
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	d := &dirWatch{inotify: os.NewFile(uintptr(fd), "inotify")}
	if _, err := syscall.InotifyAddWatch(fd, dir, syscall.IN_CREATE); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *dirWatch) close() { _ = d.inotify.Close() }

// wait returns when the next file is created whose name begins like this.
func (d *dirWatch) wait(t testing.TB, prefix string) {
	t.Helper()
	if err := d.inotify.SetReadDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	for {
		for len(d.unread) > 0 {
			if strings.HasPrefix(d.next(), prefix) {
				return
			}
		}
		buf := make([]byte, 64<<10)
		n, err := d.inotify.Read(buf)
		if err != nil {
			t.Fatalf("waiting for mcp-sd to write: %v", err)
		}
		d.unread = buf[:n]
	}
}

// next takes one event off those that were read, and returns its file's name.
func (d *dirWatch) next() string {
	end := syscall.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(d.unread[12:]))
	name := bytes.TrimRight(d.unread[syscall.SizeofInotifyEvent:end], "\x00")
	d.unread = d.unread[end:]
	return string(name)
}
