package writer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Contract §7 on real mounts: a full disk, a read-only one, and a single file
// that is bind-mounted. They need a mount namespace; where the machine grants
// none, TestFaultAtEachStep has the same errors injected, and this test can
// only say so.
func TestRealMounts(t *testing.T) {
	cmd := child("mounts", t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		t.Logf("%s", out)
	case errors.As(err, &exit):
		t.Fatalf("%s", out)
	default:
		t.Logf("no mount namespace here: %v", err)
	}
}

// errNoMounts is the machine's refusal to mount anything.
var errNoMounts = errors.New("nothing can be mounted here")

func mount(source, dir, kind string, flags uintptr, data string) error {
	if err := unix.Mount(source, dir, kind, flags, data); err != nil {
		return fmt.Errorf("%w: %s: %w", errNoMounts, dir, err)
	}
	return nil
}

// inMounts runs in the child, in a mount namespace of its own.
func inMounts(dir string) error {
	err := mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	for _, test := range []func(string) error{fullDisk, readOnlyDisk, boundFile} {
		if err == nil {
			err = test(dir)
		}
	}
	if errors.Is(err, errNoMounts) {
		fmt.Println(err)
		return nil
	}
	return err
}

// over opens a writer in a child's directory and publishes a first target.
func over(dir string) (*Writer, error) {
	w, err := Open(childOptions(dir))
	if err == nil {
		_, err = w.Publish(context.Background(), refs(generation(1)))
	}
	return w, err
}

// expectFailure publishes something else, which must fail with these words,
// and looks after the old files.
func expectFailure(w *Writer, dir string, words ...string) error {
	before, err := os.ReadFile(filepath.Join(dir, "mcp-env1.json"))
	if err != nil {
		return err
	}
	_, err = w.Publish(context.Background(), refs(append(generation(2), fleet(20_000, 20_000)...)))
	for _, word := range words {
		if err == nil || !strings.Contains(err.Error(), word) {
			return fmt.Errorf("publishing: error %w lacks %q", err, word)
		}
	}
	after, err := os.ReadFile(filepath.Join(dir, "mcp-env1.json"))
	if string(after) != string(before) {
		return fmt.Errorf("the old file has changed: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, stageName, stagedPrefix+"*"))
	if len(left) > 0 || err != nil {
		return fmt.Errorf("left over: %v %w", left, err)
	}
	return nil
}

func fullDisk(dir string) error {
	if err := mount("tmpfs", dir, "tmpfs", 0, "size=200k"); err != nil {
		return err
	}
	w, err := over(dir)
	if err != nil {
		return err
	}
	filler, err := os.Create(filepath.Join(dir, "filler"))
	for err == nil {
		_, err = filler.Write(make([]byte, 1<<12))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	if err := expectFailure(w, dir, "mcp-env1.json: staging it", "no space left on device: free space on the file system of "+dir); err != nil {
		return err
	}
	if err := errors.Join(filler.Close(), os.Remove(filler.Name())); err != nil {
		return err
	}
	if _, err := w.Flush(context.Background()); err == nil || strings.Contains(err.Error(), "mcp-env") {
		return fmt.Errorf("with room again: %w", err) // the 20,000 have no room yet
	}
	fmt.Println("full disk: tested")
	return errors.Join(w.Close(), unix.Unmount(dir, 0))
}

func readOnlyDisk(dir string) error {
	if err := mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		return err
	}
	w, err := over(dir)
	if err != nil {
		return err
	}
	if err := w.Close(); err != nil { // an open file would keep it from turning read-only
		return err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("remounting: %w", err)
	}
	if err := expectFailure(w, dir, "mcp-env1.json: staging it", "read-only file system: remount the file system of "+dir); err != nil {
		return err
	}
	fmt.Println("read-only disk: tested")
	return unix.Unmount(dir, 0)
}

func boundFile(dir string) error {
	w, err := over(dir)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "mcp-env1.json")
	if err := mount(file, file, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if err := expectFailure(w, dir, "mcp-env1.json: renaming it into place", "mount the directory "+dir+" instead of the single file"); err != nil {
		return err
	}
	fmt.Println("bind-mounted file: tested")
	return errors.Join(w.Close(), unix.Unmount(file, 0))
}
