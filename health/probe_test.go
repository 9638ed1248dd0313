package health

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/units"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"

	"github.com/mcp-sd/mcp-sd/target"
)

const (
	text004     = "text/plain; version=0.0.4; charset=utf-8"
	openMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8"
	page        = "# HELP mcp_sessions Sessions.\n# TYPE mcp_sessions gauge\nmcp_sessions{transport=\"http\"} 3\n"
)

// spec builds one for a source of the operator's own, so that loopback is
// allowed; tests change what they are about.
func spec(t testing.TB, change func(*Options), opts ...SpecOption) *Spec {
	t.Helper()
	o := DefaultOptions()
	if change != nil {
		change(&o)
	}
	s, err := NewSpec("racks", o, true, NewMetrics(prometheus.NewRegistry()), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func short(o *Options) { o.Timeout = model.Duration(300 * time.Millisecond) }

func key(server *httptest.Server) target.Key {
	scheme, address, _ := strings.Cut(server.URL, "://")
	return target.Key{Scheme: scheme, Address: address, Path: "/metrics"}
}

func probe(t testing.TB, k target.Key, s *Spec) Result {
	t.Helper()
	return NewHTTPProber(BodyMemory).Probe(t.Context(), Check{Key: k, Identity: "i-1", Spec: s})
}

func serve(t testing.TB, h http.HandlerFunc) target.Key {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return key(server)
}

// say answers with that type and body.
func say(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil // no sniffing
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		io.WriteString(w, body)
	}
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

// hang answers nothing until the client has gone.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func gzipped(body func(io.Writer)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", text004)
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		body(z)
		z.Close()
	}
}

// gzipBytes is a whole gzip stream.
func gzipBytes(body string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, body)
	z.Close()
	return b.Bytes()
}

func raw(contentEncoding string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", text004)
		w.Header().Set("Content-Encoding", contentEncoding)
		w.Write(body)
	}
}

// endless writes until the client has had enough.
func endless(chunk string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", text004)
		for {
			if _, err := io.WriteString(w, chunk); err != nil {
				return
			}
		}
	}
}

