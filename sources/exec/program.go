package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// program is what is run, again and again.
type program struct {
	command   []string
	env       []string
	directory string
	limit     int
	secrets   *strings.Replacer
}

// inherited are the variables that a program has without being given them.
var inherited = [...]string{"PATH", "CREDENTIALS_DIRECTORY"}

func (o *Options) program() program {
	p := program{command: o.Command, directory: o.WorkingDirectory, limit: int(o.OutputLimit), secrets: o.redact()}
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			p.env = append(p.env, name+"="+value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Env)) {
		p.env = append(p.env, name+"="+string(o.Env[name])) // of two the last one counts
	}
	return p
}

// afterwards is how long an output is waited for that somebody else has kept
// open after the program has ended.
const afterwards = time.Second

// run runs the program to its end, or to that of ctx, and returns what it
// printed, and the end of what it wrote to its standard error. Nothing that it
// has started is left, unless it has left the process group by its own will.
func (p *program) run(ctx context.Context) (output []byte, said string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", p.ended(err, "")
	}
	// The kernel takes the end of the thread that started a process for the end
	// of mcp-sd.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var stderr tail
	stdout := &capped{left: p.limit, over: func() { cancel(errTooLarge) }}
	cmd := exec.Command(p.command[0], p.command[1:]...) //nolint:noctx // its whole group is killed, see below
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = p.env, p.directory, stdout, &stderr
	cmd.SysProcAttr, cmd.WaitDelay = attributes(), afterwards
	if err := cmd.Start(); err != nil {
		return nil, "", p.failure(NotStarted, "", p.notStarted(err))
	}
	err = wait(ctx, cmd)
	said = lastWords(stderr.end, p.secrets)
	if cause := context.Cause(ctx); cause != nil {
		return nil, said, p.ended(cause, said)
	}
	switch exit := (*exec.ExitError)(nil); {
	case errors.As(err, &exit):
		return nil, said, p.failure(ExitStatus, said, errors.New(exit.String()))
	case errors.Is(err, exec.ErrWaitDelay):
		return nil, said, p.failure(BadOutput, said, errors.New("something that it has started keeps its output open"))
	case err != nil:
		return nil, said, p.failure(BadOutput, said, fmt.Errorf("reading its output: %w", err))
	}
	return stdout.text.Bytes(), said, nil
}

// wait waits for the end of the program, kills what is left of its process
// group, at once when ctx ends, and takes in how it ended.
func wait(ctx context.Context, cmd *exec.Cmd) error {
	group := -cmd.Process.Pid
	var mu sync.Mutex
	var over bool // the group's number may be somebody else's from now on
	kill := func(last bool) {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			_ = syscall.Kill(group, syscall.SIGKILL)
		}
		over = over || last
	}
	stop := context.AfterFunc(ctx, func() { kill(false) })
	defer stop()
	err := await(cmd, func() { kill(true) })
	orphans(group)
	return err
}

// ended says why mcp-sd has ended the program.
func (p *program) ended(cause error, said string) error {
	switch {
	case errors.Is(cause, errTooLarge):
		return p.failure(TooLarge, said, fmt.Errorf("it printed more than %d bytes: raise output_limit, or let it print less", p.limit))
	case errors.Is(cause, context.DeadlineExceeded):
		return p.failure(TimedOut, said, fmt.Errorf("it took longer than source_timeout and was ended: %w", cause))
	}
	return p.failure(Canceled, said, fmt.Errorf("it was ended: %w", cause))
}

func (p *program) failure(class, said string, err error) error {
	return &Failure{Class: class, Command: p.command[0], Said: said, Err: err}
}

// notStarted leaves out what the failure says already. The kernel has one error
// for a program that is missing and for a directory that is.
func (p *program) notStarted(err error) error {
	if _, missing := os.Stat(p.directory); missing != nil {
		return fmt.Errorf("going to its working directory: %w", missing)
	}
	var path *os.PathError
	var lookup *exec.Error
	switch {
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &lookup):
		err = lookup.Err
	}
	return fmt.Errorf("starting it: %w", err)
}

var errTooLarge = errors.New("too much output")

// capped keeps what is written to it up to a limit.
type capped struct {
	text bytes.Buffer
	left int
	over func() // is told when it is more
}

func (c *capped) Write(b []byte) (int, error) {
	if len(b) > c.left {
		c.left = 0
		c.over()
		return 0, errTooLarge
	}
	c.left -= len(b)
	return c.text.Write(b)
}

// tail keeps the end of what is written to it.
type tail struct{ end []byte }

func (t *tail) Write(b []byte) (int, error) {
	t.end = append(t.end, b[max(len(b)-kept, 0):]...)
	t.end = append(t.end[:0], t.end[max(len(t.end)-kept, 0):]...)
	return len(b), nil
}
