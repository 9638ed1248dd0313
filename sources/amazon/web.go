package amazon

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	promconfig "github.com/prometheus/common/config"
	"golang.org/x/time/rate"
)

const (
	// perSecond and burst bound the questions of all parts together. EC2 and ECS
	// refill 20 a second for each account and region, and share them with
	// everything else that runs there.
	perSecond = 20
	burst     = 20
	// maxBody bounds one answer. A page of 1,000 instances has some 5 MB, and
	// 300 where each has hundreds of addresses, as the nodes of EKS do.
	maxBody = 512 << 20
)

// Web is what all HTTP requests of a source go through. They end with the call
// of Discover that they are made for: the SDK fetches credentials in goroutines
// that no context of ours would end.
//
// Metadata services, which hand out credentials on the machine itself, are not
// reached through the proxy, nor shown the passwords, that the configuration
// has for AWS.
type Web struct {
	AWS      http.RoundTripper // the way to all that is not on the machine itself
	metadata http.RoundTripper

	mu  sync.Mutex
	now context.Context // of the call of Discover
}

// newWeb makes the HTTP client of the configuration, for a mechanism.
func newWeb(c *promconfig.HTTPClientConfig, name string) (*Web, *http.Client, error) {
	client, err := promconfig.NewClientFromConfig(*c, name)
	if err != nil {
		return nil, nil, fmt.Errorf("preparing the HTTP client: %w", err)
	}
	w := &Web{now: context.Background(), AWS: client.Transport, metadata: &http.Transport{
		// Where there is no such service, nothing answers at all.
		DialContext:           (&net.Dialer{Timeout: time.Second}).DialContext,
		ResponseHeaderTimeout: time.Second,
	}}
	client.Transport = w
	return w, client, nil
}

// during lets requests through until the returned function is called.
func (w *Web) during(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	w.set(ctx)
	return func() {
		cancel()
		w.CloseIdleConnections()
	}
}

func (w *Web) set(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = ctx
}

func (w *Web) current() context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// RoundTrip is that of http.RoundTripper.
func (w *Web) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	during := w.current()
	// With its cause: an end by timeout must not look like one by mcp-sd's own.
	stop := context.AfterFunc(during, func() { cancel(context.Cause(during)) })
	release := func() { stop(); cancel(nil) }
	req, err := detached(req.WithContext(ctx))
	if err != nil {
		release()
		return nil, err
	}
	resp, err := w.transport(req).RoundTrip(req)
	if err != nil {
		release()
		return nil, err
	}
	resp.Body = &body{ReadCloser: resp.Body, left: maxBody, release: release}
	return resp, nil
}

// detached gives a request a body of its own. The SDK closes the one that it
// gave as soon as an answer begins, and then net/http, where it has not yet
// seen the end of that body, closes the connection under the answer.
func detached(req *http.Request) (*http.Request, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return req, nil
	}
	defer req.Body.Close()
	b, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	req.Body = io.NopCloser(bytes.NewReader(b))
	return req, nil
}

func (w *Web) transport(req *http.Request) http.RoundTripper {
	if req.URL.Scheme == "http" && req.Method != http.MethodPost {
		return w.metadata // AWS itself is asked by POST, or over TLS
	}
	return w.AWS
}

// CloseIdleConnections lets http.Client reach the connections.
func (w *Web) CloseIdleConnections() {
	for _, rt := range []http.RoundTripper{w.AWS, w.metadata} {
		if c, ok := rt.(interface{ CloseIdleConnections() }); ok {
			c.CloseIdleConnections()
		}
	}
}

// body is one that has an end.
type body struct {
	io.ReadCloser
	left    int64
	release func()
}

func (b *body) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the answer is larger than %d MiB", maxBody>>20)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

func (b *body) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}

// limited lets no more requests through than its limiter, retries included.
type limited struct {
	next    http.RoundTripper
	limiter *rate.Limiter
}

func (l limited) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := l.limiter.Wait(req.Context()); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, fmt.Errorf("waiting for a turn: %w", cmp.Or(req.Context().Err(), context.DeadlineExceeded))
	}
	return l.next.RoundTrip(req)
}