// What an endpoint can answer, and the class of each answer (contract §5).
func TestClasses(t *testing.T) {
	for _, tc := range []struct {
		name    string
		answer  http.HandlerFunc
		options func(*Options)
		want    Class
		detail  string // part of it
	}{
		{name: "metrics", answer: say(text004, page)},
		{name: "metrics without version parameter", answer: say("text/plain", page)},
		{name: "metrics of text 1.0.0 with a UTF-8 name", answer: say("text/plain; version=1.0.0", "{\"mcp.sessions\",a=\"b\"} 1\n")},
		{name: "no newline at the end", answer: say(text004, "a 1")},
		{name: "OpenMetrics", answer: say(openMetrics, "# TYPE a counter\na_total 1.0\n# EOF\n")},
		{name: "OpenMetrics with nothing in it", answer: say(openMetrics, "# EOF\n")},
		{name: "protobuf", answer: say(protoType, string(protoBody(t, counter("a", 1))))},
		{name: "empty body", answer: say(text004, "")},
		{name: "only comments", answer: say(text004, "# HELP a b\n# TYPE a counter\n")},
		{name: "gzip", answer: raw("gzip", gzipBytes(page))},
		{name: "gzip of two members", answer: raw("gzip", append(gzipBytes("a 1\n"), gzipBytes("b 2\n")...))},
		{name: "identity", answer: raw("identity", []byte(page))},
		{name: "unknown type that is metrics all the same", answer: say("application/octet-stream", page)},
		{name: "no type, metrics", answer: say("", page)},
		{name: "rubbish after the first sample", answer: say(text004, page+"<html>\n")},

		{name: "no type, empty body", answer: say("", ""), want: ClassNotMetrics, detail: "no Content-Type"},
		{name: "unknown type with comments alone", answer: say("text/html", "# hello\n"), want: ClassNotMetrics},
		{name: "login page", answer: say("text/html; charset=utf-8", "<!DOCTYPE html>\n<title>Log in</title>"), want: ClassNotMetrics, detail: "text/html; the body is no metrics page"},
		{name: "login page called text", answer: say("text/plain", "<!DOCTYPE html>\n<title>Log in</title>"), want: ClassNotMetrics, detail: "does not begin with a sample"},
		{name: "ok", answer: say("text/plain", "ok\n"), want: ClassNotMetrics},
		{name: "JSON", answer: say("application/json", "{\"status\":\"up\"}\n"), want: ClassNotMetrics, detail: "application/json"},
		{name: "event stream that never ends", answer: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.(http.Flusher).Flush()
			hang(w, r)
		}, want: ClassNotMetrics, detail: "MCP's own endpoint"},
		{name: "byte order mark", answer: say(text004, "\ufeffa 1\n"), want: ClassNotMetrics},
		{name: "latin-1 in the first label", answer: say(text004, "a{b=\"caf\xe9\"} 1\n"), want: ClassNotMetrics},
		{name: "bad type before the first sample", answer: say(text004, "# TYPE a speed\na 1\n"), want: ClassNotMetrics},
		{name: "bad value", answer: say(text004, "a one\n"), want: ClassNotMetrics},
		{name: "no gzip", answer: raw("gzip", []byte(page)), want: ClassNotMetrics, detail: "no gzip"},
		{name: "encoding nobody asked for", answer: raw("br", []byte{0x0b, 0x02, 0x80}), want: ClassNotMetrics, detail: "not asked for (br)"},
		{name: "204", answer: status(204, ""), want: ClassNotMetrics, detail: "wants 200"},
		{name: "not protobuf", answer: say(protoType, page), want: ClassNotMetrics},

		{name: "401", answer: status(401, ""), want: ClassUnauthorized, detail: "status 401 Unauthorized"},
		{name: "403", answer: status(403, "no"), want: ClassUnauthorized, detail: "status 403 Forbidden"},
		{name: "403 of an MCP SDK", answer: status(403, `Forbidden: invalid Host header "10.0.0.1:3000"`), want: ClassUnauthorized, detail: "DNS-rebinding protection"},
		{name: "421", answer: status(421, ""), want: ClassMisdirected, detail: "allowed hosts"},
		{name: "404", answer: status(404, page), want: ClassHTTP4xx, detail: "status 404 Not Found"},
		{name: "503", answer: status(503, page), want: ClassHTTP5xx, detail: "status 503 Service Unavailable"},
		{name: "999", answer: status(999, ""), want: ClassHTTP5xx},

		{name: "required metric there", answer: say(text004, page), options: requires("mcp_sessions")},
		{name: "required metric missing", answer: say(text004, page), options: requires("mcp_sessions", "mcp_b", "mcp_a"), want: ClassMissingMetrics, detail: "missing mcp_a, mcp_b"},
		{name: "required metric, empty body", answer: say(text004, ""), options: requires("mcp_a"), want: ClassMissingMetrics},

		{name: "endless body", answer: endless("a 1\n"), options: limit, want: ClassTooLarge, detail: "body_limit (64KiB)"},
		{name: "endless line", answer: endless("aaaaaaaaaaaaaaaa"), options: limit, want: ClassTooLarge},
		{name: "exactly at the limit", answer: say(text004, strings.Repeat("aaaaaaa 1\n", 6553)+"bbb 1\n"), options: limit},
		{name: "one byte over the limit", answer: say(text004, strings.Repeat("aaaaaaa 1\n", 6553)+"bbbb 1\n"), options: limit, want: ClassTooLarge},
		{name: "bomb of samples", answer: gzipped(bomb("a 1\n")), want: ClassTooLarge},
		{name: "bomb of zeros", answer: gzipped(bomb("\x00\x00\x00\x00")), want: ClassTooLarge},
		{name: "endless gzip of nothing", answer: endlessGzip, options: limit, want: ClassTooLarge},
		{name: "headers over 64 KiB", answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Much", strings.Repeat("x", 80<<10))
		}, want: ClassTooLarge, detail: "headers"},

		{name: "hangs", answer: hang, options: short, want: ClassTimeout, detail: "no answer within 300ms"},
		{name: "drips", answer: drip, options: short, want: ClassTimeout, detail: "body not complete within 300ms"},
		{name: "truncated gzip", answer: raw("gzip", gzipBytes(page)[:30]), want: ClassTruncated},
		{name: "empty gzip", answer: raw("gzip", nil), want: ClassTruncated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := serve(t, tc.answer)
			r := probe(t, k, spec(t, tc.options))
			if r.Class != tc.want || !strings.Contains(r.Detail, tc.detail) {
				t.Errorf("got %s (%s), want %s (… %s …)", r.Class, r.Detail, tc.want, tc.detail)
			}
			if r.Class != ClassUp && r.Detail == "" {
				t.Error("a failure without a detail for people")
			}
			if r.Key != k || r.Identity != "i-1" || r.At.IsZero() {
				t.Errorf("the result does not say whose it is: %+v", r)
			}
		})
	}
}

