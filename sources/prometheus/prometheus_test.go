package prometheus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	metrics "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v2"

	"github.com/mcp-sd/mcp-sd/sources/sourcetest"
	"github.com/mcp-sd/mcp-sd/target"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// options decodes a block as Prometheus does.
func options(tb testing.TB, text string) *Options {
	tb.Helper()
	o := Default()
	if err := yaml.UnmarshalStrict([]byte(text), &o.Configs); err != nil {
		tb.Fatal(err)
	}
	for _, err := range o.Validate() {
		tb.Fatal(err)
	}
	return o
}

func newSource(tb testing.TB, o *Options, interval, timeout time.Duration) target.Watcher {
	tb.Helper()
	src, err := o.New(target.Env{
		Source: sourcetest.SourceName, Dir: tb.TempDir(), RefreshInterval: interval, Timeout: timeout,
		Logger: slog.New(slog.NewTextHandler(new(bytes.Buffer), &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return src.(target.Watcher)
}

// endpoint is a real http_sd endpoint that can be made to misbehave.
type endpoint struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
	gone   chan struct{}
}

func newEndpoint(tb testing.TB, answer http.HandlerFunc) *endpoint {
	tb.Helper()
	e := &endpoint{answer: answer, gone: make(chan struct{})}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		answer := e.answer
		e.mu.Unlock()
		answer(w, r)
	}))
	tb.Cleanup(func() { close(e.gone); e.Close() })
	return e
}

func (e *endpoint) set(answer http.HandlerFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
}

// hang answers when the client or the test gives up.
func (e *endpoint) hang(_ http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-e.gone:
	}
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		fmt.Fprint(w, text)
	}
}

func cutOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "1000")
	fmt.Fprint(w, `[{"targets": ["10.0.0.1:3000"]},`)
}

const (
	two   = `[{"targets": ["10.0.0.2:3000", "10.0.0.1:3000"], "labels": {"environment": "production", "team": "a"}}]`
	three = `[{"targets": ["10.0.0.1:3000", "10.0.0.2:3000"], "labels": {"environment": "production"}}, {"targets": ["10.0.0.3:3000"]}]`
)

// interval is that of the items in the tests; it also bounds a question of
// http_sd.
const interval = 400 * time.Millisecond

// TestConformance holds a real endpoint against what every mechanism promises
// (contract §4).
func TestConformance(t *testing.T) {
	sourcetest.Run(t, func(tb testing.TB) sourcetest.Backend {
		e := newEndpoint(tb, says(listOf(two)))
		fault := func(name string, f http.HandlerFunc) sourcetest.Fault {
			return sourcetest.Fault{Name: name, Break: func() { e.set(f) }, Mend: func() { e.set(says(listOf(two))) }}
		}
		text := fmt.Sprintf("http_sd_configs: [{url: '%s/sd', refresh_interval: %s}]", e.URL, interval)
		return sourcetest.Backend{
			New:      func() target.Source { return newSource(tb, options(tb, text), interval, 10*time.Second) },
			Interval: interval,
			Change:   func() { e.set(says(listOf(three))) },
			Empty:    func() { e.set(says("[]")) },
			Hang:     func() { e.set(e.hang) },
			Faults: []sourcetest.Fault{
				fault("status", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusServiceUnavailable) }),
				fault("half a list", says(`[{"targets": ["10.0.0.1:3000"`)),
				fault("a body cut off", cutOff),
				fault("a login page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }),
				fault("a null group", says(`[{"targets": ["10.0.0.1:3000"]}, null]`)),
				fault("silence", e.hang),
			},
		}
	})
}

// listOf leaves the plain labels out that the suite knows to be no metadata: an
// http_sd endpoint may set them, see TestLabels.
func listOf(text string) string { return strings.ReplaceAll(text, `, "team": "a"`, "") }

// script is a mechanism that does what a test says.
type script struct {
	name            string
	RefreshInterval duration `yaml:"refresh_interval"`
	run             func(ctx context.Context, o discovery.DiscovererOptions, r *discovery.RefreshMetrics, up chan<- []*targetgroup.Group)
	fails           error
}

func (s *script) Name() string { return s.name }

func (s *script) NewDiscovererMetrics(reg metrics.Registerer, r discovery.RefreshMetricsInstantiator) discovery.DiscovererMetrics {
	return &scriptMetrics{reg: reg, refresh: r.Instantiate(s.name, "")}
}

func (s *script) NewDiscoverer(o discovery.DiscovererOptions) (discovery.Discoverer, error) {
	if s.fails != nil {
		return nil, s.fails
	}
	return running{s, o}, nil
}

type scriptMetrics struct {
	reg     metrics.Registerer
	refresh *discovery.RefreshMetrics
}

func (*scriptMetrics) Register() error { return nil }
func (*scriptMetrics) Unregister()     {}

type running struct {
	s *script
	o discovery.DiscovererOptions
}

func (r running) Run(ctx context.Context, up chan<- []*targetgroup.Group) {
	r.s.run(ctx, r.o, r.o.Metrics.(*scriptMetrics).refresh, up)
}

// counter is one of the mechanism's own.
func counter(o discovery.DiscovererOptions, name string) metrics.Counter {
	c := metrics.NewCounter(metrics.CounterOpts{Name: name})
	o.Metrics.(*scriptMetrics).reg.MustRegister(c)
	return c
}

func group(source string, addresses ...string) *targetgroup.Group {
	g := &targetgroup.Group{Source: source}
	for _, a := range addresses {
		g.Targets = append(g.Targets, set("__address__", a))
	}
	return g
}

func addresses(p target.Part) string {
	var all []string
	for _, r := range p.Raw {
		all = append(all, r.Labels.Get(target.AddressLabel))
	}
	return strings.Join(all, " ")
}

// failure expects a part to have failed.
func failure(tb testing.TB, p target.Part, class, want string) {
	tb.Helper()
	var f *Failure
	if !errors.As(p.Err, &f) || f.Reason() != class || !strings.Contains(f.Error(), want) || p.Raw != nil {
		tb.Errorf("part %s lists %d with error %v, want a failure %s with %q", p.Name, len(p.Raw), p.Err, class, want)
	}
}

// scripted is a source of such mechanisms.
func scripted(tb testing.TB, interval time.Duration, all ...*script) target.Watcher {
	tb.Helper()
	o := Default()
	for _, s := range all {
		o.Configs = append(o.Configs, s)
	}
	return newSource(tb, o, interval, 10*time.Second)
}
