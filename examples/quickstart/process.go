package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"
)

// grace is how long a process may take to end by itself.
const grace = 6 * time.Second

// A process is a program that runs until its context ends.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // valid once done
}

// start runs a program in dir. When ctx ends, it gets SIGTERM.
func start(ctx context.Context, dir string, out, errs io.Writer, program string, args ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, errs
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = grace
	cmd.SysProcAttr = attached()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// ended says how it ended; it must be done.
func (p *process) ended() error {
	if p.err == nil {
		return errors.New("it ended by itself")
	}
	return fmt.Errorf("it ended by itself: %w", p.err)
}

func (p *process) pid() int { return p.cmd.Process.Pid }
