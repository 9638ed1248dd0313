package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/mcp-sd/mcp-sd/cli"
	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/state"
	"github.com/mcp-sd/mcp-sd/textfile"
)

// once makes one pass over everything.
func (a *app) once(ctx context.Context) (int, error) {
	c, err := a.load()
	if err != nil {
		return exitFailure, err
	}
	if !a.flags.dryRun {
		unlock, err := a.lockState()
		if err != nil {
			return exitFailure, err
		}
		defer unlock()
	}
	s, err := a.setup(c)
	if err != nil {
		return exitFailure, err
	}
	ctx, cancel := context.WithTimeout(ctx, a.flags.onceTimeout)
	defer cancel()
	a.sweeper = health.NewSweeper(health.NewHTTPProber(health.BodyMemory), c.Health.Concurrency, a.metrics.health)
	folder := a.folder()
	if !a.flags.dryRun {
		state.New(a.flags.statePath).Sweep()
	}
	progress := cli.NewProgress(a.stderr)
	report, err := a.engine(folder).Once(ctx, s, discovery.OnceOptions{
		AcceptRemovals: a.flags.acceptRemovals,
		DryRun:         a.flags.dryRun,
		Progress:       progress.Show,
	})
	progress.Clear()
	if err != nil {
		return exitFailure, err
	}
	a.loaded()
	if a.flags.textfile != "" && !a.flags.dryRun {
		if err := textfile.Write(a.flags.textfile, a.registry, folder); err != nil {
			a.logger.Error("could not leave the metrics of this pass", "err", err)
			report.Err = errors.Join(report.Err, err)
		}
	}
	if a.flags.dryRun {
		if err := a.diff(report); err != nil {
			return exitFailure, err
		}
	} else if cli.Terminal(a.stdout) {
		cli.Summary(a.stdout, report)
	}
	return a.verdict(report), nil
}

// diff prints what a pass would change.
func (a *app) diff(r *discovery.Report) error {
	text, err := a.writer.Diff(r.Plan.Want)
	if err != nil {
		return fmt.Errorf("comparing with the files as they are: %w", err)
	}
	fmt.Fprint(a.stdout, text)
	return nil
}

// verdict is the exit status of a pass, the first that applies (contract §2).
// Why was logged when it happened.
func (a *app) verdict(r *discovery.Report) int {
	switch {
	case r.Err != nil:
		return exitFailure
	case r.Held > 0:
		return exitHeld
	case len(r.Failed) > 0:
		return exitPartial
	}
	return exitOK
}
