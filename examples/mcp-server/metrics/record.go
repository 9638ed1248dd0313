package metrics

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Values of the label status.
const (
	StatusSuccess = "success"
	StatusError   = "error"   // of a tool call
	StatusFailure = "failure" // of an authentication
)

// Values of the label error_type.
const (
	ErrorInvalidParams = "invalid_params" // the caller's mistake
	ErrorTimeout       = "timeout"        // a deadline passed
	ErrorCanceled      = "canceled"       // the caller went away
	ErrorUnavailable   = "unavailable"    // something that the tool needs is down
	ErrorInternal      = "internal"       // anything else
)

// Tool runs one call of a tool and records its count, duration and kind of
// error. It returns the call's error. A call that panics is an internal error.
func (m *Metrics) Tool(ctx context.Context, tool, tier string, call func(context.Context) error) (err error) {
	start := time.Now()
	kind, status := ErrorInternal, StatusError // until it has returned
	defer func() {
		if status == StatusError {
			m.toolErrors.with(tool, kind).Inc()
		}
		m.toolInvocations.with(tool, status, tier).Inc()
		m.toolDuration.with(tool, status).Observe(time.Since(start).Seconds())
	}()
	if err = call(ctx); err != nil {
		kind = ErrorType(err)
		return err
	}
	status = StatusSuccess
	return nil
}

// Render runs one rendering of a widget and records its count and duration,
// where it succeeds: what failed was not rendered. It returns the rendering's
// error.
func (m *Metrics) Render(widget, displayMode string, render func() error) error {
	start := time.Now()
	if err := render(); err != nil {
		return err
	}
	m.widgetRenders.with(widget, displayMode).Inc()
	m.renderDuration.with(widget, displayMode).Observe(time.Since(start).Seconds())
	return nil
}

// WidgetUpdated counts a change of a widget's state.
func (m *Metrics) WidgetUpdated(widget, source string) {
	m.widgetUpdates.with(widget, source).Inc()
}

// Authenticate runs one attempt to authenticate and records its outcome. It
// returns the attempt's error; the label reason says its AuthReason.
func (m *Metrics) Authenticate(method string, attempt func() error) error {
	err := attempt()
	if err != nil {
		m.authFailures.with(method, AuthReason(err)).Inc()
		m.authAttempts.with(method, StatusFailure).Inc()
		return err
	}
	m.authAttempts.with(method, StatusSuccess).Inc()
	return nil
}

// SignedUp counts a new user.
func (m *Metrics) SignedUp(source, tier string) { m.signups.with(source, tier).Inc() }

// Upgraded counts a subscription that moved to another tier.
func (m *Metrics) Upgraded(from, to string) { m.upgrades.with(from, to).Inc() }

// Earned adds US dollars to the revenue of a tier; a refund is negative.
func (m *Metrics) Earned(tier string, usd float64) { m.revenue.with(tier).Add(usd) }

// Query runs one database query and records how long it took, failed ones
// included. It returns the query's error.
func (m *Metrics) Query(operation, collection string, query func() error) error {
	start := time.Now()
	err := query()
	m.queryDuration.with(operation, collection).Observe(time.Since(start).Seconds())
	return err
}

// LookedUp records whether a cache could answer.
func (m *Metrics) LookedUp(cache string, hit bool) { m.lookups.add(cache, hit) }

// Enqueued counts a job as waiting until the function that it returns is
// called.
func (m *Metrics) Enqueued(queue string) (dequeued func()) {
	g := m.queueDepth.with(queue)
	g.Inc()
	return sync.OnceFunc(g.Dec)
}

// Typed is an error that knows its value of the label error_type.
type Typed interface {
	error
	ErrorType() string
}

// ErrorType is the value of the label error_type for err: its own where it is
// Typed, else timeout, canceled or internal.
func ErrorType(err error) string {
	var typed Typed
	switch {
	case errors.As(err, &typed):
		return typed.ErrorType()
	case errors.Is(err, context.DeadlineExceeded):
		return ErrorTimeout
	case errors.Is(err, context.Canceled):
		return ErrorCanceled
	default:
		return ErrorInternal
	}
}

// Reasoned is an error that knows its value of the label reason.
type Reasoned interface {
	error
	Reason() string
}

// AuthReason is the value of the label reason for the error of a failed
// authentication: its own where it is Reasoned, else Other.
func AuthReason(err error) string {
	var reasoned Reasoned
	if errors.As(err, &reasoned) {
		return reasoned.Reason()
	}
	return Other
}
