package target

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// RetryMost is the longest time between two tries of a part that fails.
const RetryMost = 60 * time.Second

// NewBackOff says how long to wait between two tries of what failed (contract §4):
// 1 to 2 s at first, twice as long each time, and 30 to 60 s in the end. The jitter
// stays within these bounds.
func NewBackOff() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval:     1500 * time.Millisecond,
		RandomizationFactor: 1.0 / 3,
		Multiplier:          2,
		MaxInterval:         RetryMost * 3 / 4,
	}
}

// Pause waits, or returns as soon as ctx ends.
func Pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
