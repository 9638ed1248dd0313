package amazon

import (
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
		r.last = err
	}
	return again
}