func requires(names ...string) func(*Options) {
	return func(o *Options) { o.RequireMetrics = names }
}

func limit(o *Options) { o.BodyLimit = 64 * units.KiB }

// bomb writes 40 MiB that compress to next to nothing.
func bomb(unit string) func(io.Writer) {
	return func(w io.Writer) {
		block := strings.Repeat(unit, 1<<18)
		for range 40 {
			if _, err := io.WriteString(w, block); err != nil {
				return
			}
		}
	}
}

// endlessGzip sends members that decompress to nothing, for ever.
func endlessGzip(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", text004)
	w.Header().Set("Content-Encoding", "gzip")
	empty := bytes.Repeat(gzipBytes(""), 1000)
	for {
		if _, err := w.Write(empty); err != nil {
			return
		}
	}
}

// drip sends a byte now and then, always in time for a timeout that starts
// anew with each.
func drip(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", text004)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		fmt.Fprint(w, "a 1\n")
		w.(http.Flusher).Flush()
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// talk serves one TCP connection after another by hand.
func talk(t *testing.T, f func(net.Conn)) target.Key {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f(c)
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return target.Key{Scheme: "http", Address: l.Addr().String(), Path: "/metrics"}
}

func readRequest(c net.Conn) {
	buf := make([]byte, 4<<10)
	c.Read(buf)
}

// after reads the request and then writes that.
func after(answer string) func(net.Conn) {
	return func(c net.Conn) {
		readRequest(c)
		io.WriteString(c, answer)
	}
}

// What a connection can do to a probe (contract §5).
func TestConnections(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	for _, tc := range []struct {
		name   string
		talk   func(net.Conn)
		want   Class
		detail string
	}{
		{"closed at once", func(net.Conn) {}, ClassUnreachable, "without an answer"},
		{"closed after the request", readRequest, ClassUnreachable, "without an answer"},
		{"reset", func(c net.Conn) {
			readRequest(c)
			c.(*net.TCPConn).SetLinger(0)
		}, ClassUnreachable, "without an answer"},
		{"half the headers", after("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"), ClassTruncated, "headers are cut"},
		{"half the body by its length", after(head + "Content-Length: 100\r\n\r\na 1\nb"), ClassTruncated, "body is cut"},
		{"half the body by its chunks", after(head + "Transfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n9\r\nb"), ClassTruncated, "body is cut"},
		{"half the first sample", after(head + "Content-Length: 100\r\n\r\nmcp_sess"), ClassTruncated, "body is cut"},
		{"reset within the body", func(c net.Conn) {
			after(head + "Content-Length: 100\r\n\r\na 1\n")(c)
			c.(*net.TCPConn).SetLinger(0)
		}, ClassTruncated, "body is cut"},
		{"SSH", after("SSH-2.0-OpenSSH_9.2\r\n"), ClassNotMetrics, "no HTTP"},
		{"body that ends with its connection", after(head + "\r\na 1\n"), ClassUp, ""},
		{"endless headers", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for {
				if _, err := io.WriteString(c, "X-More: "+strings.Repeat("x", 1000)+"\r\n"); err != nil {
					return
				}
			}
		}, ClassTooLarge, "headers"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := probe(t, talk(t, tc.talk), spec(t, nil))
			if r.Class != tc.want || !strings.Contains(r.Detail, tc.detail) {
				t.Errorf("got %s (%s), want %s (… %s …)", r.Class, r.Detail, tc.want, tc.detail)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	r := probe(t, target.Key{Scheme: "http", Address: l.Addr().String(), Path: "/"}, spec(t, nil))
	if r.Class != ClassRefused || r.Detail != "connection refused" {
		t.Errorf("got %s (%s)", r.Class, r.Detail)
	}
}

// What no request can be made of is the target's own fault, not a crash.
func TestImpossibleTargets(t *testing.T) {
	for _, k := range []target.Key{
		{Scheme: "http", Address: "127.0.0.1", Path: "/metrics"},
		{Scheme: "gopher", Address: "127.0.0.1:70", Path: "/metrics"},
		{Scheme: "http", Address: "a b:80", Path: "/metrics"},
		{Scheme: "http", Address: "user:secret@127.0.0.1:80", Path: "/metrics"},
		{Scheme: "http", Address: "127.0.0.1:99999", Path: "/metrics"},
		{},
	} {
		r := probe(t, k, spec(t, nil))
		if r.Class != ClassUnreachable && r.Class != ClassDNS {
			t.Errorf("%v: got %s (%s)", k, r.Class, r.Detail)
		}
	}
}

// A probe that is called off gives no verdict, and gives it at once.
func TestCanceled(t *testing.T) {
	asked := make(chan struct{})
	k := serve(t, func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		hang(w, r)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	r := NewHTTPProber(BodyMemory).Probe(ctx, Check{Key: k, Spec: spec(t, nil)})
	if r.Class != ClassCanceled || r.Detail != "" {
		t.Errorf("got %s (%s)", r.Class, r.Detail)
	}
	if r.Took > 5*time.Second {
		t.Errorf("took %s", r.Took)
	}
}

// All bodies in flight together are bounded (contract §5): where there is no
// room in time, mcp-sd has no verdict, and blames nobody.
func TestNoRoomForTheBody(t *testing.T) {
	k := serve(t, say(text004, page))
	p := NewHTTPProber(windowSize + gzipMemory)
	if err := p.memory.Acquire(t.Context(), gzipMemory+1); err != nil {
		t.Fatal(err)
	}
	r := p.Probe(t.Context(), Check{Key: k, Spec: spec(t, short)})
	if r.Class != ClassCanceled || !strings.Contains(r.Detail, "too many bodies") {
		t.Errorf("got %s (%s)", r.Class, r.Detail)
	}
	p.memory.Release(gzipMemory + 1)
	if r = p.Probe(t.Context(), Check{Key: k, Spec: spec(t, nil)}); !r.Class.Up() {
		t.Errorf("with room: got %s (%s)", r.Class, r.Detail)
	}
	if !p.memory.TryAcquire(windowSize + gzipMemory) {
		t.Error("a body has not given its room back")
	}
}

// Result.Detail is a short line without control characters and secrets.
func TestDetail(t *testing.T) {
	long := clean("a\nb\x00c\xff  d\t" + strings.Repeat("é", 200))
	if len(long) > 200 || strings.ContainsAny(long, "\n\t\x00") || !strings.HasPrefix(long, "a b c d é") || !strings.HasSuffix(long, "é…") {
		t.Errorf("%d bytes: %q", len(long), long)
	}
	echo := func(w http.ResponseWriter, r *http.Request) { // a server that quotes what it was asked
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprintf(w, "Authorization: %s %s\n", r.Header.Get("Authorization"), r.URL.RawQuery)
	}
	k := serve(t, echo)
	k.Params = "token=hunter2"
	s := spec(t, func(o *Options) { o.HTTPClient = client(t, "authorization: {credentials: hunter2}") })
	if r := probe(t, k, s); r.Class != ClassNotMetrics || strings.Contains(r.Detail, "hunter2") {
		t.Errorf("got %s (%s)", r.Class, r.Detail)
	}
}
