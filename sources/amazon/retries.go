package amazon

import (
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

const (
	attempts  = 5
	mostDelay = 5 * time.Second
)

// retries is the SDK's adaptive retry of one part, which slows down when AWS
// throttles. It remembers what it retried for: when time is over, that is the
// answer to why.
type retries struct {
	aws.RetryerV2

	mu   sync.Mutex // questions of one part may be under way side by side
	last error
}

func newRetries() *retries {
	return &retries{RetryerV2: retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
		o.StandardOptions = append(o.StandardOptions, func(s *retry.StandardOptions) {
			s.MaxAttempts, s.MaxBackoff = attempts, mostDelay
		})
	})}
}

// IsErrorRetryable is that of aws.Retryer.
func (r *retries) IsErrorRetryable(err error) bool {
	again := r.RetryerV2.IsErrorRetryable(err)
	if again {
		r.remember(err)
	}
	return again
}

func (r *retries) remember(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = err
}

// before is what was retried for last; nil: nothing yet.
func (r *retries) before() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}
