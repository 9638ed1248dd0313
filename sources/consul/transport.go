package consul

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
)

// maxBody bounds one answer: some 250,000 instances of one service.
const maxBody = 512 << 20

// exchange is what Consul's client cannot carry by itself: tags that go into a
// question, and the bytes that come back. Its own decoder reads every byte
// twice, 13 ms for 1,000 instances; ours looks only at those that changed.
type exchange struct {
	tags     []string
	health   bool       // see query
	bodies   *sync.Pool // of *bytes.Buffer
	body     *bytes.Buffer
	filtered bool // ACLs took something out; Consul's client misses it in answers of an agent about itself
}

type exchangeKey struct{}

func (e *exchange) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, exchangeKey{}, e)
}

// exchanger serves the exchange in a request's context, if there is one.
type exchanger struct {
	next  http.RoundTripper
	proxy func(*http.Request) (*url.URL, error) // or nil
}

func (t exchanger) RoundTrip(req *http.Request) (*http.Response, error) {
	e, ok := req.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		return t.next.RoundTrip(req)
	}
	if len(e.tags) > 0 && !req.URL.Query().Has("tag") { // a redirect may carry them already
		req = req.Clone(req.Context())
		q := req.URL.Query()
		q["tag"] = e.tags
		req.URL.RawQuery = q.Encode()
	}
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK && !(e.health && tellsHealth(resp)) {
		return conceal(resp, sent(cmp.Or(resp.Request, req), t.proxy))
	}
	if err := e.read(resp); err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	e.filtered = resp.Header.Get("X-Consul-Results-Filtered-By-ACLs") == "true"
	resp.StatusCode = http.StatusOK
	resp.Body = io.NopCloser(bytes.NewReader([]byte("null"))) // for the client's own decoder
	return resp, nil
}

// tellsHealth reports whether an answer that is no 200 is an agent's all the
// same: none of that service, or the state of its checks. The agent gives a
// reason then; who stands in between and refuses does not.
func tellsHealth(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return resp.Header.Get("X-Consul-Reason") != ""
	}
	return false
}

// CloseIdleConnections lets http.Client reach the connections.
func (t exchanger) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// read reads a whole answer; a body that ends early is an error. Buffers are
// taken only now, so that a query that stands for minutes holds none.
func (e *exchange) read(resp *http.Response) error {
	defer resp.Body.Close()
	e.release()
	var ok bool
	if e.body, ok = e.bodies.Get().(*bytes.Buffer); !ok {
		e.body = new(bytes.Buffer)
	}
	e.body.Reset()
	if _, err := e.body.ReadFrom(io.LimitReader(resp.Body, maxBody+1)); err != nil {
		return err
	}
	if e.body.Len() > maxBody {
		return fmt.Errorf("it is larger than %d MiB: narrow it down with services, tags or health_filter", maxBody>>20)
	}
	return nil
}

// bytes are the body, until release.
func (e *exchange) bytes() []byte {
	if e.body == nil {
		return nil
	}
	return e.body.Bytes()
}

// release gives the buffer back: answers of megabytes that come again and
// again would keep the garbage collector busy.
func (e *exchange) release() {
	if e.body != nil {
		e.bodies.Put(e.body)
		e.body = nil
	}
}
