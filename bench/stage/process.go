package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrEnded is the error of a program that should run and does not.
var ErrEnded = errors.New("it has ended")

// Process is a program that runs on a stage.
type Process struct {
	Name string
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// Start runs a program until the stage closes.
func (s *Stage) Start(name, path string, args ...string) (*Process, error) {
	return s.StartWith(nil, name, path, args...)
}

// StartWith is Start with additional environment variables.
func (s *Stage) StartWith(env []string, name, path string, args ...string) (*Process, error) {
	log, err := os.CreateTemp(s.Dir, name+"-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &Process{Name: name, log: log.Name(), done: make(chan struct{})}
	p.cmd = exec.CommandContext(s.ctx, path, args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(os.Environ(), env...)
	// The kernel ends it even if the benchmark is killed.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	s.OnClose(p.Kill)
	return p, nil
}

// Kill ends the program at once; it may have ended already.
func (p *Process) Kill() {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	}
}

// Running is nil while the program lives; else the error holds the end of its
// log.
func (p *Process) Running() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s: %w: %s\n%s", p.Name, ErrEnded, p.cmd.ProcessState, p.Log())
	default:
		return nil
	}
}

// Log is the end of what the program has printed.
func (p *Process) Log() []byte {
	log, err := os.ReadFile(p.log)
	if err != nil {
		return []byte(err.Error())
	}
	const keep = 4 << 10
	return bytes.TrimSpace(log[max(len(log)-keep, 0):])
}

// CPU is the processor time that the program has used so far.
func (p *Process) CPU() (time.Duration, error) {
	stat, err := os.ReadFile(p.proc("stat"))
	if err != nil {
		return 0, err
	}
	// The second field is the name in parentheses, which may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("%s has %d fields", p.proc("stat"), len(fields))
	}
	const ticks = 100 // USER_HZ is that on every architecture Go runs on
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / ticks, err
}

// Memory is the resident memory of the program, and the most that it ever had,
// in bytes.
func (p *Process) Memory() (now, peak int64, err error) {
	status, err := os.ReadFile(p.proc("status"))
	if err != nil {
		return 0, 0, err
	}
	return memoryOf(status, "VmRSS:"), memoryOf(status, "VmHWM:"), nil
}

// OwnPeak is the most resident memory that this process ever had, in bytes.
func OwnPeak() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	return memoryOf(status, "VmHWM:")
}

func memoryOf(status []byte, field string) int64 {
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10
		}
	}
	return 0
}

// Files is the number of files and connections that the program has open.
func (p *Process) Files() (int, error) {
	fds, err := os.ReadDir(p.proc("fd"))
	return len(fds), err
}

func (p *Process) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), name)
}

// Run runs a program to its end and returns what it printed and how long the
// whole process took.
func Run(ctx context.Context, path string, args ...string) (stdout []byte, took time.Duration, err error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return nil, 0, fmt.Errorf("%s %s: %w\n%s", filepath.Base(path), strings.Join(args, " "), err, errs.Bytes())
	}
	return out.Bytes(), time.Since(start), nil
}
