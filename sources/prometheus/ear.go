package prometheus

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"

	metrics "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/discovery"
)

// ear is what a mechanism lets be known beside the groups that it sends. There is
// no call that fails: a refresh that fails is a counter that rises and a line in
// the log, and else silence. So the ear is the mechanism's logger and the place
// where its metrics are registered.
//
// The mechanism's own goroutines call it.
type ear struct {
	traits   traits
	registry *metrics.Registry
	log      *slog.Logger
	wake     chan struct{} // holds one when there may be something to judge

	mu       sync.Mutex
	failures float64 // of its own counters when last looked
	failed   bool    // the refresh that is under way
	reason   string  // the latest error that it logged, without the refresh being over
	line     line    // of a stream
	attempt  attempt // the latest that is over
}

// attempt is a refresh that is over.
type attempt struct {
	number int
	failed bool
	reason string
}

// line is the state of a stream.
type line struct {
	broken string    // why; "" while it is not
	at     time.Time // since when that is so
}

func newEar(t traits, log *slog.Logger) *ear {
	return &ear{traits: t, registry: metrics.NewRegistry(), log: log, wake: make(chan struct{}, 1)}
}

// discoverer builds the mechanism so that this ear hears it.
func (e *ear) discoverer(c discovery.Config, name string) (discovery.Discoverer, error) {
	m := c.NewDiscovererMetrics(e.registry, e)
	if err := m.Register(); err != nil {
		return nil, err
	}
	return c.NewDiscoverer(discovery.DiscovererOptions{Logger: slog.New(e), Metrics: m, SetName: name})
}

// rouse lets the item look.
func (e *ear) rouse() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// latest is the refresh that ended last.
func (e *ear) latest() attempt {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.attempt
}

// Instantiate implements discovery.RefreshMetricsInstantiator: the metrics of a
// mechanism that refreshes are hooks.
func (e *ear) Instantiate(string, string) *discovery.RefreshMetrics {
	count := metrics.NewCounter(metrics.CounterOpts{Name: "failures"})
	ignore := metrics.ObserverFunc(func(float64) {})
	return &discovery.RefreshMetrics{
		Failures: refreshFailures{count, e}, Duration: metrics.ObserverFunc(e.refreshed), DurationHistogram: ignore,
	}
}

// refreshFailures is the counter of failed refreshes.
type refreshFailures struct {
	metrics.Counter
	ear *ear
}

// Inc is called once for each, before its duration is observed.
func (f refreshFailures) Inc() {
	f.Counter.Inc()
	f.ear.mu.Lock()
	f.ear.failed = true
	f.ear.mu.Unlock()
}

// logTime is how long a refresh that failed may take to log why.
const logTime = 50 * time.Millisecond

// refreshed is called after each refresh, before what it found is sent, or why
// it failed is logged.
func (e *ear) refreshed(float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	rose := e.rose()
	e.attempt = attempt{number: e.attempt.number + 1, failed: e.failed || rose, reason: e.reason}
	e.failed, e.reason = false, ""
	if e.attempt.failed {
		time.AfterFunc(logTime, e.rouse)
	}
}

// rose reports whether a counter of failures of the mechanism's own has risen.
// Some, such as that of failed DNS lookups, tell of refreshes that went on
// without a part of the answer.
func (e *ear) rose() bool {
	now := e.count(func(name string) bool { return strings.HasSuffix(name, "_failures_total") })
	before := e.failures
	e.failures = now
	return now > before
}

// count adds up counters of the mechanism's own.
func (e *ear) count(which func(string) bool) float64 {
	families, err := e.registry.Gather()
	if err != nil {
		return 0
	}
	sum := 0.0
	for _, f := range families {
		if !which(f.GetName()) {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue()
		}
	}
	return sum
}

// Enabled implements slog.Handler.
func (*ear) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements slog.Handler.
func (e *ear) WithAttrs([]slog.Attr) slog.Handler { return e }

// WithGroup implements slog.Handler.
func (e *ear) WithGroup(string) slog.Handler { return e }

// Handle implements slog.Handler: it keeps what tells of a failure. The log has it
// at level debug only, since the failure itself is reported with the part.
func (e *ear) Handle(ctx context.Context, r slog.Record) error {
	text := textOf(r)
	e.log.LogAttrs(ctx, slog.LevelDebug, "the mechanism says", slog.String("text", text), slog.String("level", r.Level.String()))
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.traits.stream:
		e.stream(r, text)
	case e.traits.owns(r.Message):
		e.failed, e.reason = true, text
	case r.Level < slog.LevelError:
	case r.Message == refreshFailed: // its counter rose before, and the refresh is over
		e.attempt.reason = text
		e.rouse()
	default: // of a refresh that may go on: ECS's does, without the cluster that it could not ask
		e.failed, e.reason = true, text
		e.rouse()
	}
	return nil
}

// refreshFailed is the line of Prometheus' discovery/refresh.
const refreshFailed = "Unable to refresh target groups"

// Lines of Prometheus' ZooKeeper client, which has one counter for all that use
// it. Those of the client library below it come with the placeholders; a server
// that hangs accepts connections and says nothing on them.
const (
	zkLost         = "Lost connection to Zookeeper."
	zkSynchronised = "Zookeeper resync successful"
	zkUnreachable  = "failed to connect to %s: %v"
	zkSilent       = "recv loop terminated: %v"
	zkUnanswered   = "authentication failed: %s"
	zkConnected    = "authenticated: id=%d, timeout=%d"
)

// stream takes a line of a mechanism that follows ZooKeeper. A tree that could not
// be read is tried again until it is synchronised; a connection is tried again
// until it stands.
func (e *ear) stream(r slog.Record, text string) {
	unreachable := strings.HasPrefix(e.line.broken, unreachableText)
	switch {
	case r.Message == zkUnreachable, r.Message == zkSilent, r.Message == zkUnanswered:
		if e.line.broken == "" {
			e.line = line{unreachableText, time.Now()}
		}
	case r.Message == zkLost || r.Level >= slog.LevelError:
		e.line = line{text, time.Now()}
	case r.Message == zkSynchronised && e.line.broken != "" && !unreachable, r.Message == zkConnected && unreachable:
		e.line = line{"", time.Now()}
	default:
		return
	}
	e.rouse()
}

// longest is how many bytes of an error are told.
const longest = 400

const unreachableText = "no server can be reached"

// state is that of a stream.
func (e *ear) state() line {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.line
}

// textOf is what a line of a log says, in one line of a bounded length without
// anything that a terminal would obey: its error if it has one. Servers' answers
// are quoted in it.
func textOf(r slog.Record) string {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != "err" && a.Key != "error" {
			return true
		}
		if text = a.Value.String(); !strings.HasPrefix(r.Message, refreshFailed) {
			text = r.Message + ": " + text
		}
		return false
	})
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "�"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}
