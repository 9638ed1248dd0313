package health

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	"github.com/mcp-sd/mcp-sd/target"
)

// A probe sends what Prometheus would (contract §5).
func TestRequest(t *testing.T) {
	var got *http.Request
	k := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r })
	k.Path, k.Params = "/some/metrics", "module=a&target=b"
	probe(t, k, spec(t, func(o *Options) { o.Timeout = model.Duration(2500 * time.Millisecond) }))
	if got.Method != http.MethodGet || got.Host != k.Address || got.URL.String() != "/some/metrics?module=a&target=b" {
		t.Errorf("%s %s of %s", got.Method, got.URL, got.Host)
	}
	want := http.Header{
		"Accept":                              {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.7,application/openmetrics-text;version=0.0.1;q=0.6,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.3"},
		"Accept-Encoding":                     {"gzip"},
		"User-Agent":                          {"mcp-sd/"},
		"X-Prometheus-Scrape-Timeout-Seconds": {"2.5"},
	}
	if diff := cmp.Diff(want, got.Header); diff != "" {
		t.Error(diff)
	}
}

// http_client means what it means to Prometheus: what arrives is what a client
// of Prometheus' own library sends (contract §3).
func TestHTTPClientIsPrometheus(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	if err := os.WriteFile(file, []byte("from-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, secret, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"access_token": "token-for-" + secret, "token_type": "Bearer"})
	}))
	defer tokens.Close()
	for _, section := range []string{
		"",
		"basic_auth: {username: u, password: p}",
		"basic_auth: {username_file: " + file + ", password_file: " + file + "}",
		"authorization: {credentials: c}",
		"authorization: {type: Token, credentials_file: " + file + "}",
		"bearer_token: b",
		"bearer_token_file: " + file,
		"oauth2: {client_id: i, client_secret: s, token_url: '" + tokens.URL + "'}",
		"oauth2: {client_id: i, client_secret_file: " + file + ", token_url: '" + tokens.URL + "'}",
		"http_headers: {X-A: {values: [a, b]}, X-B: {secrets: [c]}, X-C: {files: [" + file + "]}}",
		"enable_http2: false",
	} {
		var got []http.Header
		k := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = append(got, r.Header) })
		s := spec(t, func(o *Options) { o.HTTPClient = client(t, section) })
		if r := probe(t, k, s); len(got) != 1 {
			t.Fatalf("%s: not asked: %s (%s)", section, r.Class, r.Detail)
		}
		theirs, err := promconfig.NewClientFromConfig(client(t, section), "test", promconfig.WithKeepAlivesDisabled())
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest(http.MethodGet, k.URL(), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = s.header.Clone()
		resp, err := theirs.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		delete(got[1], "Connection")
		if diff := cmp.Diff(got[1], got[0]); diff != "" {
			t.Errorf("%s: %s", section, diff)
		}
	}
}

// Redirects are followed to the same scheme, host and port only (contract §5).
func TestRedirects(t *testing.T) {
	var askedOther atomic.Bool
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		askedOther.Store(true)
		say(text004, page)(w, r)
	})
	to := func(location string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/metrics" {
				say(text004, page)(w, r)
				return
			}
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	}
	never := func(o *Options) { o.HTTPClient.FollowRedirects = false }
	for _, tc := range []struct {
		name    string
		answer  http.HandlerFunc
		options func(*Options)
		want    Class
		detail  string
	}{
		{"with a slash", to("/metrics/"), nil, ClassUp, ""},
		{"forbidden", to("/metrics/?token=hunter2"), never, ClassRedirect, "status 307 Temporary Redirect to /metrics/, and http_client.follow_redirects is false"},
		{"to another port", to(other.URL()), nil, ClassRedirect, "redirect to http://" + other.Address + ": only the same"},
		{"to another scheme", to("https://" + other.Address + "/"), nil, ClassRedirect, "redirect to https://"},
		{"to another host, with secrets", to("http://user:hunter2@127.0.0.2/?token=hunter2"), nil, ClassRedirect, "redirect to http://127.0.0.2: only"},
		{"to the metadata service", to("http://169.254.169.254/latest"), nil, ClassRedirect, "169.254.169.254"},
		{"to another host, forbidden", to("http://user:hunter2@127.0.0.2/"), never, ClassRedirect, "to http://127.0.0.2, and"},
		{"loop", to("/metrics"), nil, ClassRedirect, "loop"},
		{"nowhere", to(""), nil, ClassRedirect, "without a place"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := probe(t, serve(t, tc.answer), spec(t, tc.options))
			if r.Class != tc.want || !strings.Contains(r.Detail, tc.detail) || strings.Contains(r.Detail, "hunter2") {
				t.Errorf("got %s (%s), want %s (… %s …)", r.Class, r.Detail, tc.want, tc.detail)
			}
		})
	}
	if askedOther.Load() {
		t.Error("the other server was asked")
	}
}

