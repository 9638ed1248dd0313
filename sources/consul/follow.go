package consul

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/time/rate"
)

// How often a loop may ask on end, and how many times at once. A single change
// is asked for without delay; a service that never stops changing, or a query
// that does not block, costs Consul a few answers a second. The catalogue wakes
// up for every change of any service, and only new names matter in it.
const (
	instancesEvery rate.Limit = 10
	catalogEvery   rate.Limit = 1
	burst                     = 100
)

// follow calls ask over and over until ctx ends, with growing pauses while it
// fails.
func follow(ctx context.Context, limit *rate.Limiter, retry backoff.BackOff, ask func(context.Context) error) {
	for limit.Wait(ctx) == nil {
		if ask(ctx) == nil {
			retry.Reset()
			continue
		}
		pause(ctx, retry.NextBackOff())
	}
}

// pause waits, and ends at once with ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// newBackOff pauses for 1 to 2 s at first, and for 30 to 60 s in the end
// (contract §4).
func newBackOff() backoff.BackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval:     1500 * time.Millisecond,
		RandomizationFactor: 1.0 / 3,
		Multiplier:          2,
		MaxInterval:         45 * time.Second,
	}
}
