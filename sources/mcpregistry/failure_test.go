package mcpregistry

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	promconfig "github.com/prometheus/common/config"

	"github.com/mcp-sd/mcp-sd/sources/mcpregistry/registrytest"
)

// Contract §4: each way to fail has its word, says what was asked, and what to
// do; and no credential is in it (contract §3).
func TestFailures(t *testing.T) {
	const canary = "cAnArY-token"
	for _, tc := range []struct {
		fault       registrytest.Fault
		class, want string
	}{
		{registrytest.Fault{Status: 401}, Unauthorized, "status 401 Unauthorized (check authorization, basic_auth or oauth2"},
		{registrytest.Fault{Status: 403}, Unauthorized, "status 403"},
		{registrytest.Fault{Status: 404}, Refused, "status 404 Not Found (check server"},
		{registrytest.Fault{Status: 422}, Refused, "check search"},
		{registrytest.Fault{Status: 429, FromPage: 2}, Throttled, "/v0.1/servers, page 2: status 429"},
		{registrytest.Fault{Status: 502}, Unavailable, "status 502 Bad Gateway"},
		{registrytest.Fault{Redirect: "https://login.example.com/?next=x"}, Redirected, "it redirects to https://login.example.com (write into server"},
		{registrytest.Fault{Redirect: "/v0.1/servers"}, Redirected, "ten times in a row"},
		{registrytest.Fault{Body: "<html>" + canary}, BadAnswer, "no list of servers, or was cut off: invalid character '<'"},
		{registrytest.Fault{Cut: true}, Unavailable, "reading the answer: unexpected EOF"},
		{registrytest.Fault{Body: `{"servers": [`}, BadAnswer, "unexpected EOF"},
		{registrytest.Fault{Body: `{"servers": [], "metadata": {"count": 3}}`}, BadAnswer, "counts 3 servers and has 0"},
		{registrytest.Fault{Loop: true}, BadAnswer, "after page 2 the pages go round in a circle"},
		{registrytest.Fault{Endless: true}, TooLarge, "the answer is larger than 32 MiB"},
	} {
		r := newRegistry(t, three()...)
		r.PageSize = 2
		r.Fail(tc.fault)
		p := part(t, r.source(func(o *Options) {
			o.HTTPClientConfig.Authorization = &promconfig.Authorization{Credentials: canary}
		}))
		if p.Err == nil {
			t.Errorf("%+v: no failure", tc.fault)
			continue
		}
		var named interface{ Reason() string }
		if !errors.As(p.Err, &named) || named.Reason() != tc.class || !strings.Contains(p.Err.Error(), tc.want) {
			t.Errorf("%+v: %v\nwant %s: %s", tc.fault, p.Err, tc.class, tc.want)
		}
		if strings.Contains(p.Err.Error(), canary) {
			t.Errorf("%+v: the credential is in the error: %v", tc.fault, p.Err)
		}
	}
}

// Who ended the question, and why, stays apart.
func TestEnded(t *testing.T) {
	r := newRegistry(t, three()...)
	r.Fail(registrytest.Fault{Hang: true})
	s := r.source(nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Discover(ctx).Parts[0].Err; !errors.Is(err, context.Canceled) || classOf(err) != Canceled {
		t.Errorf("canceled: %v", err)
	}
	s.timeout = 1
	if err := s.Discover(t.Context()).Parts[0].Err; !errors.Is(err, context.DeadlineExceeded) || classOf(err) != TimedOut {
		t.Errorf("too slow: %v", err)
	}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	r.url = closed.URL
	if err := part(t, r.source(nil)).Err; classOf(err) != Unavailable || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("nobody there: %v", err)
	}
}

// A registry may move within its host and port; follow_redirects: false forbids it.
func TestRedirects(t *testing.T) {
	fake := newRegistry(t, three()...)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasPrefix(req.URL.Path, "/new/") {
			fake.ServeHTTP(w, req)
			return
		}
		http.Redirect(w, req, "/new"+req.URL.RequestURI(), http.StatusTemporaryRedirect)
	}))
	t.Cleanup(func() { front.CloseClientConnections(); front.Close() })
	fake.url = front.URL
	if p := good(t, fake.source(nil)); len(p.Raw) != 3 {
		t.Errorf("listed are %v", p.Raw)
	}
	p := part(t, fake.source(func(o *Options) { o.HTTPClientConfig.FollowRedirects = false }))
	if classOf(p.Err) != Redirected || !strings.Contains(p.Err.Error(), "status 307") {
		t.Errorf("not to be followed: %v", p.Err)
	}
}