// A redirect may spell out the default port.
func TestOrigin(t *testing.T) {
	for _, pair := range [][2]string{
		{"http://a:80/x", "http://A/y"}, {"https://a/", "https://a:443/"}, {"http://[::1]:80/", "http://[::1]/"},
	} {
		a, _ := url.Parse(pair[0])
		b, _ := url.Parse(pair[1])
		if origin(a) != origin(b) {
			t.Errorf("%s and %s", origin(a), origin(b))
		}
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(say(text004, page))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = silent(t)
	server.StartTLS()
	t.Cleanup(server.Close)
	plain := serve(t, say(text004, page))
	plain.Scheme = "https"
	needsCert := httptest.NewUnstartedServer(say(text004, page))
	needsCert.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	needsCert.Config.ErrorLog = silent(t)
	needsCert.StartTLS()
	t.Cleanup(needsCert.Close)

	insecure := func(o *Options) { o.HTTPClient.TLSConfig.InsecureSkipVerify = true }
	http1 := func(o *Options) { insecure(o); o.HTTPClient.EnableHTTP2 = false }
	asHTTP := key(server)
	asHTTP.Scheme = "http"
	for _, tc := range []struct {
		name    string
		key     target.Key
		options func(*Options)
		want    Class
		detail  string
	}{
		{"unknown authority", key(server), nil, ClassTLS, "certificate"},
		{"not verified", key(server), insecure, ClassUp, ""},
		{"not verified, HTTP/1.1", key(server), http1, ClassUp, ""},
		{"other name", key(server), func(o *Options) { o.HTTPClient.TLSConfig.ServerName = "a.example" }, ClassTLS, "a.example"},
		{"HTTP spoken on the port", plain, nil, ClassTLS, "HTTP response to HTTPS client"},
		{"client certificate wanted", key(needsCert), insecure, ClassTLS, "certificate required"},
		{"HTTPS spoken on the port", asHTTP, nil, ClassHTTP4xx, "400"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := probe(t, tc.key, spec(t, tc.options))
			if r.Class != tc.want || !strings.Contains(r.Detail, tc.detail) {
				t.Errorf("got %s (%s), want %s (… %s …)", r.Class, r.Detail, tc.want, tc.detail)
			}
		})
	}
}

// enable_http2 is Prometheus', and on by default.
func TestHTTP2(t *testing.T) {
	for _, on := range []bool{true, false} {
		var major int
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { major = r.ProtoMajor }))
		server.EnableHTTP2 = true
		server.StartTLS()
		probe(t, key(server), spec(t, func(o *Options) {
			o.HTTPClient.TLSConfig.InsecureSkipVerify = true
			o.HTTPClient.EnableHTTP2 = on
		}))
		server.Close()
		if want := map[bool]int{true: 2, false: 1}[on]; major != want {
			t.Errorf("enable_http2 %t: HTTP/%d", on, major)
		}
	}
}

