package health

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	promconfig "github.com/prometheus/common/config"
)

const (
	headerLimit   = 64 << 10 // of a response, FACTS "Probing safely"
	idleTimeout   = 5 * time.Minute
	redirectLimit = 10
	pingIdleHTTP2 = time.Minute
)

// exchange is the context of one request, which ends with its probe, and what the
// layers tell each other through it.
type exchange struct {
	context.Context
	proxied bool // dial the configured proxy: it is exempt from the address policy
	once    bool // no connection to the endpoint is kept
	reached bool // the request got past our own layers, so that a failure is the endpoint's
	phase   atomic.Int32
}

// The phases of an exchange, to say where the time went. Dials run in
// goroutines of the transport's.
const (
	phaseStart int32 = iota // or an idle connection is used
	phaseLookup
	phaseConnect
	phaseConnected
)

func (x *exchange) enter(phase int32) {
	if x != nil {
		x.phase.Store(phase)
	}
}

type exchangeKey struct{}

// Value has the exchange itself among the values of its context.
func (x *exchange) Value(key any) any {
	if key == (exchangeKey{}) {
		return x
	}
	return x.Context.Value(key)
}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// wire is the innermost layer: what fails before it is mcp-sd's own trouble.
//
// Endpoints to which no connection is kept have a transport of their own: one
// that keeps connections never forgets a host of which none ever became idle
// (Go 1.26, Transport.idleConnWait), half a kilobyte for each.
type wire struct{ keeping, closing *http.Transport }

func newWire(base *http.Transport, c *tls.Config) wire {
	w := wire{keeping: base.Clone(), closing: base.Clone()}
	w.keeping.TLSClientConfig, w.closing.TLSClientConfig = c, c
	w.closing.DisableKeepAlives = true
	return w
}

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if x := exchangeOf(r.Context()); x != nil {
		x.reached = true
		if x.once {
			return w.closing.RoundTrip(r)
		}
	}
	return w.keeping.RoundTrip(r)
}

// CloseIdleConnections is what http.Client.CloseIdleConnections looks for.
func (w wire) CloseIdleConnections() { w.keeping.CloseIdleConnections() }

// newRoundTripper layers a source's http_client as
// promconfig.NewRoundTripperFromConfig does, out of that package's own pieces;
// that function itself can bound neither response headers nor idle
// connections, and its OAuth2 layer waits for its token without a limit.
func newRoundTripper(cfg *promconfig.HTTPClientConfig, dial dialFunc, timeout time.Duration, concurrency int) (http.RoundTripper, error) {
	tlsConfig, err := promconfig.NewTLSConfig(&cfg.TLSConfig)
	if err != nil {
		return nil, err
	}
	proxy := cfg.Proxy() // not in the closure: the first call is not safe for several at once
	base := http.Transport{
		Proxy:                  proxy,
		ProxyConnectHeader:     cfg.GetProxyConnectHeader(),
		DialContext:            dial,
		MaxIdleConnsPerHost:    concurrency, // a proxy has all of them
		IdleConnTimeout:        idleTimeout,
		DisableCompression:     true, // we ask for gzip and bound what comes out of it
		MaxResponseHeaderBytes: headerLimit,
		TLSHandshakeTimeout:    timeout,
		ReadBufferSize:         2 << 10, // bodies are read past it
		WriteBufferSize:        1 << 9,  // there is one of each for every idle connection
		ForceAttemptHTTP2:      cfg.EnableHTTP2,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingIdleHTTP2},
	}
	newRT := func(c *tls.Config) (http.RoundTripper, error) {
		return withCredentials(cfg, newWire(&base, c)), nil
	}
	t := cfg.TLSConfig
	if t.CAFile == "" && t.CertFile == "" && t.KeyFile == "" {
		return newRT(tlsConfig)
	}
	return promconfig.NewTLSRoundTripper(tlsConfig, promconfig.TLSRoundTripperSettings{
		CA:   secret(promconfig.Secret(t.CA), t.CAFile),
		Cert: secret(promconfig.Secret(t.Cert), t.CertFile),
		Key:  secret(t.Key, t.KeyFile),
	}, newRT)
}

func withCredentials(cfg *promconfig.HTTPClientConfig, rt http.RoundTripper) http.RoundTripper {
	if a := cfg.Authorization; a != nil {
		rt = promconfig.NewAuthorizationCredentialsRoundTripper(a.Type, secret(a.Credentials, a.CredentialsFile), rt)
	}
	if a := cfg.BasicAuth; a != nil {
		rt = promconfig.NewBasicAuthRoundTripper(
			secret(promconfig.Secret(a.Username), a.UsernameFile), secret(a.Password, a.PasswordFile), rt)
	}
	if cfg.OAuth2 != nil {
		rt = newTokenRoundTripper(cfg.OAuth2, rt)
	}
	if cfg.HTTPHeaders != nil {
		rt = promconfig.NewHeadersRoundTripper(cfg.HTTPHeaders, rt)
	}
	return rt
}

// secret returns a nil interface where neither is set, as the layers expect.
func secret(text promconfig.Secret, file string) promconfig.SecretReader {
	switch {
	case text != "":
		return promconfig.NewInlineSecret(string(text))
	case file != "":
		return promconfig.NewFileSecret(file)
	}
	return nil
}

// errRedirect is in the chain of errors about redirects not followed.
var errRedirect = errors.New("redirect")

type redirectError struct{ detail string }

func (e redirectError) Error() string        { return e.detail }
func (e redirectError) Is(target error) bool { return target == errRedirect }

// sameEndpoint follows redirects to the same scheme, host and port only
// (contract §5): anything else would be another endpoint than the one listed,
// and a way to make mcp-sd fetch what its author cannot reach himself.
func sameEndpoint(next *http.Request, via []*http.Request) error {
	if origin(next.URL) != origin(via[0].URL) {
		return redirectError{"redirect to " + shown(next.URL) + ": only the same scheme, host and port are followed"}
	}
	if len(via) >= redirectLimit {
		return redirectError{"redirect loop: gave up after 10 redirects"}
	}
	return nil
}

// repeat follows redirects as a probe does, where the question stays one: a
// POST that becomes a GET asks something else.
func (s *Spec) repeat(next *http.Request, via []*http.Request) error {
	switch {
	case !s.opts.HTTPClient.FollowRedirects:
		return http.ErrUseLastResponse
	case next.Method != via[0].Method:
		return redirectError{"redirect that makes a GET of the question"}
	}
	return sameEndpoint(next, via)
}

func neverFollow(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// origin is what two URLs of one endpoint have in common.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// shown is a URL without the parts that may hold secrets.
func shown(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}
