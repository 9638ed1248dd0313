package exec

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pidOf waits for a program to write a number into a file.
func (s *script) pidOf(name string) int {
	s.tb.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-time.After(5 * time.Millisecond) {
		text, _ := os.ReadFile(filepath.Join(s.dir, name))
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && strings.HasSuffix(string(text), "\n") {
			return pid
		}
	}
	s.tb.Fatalf("nothing is in %s", name)
	return 0
}

// state is the letter that the kernel has for a process; "" for none.
func state(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return rest[:1]
}

func gone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(5 * time.Millisecond) {
		now := state(pid)
		if now == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d is still there, in state %s", pid, now)
		}
	}
}

// adopts makes the test what mcp-sd is in a container: orphans come to it.
func adopts(t *testing.T) {
	t.Helper()
	set := func(on uintptr) {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, on, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	set(1)
	t.Cleanup(func() { set(0) })
}

// A program that is ended takes all that it has started along, and what it
// leaves behind when it ends by itself goes as well; none stays as a zombie.
func TestNothingIsLeft(t *testing.T) {
	adopts(t)
	const child = "sh -c 'echo $$ >child; exec sleep 600' & "
	t.Run("ended by mcp-sd", func(t *testing.T) {
		s := newScript(t, child+"echo $$ >leader; wait")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.lists(ctx).Err }()
		pids := []int{s.pidOf("child"), s.pidOf("leader")}
		cancel()
		checkFailure(t, <-done, Canceled, "it was ended: context canceled")
		for _, pid := range pids {
			gone(t, pid)
		}
	})
	t.Run("ended by itself", func(t *testing.T) {
		s := newScript(t, child+"until [ -s child ]; do sleep 0.01; done\n"+one)
		began := time.Now()
		if p := s.lists(t.Context()); p.Err != nil || len(p.Raw) != 2 {
			t.Errorf("%v: %v", p.Err, p.Raw)
		}
		gone(t, s.pidOf("child"))
		if time.Since(began) > 20*time.Second {
			t.Errorf("it took %s", time.Since(began))
		}
	})
	t.Run("after too much output", func(t *testing.T) {
		s := newScript(t, "trap '' PIPE; "+child+"until [ -s child ]; do sleep 0.01; done; cat /dev/zero; sleep 600")
		checkFailure(t, s.lists(t.Context()).Err, TooLarge, "it printed more than 16777216 bytes")
		gone(t, s.pidOf("child"))
	})
}

// What has left the process group can keep the output open: then nobody knows
// whether it is whole.
func TestOutputKeptOpen(t *testing.T) {
	s := newScript(t, "setsid sh -c 'echo $$ >child; exec sleep 600' & until [ -s child ]; do sleep 0.01; done\n"+one)
	checkFailure(t, s.lists(t.Context()).Err, BadOutput, "something that it has started keeps its output open")
	_ = unix.Kill(s.pidOf("child"), unix.SIGKILL)
}

// Should mcp-sd be killed, the kernel ends the program.
func TestDiesWithIt(t *testing.T) {
	if a := attributes(); a.Pdeathsig != unix.SIGKILL || !a.Setpgid {
		t.Errorf("%+v", a)
	}
}
