// Command soak runs mcp-sd for a long time on a fleet that never stops
// changing, and fails if anything grows, gets lost, or is missed:
//
//	go -C e2e run ./soak -targets 5000 -churn 0.05 -for 30m
//
// One process plays the whole fleet: every address 127.x.y.z reaches its one
// listener. The binary is built from the parent module unless MCP_SD_BINARY
// names one. The exit status is 1 where something was wrong, which is printed
// with the figures of the run.
//
// The caveat: it takes mcp-sd's word for goroutines, file descriptors and
// memory, and shares the machine with it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() { os.Exit(run()) }

// options are the command line.
type options struct {
	targets int
	churn   float64
	runs    time.Duration
}

func run() int {
	var o options
	flag.IntVar(&o.targets, "targets", 5000, "how many instances are listed")
	flag.Float64Var(&o.churn, "churn", 0.05, "share of them that is replaced in a minute; as many are relabelled and restarted")
	flag.DurationVar(&o.runs, "for", 30*time.Minute, "how long")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := soak(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		return 1
	}
	return 0
}

// warmUp is how long the run may take until nothing grows any more.
func (o options) warmUp() time.Duration { return min(o.runs/3, 5*time.Minute) }

// soak is one run.
func soak(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "mcp-sd-soak-")
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(dir)
		} else {
			err = fmt.Errorf("%w\nwhat it left is in %s", err, dir)
		}
	}()
	f, err := newFleet(ctx)
	if err != nil {
		return err
	}
	defer f.close()
	m := newModel()
	c, err := newChurn(o, f, m, filepath.Join(dir, "static"))
	if err != nil {
		return err
	}
	d, err := startDaemon(ctx, dir)
	if err != nil {
		return err
	}
	defer d.kill()
	began := time.Now()
	r := &report{model: m}
	err = watch(ctx, o, d, c, r)
	r.print(os.Stdout, time.Since(began))
	return errors.Join(err, d.stop())
}

// watch lets things happen until the time is over or something is wrong.
func watch(ctx context.Context, o options, d *daemon, c *churn, r *report) error {
	if err := settle(ctx, d, c, r); err != nil {
		return err
	}
	fmt.Printf("%d targets are published after %s\n", o.targets, r.settled.Round(time.Millisecond))
	began := time.Now()
	next := began
	for ctx.Err() == nil && time.Since(began) < o.runs {
		if err := c.tick(); err != nil {
			return err
		}
		next = next.Add(time.Second)
		if err := d.readUntil(ctx, next, c.model); err != nil {
			return err
		}
		if err := c.model.overdue(time.Now()); err != nil {
			return err
		}
		if int(next.Sub(began).Seconds())%sampleEvery == 0 {
			if err := r.sample(ctx, d, time.Since(began) > o.warmUp()); err != nil {
				return err
			}
		}
	}
	for c.model.waiting() > 0 && ctx.Err() == nil { // what is under way
		if err := d.readUntil(ctx, time.Now().Add(100*time.Millisecond), c.model); err != nil {
			return err
		}
		if err := c.model.overdue(time.Now()); err != nil {
			return err
		}
	}
	return errors.Join(context.Cause(ctx), d.complaints(), r.flat())
}

// settle waits until the whole fleet is published for the first time.
func settle(ctx context.Context, d *daemon, c *churn, r *report) error {
	began := time.Now()
	for c.model.waiting() > 0 {
		if time.Since(began) > startTime {
			return fmt.Errorf("%d targets are still not published after %s", c.model.waiting(), startTime)
		}
		if err := d.readUntil(ctx, time.Now().Add(100*time.Millisecond), c.model); err != nil {
			return err
		}
	}
	r.settled = time.Since(began)
	c.model.forget() // the beginning says nothing about how soon a change is seen
	return context.Cause(ctx)
}

const (
	// late is when a change counts as missed: an addition and a new label are
	// seen in seconds, and a removal waits for the endpoint's silence.
	late      = 45 * time.Second
	startTime = 2 * time.Minute
	// sampleEvery is in seconds.
	sampleEvery = 5
)
