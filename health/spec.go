package health

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/common/version"

	"github.com/mcp-sd/mcp-sd/target"
)

// What Prometheus sends by default (acceptHeader of its scrape/scrape.go,
// v0.315, with its default scrape protocols and UTF-8 names).
const acceptHeader = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.7," +
	"application/openmetrics-text;version=0.0.1;q=0.6," +
	"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5," +
	"text/plain;version=0.0.4;q=0.4,*/*;q=0.3"

// renewEvery is after how many probes, on average, the connection to a host
// name is renewed, so that a name which came to mean another address is found
// out. Addresses keep theirs.
const renewEvery = 10

// Spec is how the targets of one source are probed: its options, its HTTP
// client with the connections kept alive, its address policy. It is immutable
// to its users and safe for many at once; a reload builds a new one.
type Spec struct {
	source   string
	opts     Options
	policy   target.AddressPolicy
	metrics  *Metrics
	mcp      *MCPOptions // nil: nobody is asked who it is
	client   *http.Client
	asker    *http.Client // of mcp, over the same connections
	proxy    func(*http.Request) (*url.URL, error)
	header   http.Header // sent with every probe, never written to
	layered  bool        // http_client's layers write into a request's headers
	required map[string]int
	direct   *net.Dialer // checks every address
	toProxy  *net.Dialer
	keep     atomic.Uint64 // keys with a larger hash close their connection; see share
	closed   atomic.Bool
}

// SpecOption adds to what most Specs have.
type SpecOption func(*Spec)

// WithMCP has the targets asked who they are; nil: not.
func WithMCP(o *MCPOptions) SpecOption {
	return func(s *Spec) { s.mcp = o }
}

// WithResolver looks host names up elsewhere than the system does, as tests want.
func WithResolver(r *net.Resolver) SpecOption {
	return func(s *Spec) { s.direct.Resolver = r }
}

// NewSpec builds what is needed to probe the targets of a source; operator is
// true where they are the operator's own words, and so may be on loopback. The
// options are valid already; an error is about http_client.
func NewSpec(source string, o Options, operator bool, m *Metrics, opts ...SpecOption) (*Spec, error) {
	o.Timeout = min(o.Timeout, o.Interval)
	s := &Spec{source: source, opts: o, policy: o.Policy(operator), metrics: m}
	s.direct = &net.Dialer{ControlContext: s.checkAddress, Resolver: ownResolver()}
	s.toProxy = &net.Dialer{ControlContext: toProxyAddress}
	s.keep.Store(^uint64(0))
	for _, opt := range opts {
		opt(s)
	}
	s.required = make(map[string]int, len(o.RequireMetrics))
	for i, name := range o.RequireMetrics {
		s.required[name] = i
	}
	s.header = http.Header{
		"Accept":                              {acceptHeader},
		"Accept-Encoding":                     {"gzip"},
		"User-Agent":                          {"mcp-sd/" + version.Version},
		"X-Prometheus-Scrape-Timeout-Seconds": {strconv.FormatFloat(s.timeout().Seconds(), 'f', -1, 64)},
	}
	if err := s.openClient(); err != nil {
		return nil, fmt.Errorf("building the HTTP client of source %q (health.http_client): %w", source, err)
	}
	m.open(source)
	return s, nil
}

func (s *Spec) openClient() error {
	cfg := s.opts.HTTPClient
	if err := cfg.Validate(); err != nil {
		return err
	}
	rt, err := newRoundTripper(&cfg, s.dial, s.timeout(), s.opts.Concurrency)
	if err != nil {
		return err
	}
	s.layered = cfg.Authorization != nil || cfg.BasicAuth != nil || cfg.OAuth2 != nil || cfg.HTTPHeaders != nil
	s.proxy = cfg.Proxy()
	s.client = &http.Client{Transport: rt, CheckRedirect: sameEndpoint}
	if !cfg.FollowRedirects {
		s.client.CheckRedirect = neverFollow
	}
	if s.mcp != nil {
		s.asker = &http.Client{Transport: rt, CheckRedirect: s.repeat}
	}
	return nil
}

// ownResolver is Go's, which Prometheus' own binaries have as well, whatever
// nsswitch.conf asks for: in the C library a look-up goes on in its thread when
// the probe has long given up, and some hundred names that hang would keep all
// others from being looked up (contract §5: a slow endpoint delays no other's
// verdict).
func ownResolver() *net.Resolver { return &net.Resolver{PreferGo: true} }

// Options are those that the Spec was built with.
func (s *Spec) Options() Options { return s.opts }

// Source is the name of the source that the Spec was built for.
func (s *Spec) Source() string { return s.source }

// Close lets go of the connections. Probes under way end as they would have.
func (s *Spec) Close() {
	s.closed.Store(true)
	s.client.CloseIdleConnections()
}

// tidy lets go of the connection of a probe that has outlived its Spec: a
// connection that is asked for after Close makes the transport keep others again.
func (s *Spec) tidy() {
	if s.closed.Load() {
		s.client.CloseIdleConnections()
	}
}

// proxies reports whether a request goes to the operator's proxy.
func (s *Spec) proxies(r *http.Request) bool {
	if s.proxy == nil {
		return false
	}
	via, err := s.proxy(r)
	return err == nil && via != nil
}

// Asks reports whether the targets are asked who they are.
func (s *Spec) Asks() bool { return s.mcp != nil }

func (s *Spec) interval() time.Duration { return time.Duration(s.opts.Interval) }
func (s *Spec) timeout() time.Duration  { return time.Duration(s.opts.Timeout) }

// dial connects to an endpoint, whose address is checked after it was
// resolved and before a packet is sent, or to the operator's proxy.
func (s *Spec) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := s.direct
	x := exchangeOf(ctx)
	if x != nil {
		ctx = x // the transport's own would let a dial go on after its request was given up
		if x.proxied {
			dialer = s.toProxy
		}
	}
	x.enter(phaseLookup)
	conn, err := dialer.DialContext(ctx, network, addr)
	if err == nil {
		x.enter(phaseConnected)
	}
	return conn, err
}

// checkAddress is asked before each connect, with the resolved address.
func (s *Spec) checkAddress(ctx context.Context, _, addr string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return fmt.Errorf("%w: %w", target.ErrDenied, err)
	}
	if err := s.policy.Check(ap.Addr()); err != nil {
		return err
	}
	exchangeOf(ctx).enter(phaseConnect)
	return nil
}

// toProxyAddress stands in checkAddress' place for the operator's proxy.
func toProxyAddress(ctx context.Context, _, _ string, _ syscall.RawConn) error {
	exchangeOf(ctx).enter(phaseConnect)
	return nil
}

// share says what part of the endpoints may keep its connection, so that all
// idle ones together stay within what the process can afford. Which ones is
// decided by a hash: were the least recently used closed instead, a sweep over
// too many endpoints would find every connection just closed.
func (s *Spec) share(part float64) {
	if part >= 1 {
		s.keep.Store(^uint64(0))
		return
	}
	s.keep.Store(uint64(part * (1 << 63) * 2))
}

// keeps reports whether the endpoint is one of those that may keep a connection.
func (s *Spec) keeps(k target.Key) bool {
	return !s.closed.Load() && hashKey(k) <= s.keep.Load()
}

// renews reports whether a kept connection should end with this probe.
func (s *Spec) renews(k target.Key, now time.Time) bool {
	host, _, err := net.SplitHostPort(k.Address)
	if err != nil {
		return true
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	return (uint64(now.UnixNano())/uint64(s.interval())+hashKey(k))%renewEvery == 0
}