// Certificate files are read anew when they change, as by Prometheus.
func TestCAFile(t *testing.T) {
	server := httptest.NewUnstartedServer(say(text004, page))
	server.Config.ErrorLog = silent(t)
	server.StartTLS()
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	write := func(b []byte) {
		if err := os.WriteFile(ca, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(pemOf(server.Certificate()))
	s := spec(t, func(o *Options) { o.HTTPClient.TLSConfig.CAFile = ca })
	if r := probe(t, key(server), s); !r.Class.Up() {
		t.Errorf("got %s (%s)", r.Class, r.Detail)
	}
	// A secret that can't be read is mcp-sd's own trouble: no verdict.
	if err := os.Remove(ca); err != nil {
		t.Fatal(err)
	}
	if r := probe(t, key(server), s); r.Class != ClassCanceled || !strings.Contains(r.Detail, "not asked: ") {
		t.Errorf("without its CA: got %s (%s)", r.Class, r.Detail)
	}
	if _, err := NewSpec("racks", s.opts, true, s.metrics); err == nil || !strings.Contains(err.Error(), "ca.pem") {
		t.Errorf("NewSpec: %v", err)
	}
}

// A token endpoint in trouble is nobody's verdict, is not asked by every
// probe, and holds none of them up.
func TestTokenTrouble(t *testing.T) {
	var asked atomic.Int64
	slow := make(chan bool, 1)
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		select {
		case <-slow:
			io.Copy(io.Discard, r.Body) // only then the server sees that its client has gone
			hang(w, r)
		default:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"invalid_client","secret":"hunter2"}`)
		}
	}))
	defer tokens.Close()
	k := serve(t, say(text004, page))
	section := "oauth2: {client_id: i, client_secret: hunter2, token_url: '" + tokens.URL + "'}"
	options := func(o *Options) {
		short(o)
		o.HTTPClient = client(t, section)
	}
	s := spec(t, options)
	for range 10 {
		if r := probe(t, k, s); r.Class != ClassCanceled || !strings.Contains(r.Detail, "token endpoint refused") || strings.Contains(r.Detail, "hunter2") {
			t.Errorf("got %s (%s)", r.Class, r.Detail)
		}
	}
	if n := asked.Load(); n > 2 { // the library tries both ways to send a secret
		t.Errorf("asked %d times", n)
	}
	slow <- true
	var wg sync.WaitGroup
	s = spec(t, options)
	start := time.Now()
	for range 20 {
		wg.Go(func() {
			if r := probe(t, k, s); r.Class != ClassCanceled {
				t.Errorf("got %s (%s)", r.Class, r.Detail)
			}
		})
	}
	wg.Wait()
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("20 probes waited %s for a token endpoint that hangs", took)
	}
}

// With a proxy, literal addresses are checked, names are the proxy's business,
// and the proxy itself may live anywhere (contract §7).
func TestProxy(t *testing.T) {
	k := serve(t, say(text004, page))
	var via []string
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			via = append(via, r.In.URL.Host)
			r.Out.URL.Host = k.Address
		},
	})
	defer proxy.Close()
	proxied, err := NewSpec("ec2", decode(t, DefaultOptions(), "http_client: {proxy_url: '"+proxy.URL+"', no_proxy: direct.example}"), false, spec(t, nil).metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer proxied.Close()
	name := target.Key{Scheme: "http", Address: "no-such-name.example:80", Path: "/metrics"}
	if r := probe(t, name, proxied); !r.Class.Up() || !slices.Equal(via, []string{"no-such-name.example:80"}) {
		t.Errorf("got %s (%s) via %v", r.Class, r.Detail, via)
	}
	for _, address := range []string{"169.254.169.254:80", "127.0.0.1:80"} {
		if r := probe(t, target.Key{Scheme: "http", Address: address, Path: "/"}, proxied); r.Class != ClassDenied {
			t.Errorf("%s: got %s (%s)", address, r.Class, r.Detail)
		}
	}
	if len(via) != 1 {
		t.Errorf("the proxy was asked for %v", via)
	}
	proxy.Close()
	if r := probe(t, name, proxied); r.Class != ClassRefused || !strings.HasPrefix(r.Detail, "through the proxy: ") {
		t.Errorf("without its proxy: got %s (%s)", r.Class, r.Detail)
	}
}

// connections counts those that a server accepted.
func connections(t *testing.T, h http.Handler) (target.Key, *atomic.Int64) {
	t.Helper()
	var n atomic.Int64
	server := httptest.NewUnstartedServer(h)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			n.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return key(server), &n
}

// Connections are kept alive (contract §5), after failures too.
func TestKeepAlive(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"up":          say(text004, page),
		"gzip":        raw("gzip", gzipBytes(page)),
		"503":         status(503, strings.Repeat("x", 20_000)),
		"not metrics": say("text/html", "<html>"+strings.Repeat("x\n", 50_000)),
		"redirect":    http.RedirectHandler("/metrics", http.StatusFound).ServeHTTP,
	} {
		k, n := connections(t, answer)
		s := spec(t, nil)
		for range 5 {
			probe(t, k, s)
		}
		if n.Load() != 1 {
			t.Errorf("%s: %d connections", name, n.Load())
		}
	}
}

// An answer past its limit is not drained: its connection is closed.
func TestNoDraining(t *testing.T) {
	k, n := connections(t, say(text004, strings.Repeat("a 1\n", 20_000)))
	s := spec(t, limit)
	for range 3 {
		probe(t, k, s)
	}
	if n.Load() != 3 {
		t.Errorf("%d connections", n.Load())
	}
}

// An answer that is judged by its status does not hold the verdict up.
func TestDripOfAnError(t *testing.T) {
	k := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		drip(w, r)
	})
	if r := probe(t, k, spec(t, nil)); r.Class != ClassHTTP5xx || r.Took > 5*time.Second {
		t.Errorf("got %s (%s) after %s", r.Class, r.Detail, r.Took)
	}
}

// Where not every endpoint can keep its connection, the same ones always do.
func TestShare(t *testing.T) {
	s := spec(t, nil)
	kept := func(part float64) map[target.Key]bool {
		s.share(part)
		m := map[target.Key]bool{}
		for i := range 10_000 {
			if k := (target.Key{Scheme: "http", Address: fmt.Sprintf("10.0.%d.%d:9090", i/256, i%256)}); s.keeps(k) {
				m[k] = true
			}
		}
		return m
	}
	quarter := kept(0.25)
	if n := len(quarter); n < 2200 || n > 2800 {
		t.Errorf("a quarter of 10000 is %d", n)
	}
	if !maps.Equal(quarter, kept(0.25)) {
		t.Error("others the second time")
	}
	if n := len(kept(1)); n != 10_000 {
		t.Errorf("all are %d", n)
	}
	s.Close()
	if n := len(kept(1)); n != 0 {
		t.Errorf("%d after Close", n)
	}
}

// The connection to a name is renewed now and then, so that a rebound name is
// found out; about every tenth probe.
func TestRenew(t *testing.T) {
	s := spec(t, nil)
	k := target.Key{Scheme: "http", Address: "mcp.example:80"}
	n := 0
	for i := range 1000 {
		if s.renews(k, time.Unix(int64(i)*30, 0)) {
			n++
		}
	}
	if n != 1000/renewEvery {
		t.Errorf("%d of 1000", n)
	}
}

// A spec that was replaced keeps no connection.
func TestClosedSpec(t *testing.T) {
	k, n := connections(t, say(text004, page))
	s := spec(t, nil)
	s.Close()
	for range 2 {
		if r := NewHTTPProber(BodyMemory).Probe(context.Background(), Check{Key: k, Spec: s}); !r.Class.Up() {
			t.Errorf("got %s (%s)", r.Class, r.Detail)
		}
	}
	if n.Load() != 2 {
		t.Errorf("%d connections", n.Load())
	}
}

// The probe that is under way when its Spec is closed, as at a reload, keeps no
// connection afterwards, not even where another one began after that.
func TestProbeOutlivesSpec(t *testing.T) {
	asked, answer, closed := make(chan bool), make(chan bool), make(chan bool, 2)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			asked <- true
			<-answer
		}
		say(text004, page)(w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			closed <- true
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	s, p := spec(t, nil), NewHTTPProber(BodyMemory)
	slow := key(server)
	slow.Path = "/slow"
	results := make(chan Result)
	go func() { results <- p.Probe(context.Background(), Check{Key: slow, Spec: s}) }()
	<-asked
	s.Close()
	late := p.Probe(context.Background(), Check{Key: key(server), Spec: s})
	close(answer)
	if early := <-results; !early.Class.Up() || !late.Class.Up() {
		t.Errorf("got %s and %s", early.Class, late.Class)
	}
	for range 2 {
		select {
		case <-closed:
		case <-time.After(10 * time.Second):
			t.Fatal("a connection is kept")
		}
	}
}
