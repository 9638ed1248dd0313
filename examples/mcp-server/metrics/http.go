package metrics

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// HTTP records every request that next answers: count, duration, and the size
// of both bodies. It belongs around everything else, the router included.
//
// The label route is the pattern by which an http.ServeMux found the handler;
// without one, the path with its numbers, UUIDs and object ids replaced by
// {id}, where at most 100 of those are told apart. A path that is answered by
// 404 or 405 is Other: whoever asks for what isn't there may ask for anything.
//
// A request that asks to be told of what happens, and is answered by an event
// stream, lasts until the stream has begun: it stays open for as long as the
// client likes, which is no latency of the server's. Connections say how long.
// A call that is answered by a stream lasts until its answer is complete.
func (m *Metrics) HTTP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := &countedBody{ReadCloser: r.Body}
		own := r.WithContext(r.Context()) // the router writes its pattern into it
		own.Body = body
		rec := &recorder{ResponseWriter: w, start: time.Now()}
		panicked := true
		defer func() {
			if panicked && rec.status == 0 {
				rec.status = http.StatusInternalServerError
			}
			m.answered(own, rec, body.read)
		}()
		next.ServeHTTP(rec, own)
		panicked = false
	})
}

func (m *Metrics) answered(r *http.Request, rec *recorder, read int64) {
	if rec.status == 0 {
		rec.status = http.StatusOK // nothing was written: net/http says 200
	}
	took := time.Since(rec.start)
	if listens(r) && strings.HasPrefix(rec.Header().Get("Content-Type"), "text/event-stream") {
		took = rec.begun
	}
	if r.ContentLength >= 0 {
		read = r.ContentLength // as announced, also where nobody wanted to read it
	}
	route, code := m.route(r, rec.status), strconv.Itoa(rec.status)
	m.httpRequests.with(r.Method, route, code).Inc()
	m.httpDuration.with(r.Method, route, code).Observe(took.Seconds())
	m.httpRequestSize.with(r.Method, route).Observe(float64(read))
	m.httpResponseSize.with(r.Method, route, code).Observe(float64(rec.written))
}

// listens says whether a request is for a stream without an end of its own: a
// GET until revision 2025-11-25 of MCP, and since 2026-07-28 a POST of this
// method, which stands in a header.
func listens(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Header.Get("Mcp-Method") == "subscriptions/listen"
}

// recorder sees what is written. It can be flushed and unwrapped, which is all
// that http.ResponseController needs.
type recorder struct {
	http.ResponseWriter
	start   time.Time
	begun   time.Duration // when the header was written
	status  int
	written int64
}

// WriteHeader notes the status, but not an informational one: another follows.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		r.status = status
		r.begun = time.Since(r.start)
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	n, err := r.ResponseWriter.Write(b)
	r.written += int64(n)
	return n, err
}

// Flush is http.Flusher's; where the writer below has none, nothing happens.
func (r *recorder) Flush() {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(r.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

type countedBody struct {
	io.ReadCloser
	read int64
}

func (c *countedBody) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.read += int64(n)
	return n, err
}
