package consul

import (
	"context"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/time/rate"

	"github.com/mcp-sd/mcp-sd/target"
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
		target.Pause(ctx, retry.NextBackOff())
	}
}
