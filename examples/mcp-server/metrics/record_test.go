package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

type ctx = context.Context

// kinded is an error with a type and a reason.
type kinded string

func (k kinded) Error() string     { return string(k) }
func (k kinded) ErrorType() string { return string(k) }
func (k kinded) Reason() string    { return string(k) }

// nowhere is a connection to nobody.
type nowhere struct{ net.Conn }

func (nowhere) Close() error { return nil }

func TestToolRecordsOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{Version: "v1.0.0", Labels: Labels{Tools: []string{"convert"}}})
		boom := errors.New("boom")
		for _, err := range []error{nil, nil, boom, fmt.Errorf("asking: %w", context.DeadlineExceeded), fmt.Errorf("so: %w", kinded(ErrorInvalidParams))} {
			got := m.Tool(t.Context(), "convert", "pro", func(ctx) error {
				time.Sleep(300 * time.Millisecond)
				return err
			})
			if !errors.Is(got, err) {
				t.Errorf("Tool returned %v, the call returned %v", got, err)
			}
		}
		for _, c := range []struct {
			want   float64
			name   string
			labels []string
		}{
			{2, "mcp_tool_invocations_total", []string{"tool_name", "convert", "status", "success", "user_tier", "pro"}},
			{3, "mcp_tool_invocations_total", []string{"tool_name", "convert", "status", "error", "user_tier", "pro"}},
			{2, "mcp_tool_duration_seconds", []string{"tool_name", "convert", "status", "success"}},
			{3, "mcp_tool_duration_seconds", []string{"tool_name", "convert", "status", "error"}},
			{1, "mcp_tool_errors_total", []string{"tool_name", "convert", "error_type", ErrorInternal}},
			{1, "mcp_tool_errors_total", []string{"tool_name", "convert", "error_type", ErrorTimeout}},
			{1, "mcp_tool_errors_total", []string{"tool_name", "convert", "error_type", ErrorInvalidParams}},
			{3, "mcp_tool_errors_total", nil},
		} {
			if got := value(t, m, c.name, c.labels...); got != c.want {
				t.Errorf("%s%v = %v, want %v", c.name, c.labels, got, c.want)
			}
		}
		if got := sum(t, m, "mcp_tool_duration_seconds"); got != 1.5 {
			t.Errorf("five calls of 300 ms took %v s", got)
		}
	})
}

// sum is that of all series of a histogram.
func sum(t *testing.T, m *Metrics, name string) (v float64) {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, s := range f.GetMetric() {
			if f.GetName() == name {
				v += s.GetHistogram().GetSampleSum()
			}
		}
	}
	return v
}

func TestToolThatPanicsIsAnError(t *testing.T) {
	m := New(Options{})
	func() {
		defer func() { _ = recover() }()
		_ = m.Tool(t.Context(), "convert", "pro", func(ctx) error { panic("no") })
	}()
	if got := value(t, m, "mcp_tool_errors_total", "tool_name", "convert", "error_type", ErrorInternal); got != 1 {
		t.Errorf("internal errors: %v, want 1", got)
	}
	if got := value(t, m, "mcp_tool_invocations_total", "status", StatusSuccess); got != 0 {
		t.Errorf("it counts as %v successes", got)
	}
}

func TestErrorTypeAndReason(t *testing.T) {
	for want, err := range map[string]error{
		ErrorTimeout:  fmt.Errorf("wait: %w", context.DeadlineExceeded),
		ErrorCanceled: context.Canceled,
		"own":         fmt.Errorf("convert: %w", kinded("own")),
		ErrorInternal: errors.New("anything else"),
	} {
		if got := ErrorType(err); got != want {
			t.Errorf("ErrorType(%v) = %s, want %s", err, got, want)
		}
	}
	if got := AuthReason(fmt.Errorf("token: %w", kinded("expired"))); got != "expired" {
		t.Errorf("AuthReason = %s", got)
	}
	if got := AuthReason(errors.New("no")); got != Other {
		t.Errorf("AuthReason = %s", got)
	}
}

// A widget that could not be rendered was not rendered.
func TestRenderCountsWhatWasRendered(t *testing.T) {
	m := New(Options{})
	no := errors.New("no")
	if err := m.Render("chart", "inline", func() error { return no }); !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
	_ = m.Render("chart", "pip", func() error { return nil })
	for _, name := range []string{"mcp_widget_renders_total", "mcp_widget_render_duration_seconds"} {
		if got := value(t, m, name); got != 1 {
			t.Errorf("%s = %v, want 1", name, got)
		}
	}
}

func TestAuthenticate(t *testing.T) {
	m := New(Options{})
	_ = m.Authenticate("bearer", func() error { return nil })
	for range 3 {
		if err := m.Authenticate("bearer", func() error { return kinded("expired") }); err == nil {
			t.Error("the error is lost")
		}
	}
	for want, labels := range map[float64][]string{1: {"status", StatusSuccess}, 3: {"status", StatusFailure}} {
		if got := value(t, m, "mcp_authentication_attempts_total", labels...); got != want {
			t.Errorf("attempts%v = %v, want %v", labels, got, want)
		}
	}
	if got := value(t, m, "mcp_authentication_failures_total", "method", "bearer", "reason", "expired"); got != 3 {
		t.Errorf("failures = %v", got)
	}
}

// The ratio forgets: a cache that stops to work shows within 1,000 lookups.
func TestCacheHitRatioIsOfTheLastLookups(t *testing.T) {
	m := New(Options{})
	add := func(n int, hit bool) {
		for range n {
			m.LookedUp("documents", hit)
		}
	}
	for _, c := range []struct {
		n    int
		hit  bool
		want float64
	}{{1, true, 1}, {3, false, .25}, {2996, true, 1}, {250, false, .75}, {750, false, 0}, {500, true, .5}} {
		add(c.n, c.hit)
		if got := value(t, m, "mcp_cache_hit_ratio", "cache_type", "documents"); got != c.want {
			t.Errorf("after %d more of %t: %v, want %v", c.n, c.hit, got, c.want)
		}
	}
}

func TestQueueDepthAndMoney(t *testing.T) {
	m := New(Options{})
	first, second := m.Enqueued("mail"), m.Enqueued("mail")
	first()
	first() // twice is once
	if got := value(t, m, "mcp_queue_depth", "queue_name", "mail"); got != 1 {
		t.Errorf("one of two waits, the depth is %v", got)
	}
	second()
	m.Earned("pro", 20)
	m.Earned("pro", 22.5)
	if got := value(t, m, "mcp_revenue_total_usd", "tier", "pro"); got != 42.5 {
		t.Errorf("revenue %v", got)
	}
}

// Run with the race detector: everything at once, and a scrape with it.
func TestManyAtOnce(t *testing.T) {
	m := New(Options{})
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for j := range 50 {
				every(m, fmt.Sprint("value-", (i+j)%60))
			}
		})
	}
	all.Go(func() {
		for range 10 {
			if _, err := m.registry.Gather(); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
	if got := value(t, m, "mcp_user_signups_total"); got != 16*50 {
		t.Errorf("%v sign-ups were counted, want %d", got, 16*50)
	}
}
