package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"github.com/mcp-sd/mcp-sd/cli"
	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/web"
)

// socket is where the daemon takes commands (contract §2).
func (f *flags) socket() string { return filepath.Join(f.statePath, "control.sock") }

// control serves the control socket until ctx ends. That it can't be had is no
// reason not to run: it is logged.
func (a *app) control(ctx context.Context, engine *discovery.Engine) error {
	l, err := listenUnix(ctx, a.flags.socket())
	if err != nil {
		a.logger.Warn("the commands explain, targets, accept and remove can't reach this daemon", "err", err)
		return nil
	}
	server := &http.Server{Handler: web.Control(engine), ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		_ = server.Shutdown(stop)
	}()
	err = server.Serve(l)
	<-stopped
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving the control socket: %w", err)
}

// listenUnix replaces what a killed daemon left behind. The lock on the outputs
// makes sure that no other one is alive.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the state directory: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("replacing the control socket: %w", err)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("making the control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("protecting the control socket: %w", err), l.Close())
	}
	return l, nil
}

// ask runs one of the commands that talk to the daemon.
func (a *app) ask(ctx context.Context) error {
	c := cli.NewClient(a.flags.socket())
	switch a.flags.command {
	case accept:
		held, err := c.Accept(ctx, a.flags.source, who())
		return a.showKept(held, "let through", err)
	case remove:
		gone, err := c.Remove(ctx, a.flags.address, who())
		return a.showKept(gone, "removed", err)
	case targets:
		return a.showTargets(ctx, c)
	}
	return a.showExplanation(ctx, c)
}

// hint says what to do where no daemon runs.
func (a *app) hint(err error) error {
	if errors.Is(err, cli.ErrNoDaemon) {
		return fmt.Errorf("%w; without a daemon, use mcp-sd --once --accept-removals", err)
	}
	return err
}

// showKept tells what was let go.
func (a *app) showKept(kept []discovery.KeptTarget, done string, err error) error {
	switch {
	case err != nil:
		return a.hint(err)
	case a.flags.format == "json":
		return cli.JSON(a.stdout, append([]discovery.KeptTarget{}, kept...)) // never null
	}
	cli.Kept(a.stdout, kept, done)
	return nil
}

func (a *app) showTargets(ctx context.Context, c *cli.Client) error {
	ts, err := c.Targets(ctx)
	if errors.Is(err, cli.ErrNoDaemon) {
		err = a.offline(func(e *discovery.Engine) { ts = e.TargetsOffline() })
	}
	if err != nil {
		return err
	}
	if a.flags.format == "json" {
		return cli.JSON(a.stdout, ts)
	}
	cli.Targets(a.stdout, ts)
	return nil
}

func (a *app) showExplanation(ctx context.Context, c *cli.Client) error {
	x, err := c.Explain(ctx, a.flags.address)
	if errors.Is(err, cli.ErrNoDaemon) {
		err = a.offline(func(e *discovery.Engine) { x = e.ExplainOffline(a.flags.address) })
	}
	if err != nil {
		return err
	}
	if a.flags.format == "json" {
		return cli.JSON(a.stdout, x)
	}
	cli.Explain(a.stdout, x)
	return nil
}

// offline recalls the state as the last run left it, and asks that. Nothing is
// written.
func (a *app) offline(ask func(*discovery.Engine)) error {
	fmt.Fprintln(a.stderr, "No daemon runs; this is what the last run left.")
	a.flags.dryRun = true
	c, err := a.load()
	if err != nil {
		return err
	}
	s, err := a.setup(c)
	if err != nil {
		return err
	}
	defer s.Release()
	a.sweeper = health.NewSweeper(health.NewHTTPProber(health.BodyMemory), 1, a.metrics.health)
	e := a.engine(a.folder())
	if err := e.Recall(s); err != nil {
		return err
	}
	ask(e)
	return nil
}

// who names the person at the keyboard, for the journal.
func who() string {
	if name := os.Getenv("SUDO_USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}
