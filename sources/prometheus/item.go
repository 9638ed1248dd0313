package prometheus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/targetgroup"

	"github.com/mcp-sd/mcp-sd/target"
)

// item is one item of a mechanism's list. It belongs to one goroutine at a time.
type item struct {
	part    string
	config  discovery.Config
	traits  traits
	timeout time.Duration // until the first answer
	log     *slog.Logger
	running chan struct{} // one for each that runs, those that were left alone included
}

// mostRunning bounds how many of an item's mechanism run at once: one, and some that
// were given up. Nomad's, for one, waits for an answer as long as the connection
// stands.
const mostRunning = 3

// report is an outcome of an item.
type report struct {
	listed listed
	err    error
}

// follow runs the mechanism until ctx ends and says every outcome. One that ends
// by itself, or could not begin, is started again.
func (i *item) follow(ctx context.Context, say func(report)) {
	retry := target.NewBackOff()
	for ctx.Err() == nil {
		began := time.Now()
		err := i.run(ctx, say)
		if ctx.Err() != nil {
			return
		}
		say(report{err: err})
		if time.Since(began) > target.RetryMost {
			retry.Reset()
		}
		target.Pause(ctx, retry.NextBackOff())
	}
}

// run runs the mechanism once, and returns why it ended. One that is silent for too
// long is given up: it may hang in a question that will never be answered.
func (i *item) run(ctx context.Context, say func(report)) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case i.running <- struct{}{}:
	}
	e := newEar(i.traits, i.log)
	d, err := e.discoverer(i.config, i.part)
	if err != nil {
		<-i.running
		return &Failure{NotStarted, fmt.Errorf("starting it: %w", err)}
	}
	running, stop := context.WithCancel(ctx)
	sent, done := make(chan []*targetgroup.Group), make(chan string, 1)
	go func() {
		defer func() {
			<-i.running
			done <- i.fallen(recover())
			close(done)
		}()
		d.Run(running, sent)
	}()
	defer leave(stop, done)
	return i.listen(ctx, newHearing(i, e, time.Now()), sent, done, say)
}

// fallen is why a mechanism has ended. Some panic at an answer that lacks something;
// that must not end the others. In a goroutine of its own a panic can't be caught.
func (i *item) fallen(panicked any) string {
	if panicked == nil {
		return "it ended by itself"
	}
	i.log.Error("a mechanism of Prometheus panicked; it is started again", slog.Any("err", panicked), slog.String("stack", string(debug.Stack())))
	return fmt.Sprintf("it panicked: %v", panicked)
}

// listen judges what is heard of a mechanism that runs.
func (i *item) listen(ctx context.Context, h *hearing, sent <-chan []*targetgroup.Group, done <-chan string, say func(report)) error {
	clock := time.NewTimer(h.sleep(time.Now()))
	defer clock.Stop()
	for {
		var r report
		var news bool
		select {
		case <-ctx.Done():
			return ctx.Err()
		case why := <-done:
			return &Failure{NotStarted, errors.New(why)}
		case gs := <-sent:
			r, news = h.answered(gs, time.Now())
		case <-h.ear.wake:
			r, news = h.woken(time.Now())
		case <-clock.C:
			r, news = h.late(time.Now())
		}
		if f := (*Failure)(nil); errors.As(r.err, &f) && f.Class == Silent {
			return f
		}
		if news {
			say(r)
		}
		clock.Reset(h.sleep(time.Now()))
	}
}

// grace is how long a mechanism may take to end when it is told to.
const grace = 2 * time.Second

// leave ends a mechanism and waits for it. One that goes on, because it looks at
// its context between two questions only, is left alone after a while: it ends
// with the question that keeps it, and whatever it still wants to send is taken by
// nobody.
func leave(stop context.CancelFunc, done <-chan string) {
	stop()
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	}
}

// once is the first outcome.
func (i *item) once(ctx context.Context) target.Part {
	running, stop := context.WithCancel(ctx)
	defer stop()
	var got *report
	i.follow(running, func(r report) {
		if got == nil {
			got = &r
			stop()
		}
	})
	switch {
	case got == nil:
		return target.Part{Name: i.part, Err: &Failure{NoAnswer, fmt.Errorf("it has not answered: %w", context.Cause(ctx))}}
	case got.err != nil:
		return target.Part{Name: i.part, Err: got.err}
	}
	return target.Part{Name: i.part, Raw: got.listed.raws, Rejected: got.listed.rejected}
}

// Why a mechanism has not listed, in one word for a metric.
const (
	NotStarted = "start"   // it could not begin, or has ended by itself
	Refresh    = "refresh" // it said that it failed
	Silent     = "silent"  // three of its intervals without an answer
	NoAnswer   = "timeout" // none within source_timeout
)

// Failure is why a mechanism has not listed.
type Failure struct {
	Class string
	Err   error
}

func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns what went wrong.
func (f *Failure) Unwrap() error { return f.Err }

// Reason is the class, for a metric that knows no mechanism.
func (f *Failure) Reason() string { return f.Class }
