package traffic

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcp-sd/mcp-sd/examples/mcp-server/server"
)

// A visitor is one user with a client of their own.
type visitor struct {
	name, tier string
	key        bool // authenticates by API key, else by token
	o          Options
	transport  *http.Transport
	client     *http.Client

	mu      sync.Mutex
	session *session
	widget  int // that was shown last
}

// A session is one of a visitor's, who may do several things at once in it: it
// ends after so many, when the last of them is done.
type session struct {
	*mcp.ClientSession
	left  int // actions that may still begin
	users int // actions that go on
}

func (o Options) visitor(name, tier string, key bool) *visitor {
	v := &visitor{name: name, tier: tier, key: key, o: o, transport: &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}}
	v.client = &http.Client{Transport: v, Timeout: 30 * time.Second}
	return v
}

// RoundTrip sends a request with the user's credentials. Where they are wrong
// the answer is 401, and the user tries again, as one whose token has expired
// would: so the share of failed attempts is AuthFailureRate exactly.
func (v *visitor) RoundTrip(r *http.Request) (*http.Response, error) {
	if v.name == "" {
		return v.transport.RoundTrip(r)
	}
	for {
		failing := rand.Float64() < v.o.AuthFailureRate
		resp, err := v.send(r, failing)
		if err != nil || !failing || v.o.AuthFailureRate >= 1 || r.Body != nil && r.GetBody == nil {
			return resp, err
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // for the connection's sake
		_ = resp.Body.Close()
	}
}

func (v *visitor) send(r *http.Request, failing bool) (*http.Response, error) {
	credentials, err := v.credentials(failing)
	if err != nil {
		return nil, err
	}
	again := r.Clone(r.Context())
	again.Header.Set("Authorization", "Bearer "+credentials)
	if r.GetBody != nil {
		if again.Body, err = r.GetBody(); err != nil {
			return nil, fmt.Errorf("reading the request's body again: %w", err)
		}
	}
	return v.transport.RoundTrip(again)
}

// credentials are good ones, or wrong in one of the ways that there are.
func (v *visitor) credentials(wrong bool) (string, error) {
	c, expires := v.o.Credentials, time.Now().Add(time.Hour)
	if wrong {
		switch forged := (server.Credentials{Secret: []byte("a guess")}); {
		case v.key:
			c = forged
		case rand.IntN(4) == 0:
			return "not-a-token", nil
		case rand.IntN(2) == 0:
			c = forged
		default:
			expires = time.Now().Add(-time.Minute)
		}
	}
	if v.key {
		return c.APIKey(v.name, v.tier), nil
	}
	return c.Token(v.name, v.tier, expires)
}

// knock sends the user's credentials once, good or wrong.
func (v *visitor) knock(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, v.o.URL+"/account", nil)
	if err != nil {
		return err
	}
	resp, err := v.send(r, rand.Float64() < v.o.AuthFailureRate)
	if err != nil {
		return err
	}
	return drain(resp)
}

// act does one thing. A session in which something failed is not used again,
// and neither is one that has lasted a while: clients come and go.
func (v *visitor) act(ctx context.Context, do action, round int) error {
	s, err := v.enter(ctx)
	if err != nil {
		return err
	}
	err = do(ctx, v, s.ClientSession, round)
	v.exit(s, err != nil)
	return err
}

func (v *visitor) enter(ctx context.Context) (*session, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.session == nil {
		s, err := v.connect(ctx)
		if err != nil {
			return nil, fmt.Errorf("connecting: %w", err)
		}
		v.session = &session{ClientSession: s, left: 5 + rand.IntN(20)}
	}
	s := v.session
	s.users++
	if s.left--; s.left <= 0 {
		v.session = nil
	}
	return s, nil
}

func (v *visitor) connect(ctx context.Context) (*mcp.ClientSession, error) {
	client := mcp.NewClient(&mcp.Implementation{Name: "mcp-example-traffic", Version: "1"}, nil)
	return client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: v.o.URL + server.MCPPath, HTTPClient: v.client,
		// Nothing is awaited from the server, and an open stream would be cut
		// by the client's time limit.
		DisableStandaloneSSE: true,
	}, &mcp.ClientSessionOptions{ProtocolVersion: revision()})
}

func (v *visitor) exit(s *session, failed bool) {
	v.mu.Lock()
	s.users--
	if failed && v.session == s {
		v.session = nil
	}
	over := v.session != s && s.users == 0
	v.mu.Unlock()
	if over {
		v.end(s)
	}
}

// end closes a session that nobody uses, and the connections with it.
func (v *visitor) end(s *session) {
	_ = s.Close() // a server that is gone has nothing to be told
	v.transport.CloseIdleConnections()
}

// revision is one of the protocol: half of the clients are older.
func revision() string {
	if rand.IntN(2) == 0 {
		return "2025-11-25"
	}
	return ""
}

// leave ends what is left; nothing may go on.
func (v *visitor) leave() {
	v.mu.Lock()
	s := v.session
	v.session = nil
	v.mu.Unlock()
	if s != nil {
		v.end(s)
	}
	v.transport.CloseIdleConnections()
}

func (v *visitor) shown(widget int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.widget = widget
}

func (v *visitor) lastShown() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.widget
}

// page asks for one of the server's pages; body makes it a POST.
func (v *visitor) page(ctx context.Context, path, body string) error {
	method, content := http.MethodGet, io.Reader(nil)
	if body != "" {
		method, content = http.MethodPost, strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, v.o.URL+path, content)
	if err != nil {
		return err
	}
	resp, err := v.client.Do(r)
	if err != nil {
		return err
	}
	return drain(resp)
}

func drain(resp *http.Response) error {
	defer resp.Body.Close()
	_, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return err
}
