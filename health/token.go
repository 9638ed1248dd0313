package health

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	promconfig "github.com/prometheus/common/config"
)

// tokenPause is how long a failure to get a token stands, so that a token
// endpoint in trouble is not asked by every probe.
const tokenPause = 5 * time.Second

// tokenRoundTripper adds an OAuth2 token to each request. It leaves tokens,
// secrets and their renewal to promconfig's own OAuth2 layer, but asks that one
// by itself, under the context of the probe that asks: inside the chain it
// would hold up every probe of the source for as long as a token endpoint hangs.
type tokenRoundTripper struct {
	next  http.RoundTripper
	oauth http.RoundTripper
	place chan struct{}                   // held while asking; guards what follows
	ctx   atomic.Pointer[context.Context] // of who holds the place
	until time.Time                       // err stands until then
	err   error
}

func newTokenRoundTripper(cfg *promconfig.OAuth2, next http.RoundTripper) *tokenRoundTripper {
	t := &tokenRoundTripper{next: next, place: make(chan struct{}, 1)}
	credential, file := cfg.ClientSecret, cfg.ClientSecretFile
	if cfg.ClientCertificateKey != "" || cfg.ClientCertificateKeyFile != "" {
		credential, file = cfg.ClientCertificateKey, cfg.ClientCertificateKeyFile
	}
	t.oauth = promconfig.NewOAuth2RoundTripper(secret(credential, file), cfg, captureRoundTripper{},
		promconfig.WithDialContextFunc(t.dial), promconfig.WithKeepAlivesDisabled())
	return t
}

func (t *tokenRoundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	authorization, err := t.authorization(r.Context())
	if err != nil {
		return nil, fmt.Errorf("getting an OAuth2 token: %w", err)
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", authorization)
	return t.next.RoundTrip(r)
}

// CloseIdleConnections passes the word on.
func (t *tokenRoundTripper) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func (t *tokenRoundTripper) authorization(ctx context.Context) (string, error) {
	select {
	case t.place <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-t.place }()
	if t.err != nil && time.Now().Before(t.until) {
		return "", t.err
	}
	t.ctx.Store(&ctx)
	got := &captured{}
	r, err := http.NewRequestWithContext(context.WithValue(ctx, capturedKey{}, got), http.MethodGet, "http://target.invalid/", http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := t.oauth.RoundTrip(r)
	if err == nil {
		err = resp.Body.Close()
	}
	err = withoutAnswer(err)
	if !errors.Is(ctx.Err(), context.Canceled) { // a probe called off tells nothing
		t.err, t.until = err, time.Now().Add(tokenPause)
	}
	return got.authorization, err
}

// dial lives and dies with the probe that asks for a token: the layer below
// knows no context at all.
func (t *tokenRoundTripper) dial(_ context.Context, network, addr string) (net.Conn, error) {
	ctx := *t.ctx.Load()
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	return conn, nil
}

// withoutAnswer keeps what a token endpoint answered out of errors: its body
// may quote the credentials.
func withoutAnswer(err error) error {
	var neterr net.Error
	var file *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &file):
		return file
	case errors.As(err, &neterr):
		return withoutURL(err)
	}
	return errors.New("the token endpoint refused, or answered no token")
}

type (
	captured    struct{ authorization string }
	capturedKey struct{}
	// captureRoundTripper stands where the transport would be and takes the
	// header that the OAuth2 layer has set.
	captureRoundTripper struct{}
)

func (captureRoundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	if c, ok := r.Context().Value(capturedKey{}).(*captured); ok {
		c.authorization = r.Header.Get("Authorization")
	}
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}
