package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// A mountView is a mount namespace: what is mounted in it is seen by those
// alone who were started in it. It lives on a thread of this process and ends
// with it, mounts and all, whatever becomes of the test.
type mountView struct {
	thread string // its folder in /proc
	calls  chan func()
}

// newMountView needs root.
func newMountView(t testing.TB) *mountView {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test mounts file systems: run it as root")
	}
	if _, err := exec.LookPath("nsenter"); err != nil {
		t.Fatalf("%v\ninstall it: apt-get install --no-install-recommends util-linux", err)
	}
	m := &mountView{calls: make(chan func())}
	lives := make(chan error)
	go m.live(lives)
	if err := <-lives; err != nil {
		t.Fatalf("making a mount namespace: %v", err)
	}
	t.Cleanup(func() { close(m.calls) })
	return m
}

// live is the thread. It is never unlocked, so that it ends with the goroutine
// instead of serving others in the wrong namespace.
func (m *mountView) live(lives chan<- error) {
	runtime.LockOSThread()
	err := syscall.Unshare(syscall.CLONE_NEWNS)
	if err == nil {
		err = syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	}
	m.thread = fmt.Sprintf("/proc/%d/task/%d", os.Getpid(), syscall.Gettid())
	lives <- err
	for call := range m.calls {
		call()
	}
}

func (m *mountView) do(t testing.TB, what string, f func() error) {
	t.Helper()
	done := make(chan error)
	m.calls <- func() { done <- f() }
	if err := <-done; err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// see is the path under which the test itself sees a file of the view.
func (m *mountView) see(path string) string { return filepath.Join(m.thread, "root", path) }

// wrap is what a command line begins with that is to run in the view.
func (m *mountView) wrap() []string {
	return []string{"nsenter", "--mount=" + filepath.Join(m.thread, "ns/mnt"), "--"}
}

// tmpfs mounts an empty file system, which holds no more than size.
func (m *mountView) tmpfs(t testing.TB, dir, size string) {
	t.Helper()
	m.do(t, "mounting a tmpfs", func() error {
		return syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=755,size="+size)
	})
}

func (m *mountView) bind(t testing.TB, from, to string) {
	t.Helper()
	m.do(t, "bind-mounting", func() error { return syscall.Mount(from, to, "", syscall.MS_BIND, "") })
}

// readOnly lets nobody write to dir any more, not even those who have files
// open there, for which a mere remount would wait.
func (m *mountView) readOnly(t testing.TB, dir string) {
	t.Helper()
	m.bind(t, dir, dir)
	m.do(t, "remounting read-only", func() error {
		return syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, "")
	})
}

// unmount takes the topmost mount away, whoever uses it.
func (m *mountView) unmount(t testing.TB, path string) {
	t.Helper()
	m.do(t, "unmounting", func() error { return syscall.Unmount(path, syscall.MNT_DETACH) })
}

// fill leaves no byte free in a directory, until the filler is removed.
func fill(t testing.TB, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4<<10); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
}

func empty(t testing.TB, dir string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, "filler")); err != nil {
		t.Fatal(err)
	}
}
