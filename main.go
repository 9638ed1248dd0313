// Command mcp-sd discovers MCP servers, probes their metrics endpoints, and
// keeps Prometheus file_sd files true (see README.md).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/mcp-sd/mcp-sd/config"
	"github.com/mcp-sd/mcp-sd/state"
	"github.com/mcp-sd/mcp-sd/writer"
)

// Exit statuses of --once (contract §2). 2 is what a crashed Go program
// returns, and means nothing else here.
const (
	exitOK      = 0
	exitFailure = 1 // invalid configuration, or an output or the state could not be written
	exitHeld    = 3 // the guard holds removals back
	exitLocked  = 4 // another mcp-sd holds the output
	exitPartial = 5 // part of a source failed, and its last good targets were kept
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the whole program but for the process around it.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	f, code, ok := parse(args, stdout, stderr)
	if !ok {
		return code
	}
	code, err := newApp(f, stdout, stderr).command(ctx)
	if err != nil {
		report(stderr, err)
		return exitCode(err)
	}
	return code
}

// command runs what the command line asked for.
func (a *app) command(ctx context.Context) (int, error) {
	switch a.flags.command {
	case checkConfig:
		return exitOK, a.checkConfig()
	case adopt:
		return exitOK, a.adopt()
	case explain, targets, accept, remove:
		return exitOK, a.ask(ctx)
	}
	libraries(a.logger)
	if a.flags.once {
		return a.once(ctx)
	}
	return exitOK, a.daemon(ctx)
}

// report tells of an error that ends the program: configuration errors line by
// line, as compilers do, others after the program's name.
func report(w io.Writer, err error) {
	var bad *config.Errors
	if errors.As(err, &bad) {
		fmt.Fprintln(w, bad)
		return
	}
	fmt.Fprintln(w, "mcp-sd:", err)
}

func exitCode(err error) int {
	if errors.Is(err, writer.ErrLocked) || errors.Is(err, state.ErrLocked) {
		return exitLocked
	}
	return exitFailure
}
