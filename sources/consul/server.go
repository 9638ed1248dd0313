package consul

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/version"
)

// server is one agent or server of Consul that can be asked.
type server struct {
	name   string // as configured
	client *api.Client
	http   *http.Client // that client uses
}

// newServer prepares a client as Prometheus does, with the environment's
// CONSUL_* variables standing in for what is not set. It asks nobody.
func newServer(o *Options, address string) (server, error) {
	conf := &api.Config{
		Address:    address,
		Scheme:     o.Scheme,
		PathPrefix: o.PathPrefix,
		Namespace:  o.Namespace,
		Partition:  o.Partition,
		Token:      string(o.Token),
	}
	dial := dialer("")
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		// Consul's client would put an HTTP client of its own in the place of ours.
		conf.Address, dial = "localhost", dialer(path)
	}
	settings := o.httpClient()
	if err := settings.Validate(); err != nil { // fills in what it left out, such as the type of credentials
		return server{}, fmt.Errorf("preparing the HTTP client for %s: %w", address, err)
	}
	hc, err := promconfig.NewClientFromConfig(*settings, "consul",
		promconfig.WithUserAgent(version.ComponentUserAgent("mcp-sd")),
		promconfig.WithIdleConnTimeout(2*waitTime),
		promconfig.WithDialContextFunc(dial))
	if err != nil {
		return server{}, fmt.Errorf("preparing the HTTP client for %s: %w", address, err)
	}
	hc.Transport = exchanger{hc.Transport, settings.Proxy()}
	conf.HttpClient = hc
	client, err := api.NewClient(conf)
	if err != nil {
		return server{}, fmt.Errorf("preparing the client for %s: %w", address, err)
	}
	return server{name: address, client: client, http: hc}, nil
}

// dialer connects to a Unix socket where its path is given. The kernel is asked
// to notice within half a minute that the other end of a standing query is gone.
func dialer(socket string) promconfig.DialContextFunc {
	d := &net.Dialer{
		Timeout:         10 * time.Second,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if socket != "" {
			network, address = "unix", socket
		}
		return d.DialContext(ctx, network, address)
	}
}

// get asks the server once. The body comes back undecoded.
func (s server) get(ctx context.Context, path string, e *exchange, o *api.QueryOptions) (*api.QueryMeta, error) {
	var null any
	meta, err := s.client.Raw().Query(path, &null, o.WithContext(e.in(ctx)))
	if err != nil {
		return nil, explain(err)
	}
	return meta, nil
}

// tokenReader returns what reads the token of each question; "" leaves it to
// the client's own.
func tokenReader(o *Options) func() (string, error) {
	return func() (string, error) {
		if o.TokenFile == "" {
			return "", nil
		}
		b, err := os.ReadFile(o.TokenFile)
		if err != nil {
			return "", fmt.Errorf("reading the token: %w", err)
		}
		token := strings.TrimSpace(string(b))
		if token == "" {
			return "", fmt.Errorf("%s is empty: write the token into it", o.TokenFile)
		}
		return token, nil
	}
}

// explain leaves out of an error what is said elsewhere: who was asked for what.
func explain(err error) error {
	var status api.StatusError
	var asked *url.Error
	switch {
	case errors.As(err, &status):
		return &refusal{code: status.Code, body: status.Body}
	case errors.As(err, &asked):
		return withoutAnswer(asked.Err)
	}
	return err
}

// refusal is an answer with a status other than 200.
type refusal struct {
	code int
	body string
}

func (r *refusal) Error() string {
	body := strings.Join(strings.Fields(r.body), " ")
	if len(body) > 200 {
		body = strings.ToValidUTF8(body[:200], "") + "…"
	}
	msg := fmt.Sprintf("status %d", r.code)
	if body != "" {
		msg += ": " + body
	}
	switch r.code {
	case 401, 403:
		msg += " (check token or token_file: Consul must know it, and it needs service:read and node:read)"
	case 429:
		msg += " (each watched service stands for a connection: raise limits.http_max_conns_per_client in Consul's agent, or watch fewer services)"
	}
	return msg
}

// elsewhere reports whether another server may answer what this one didn't.
func elsewhere(err error) bool {
	var r *refusal
	if errors.As(err, &r) {
		return r.code >= 500 || r.code == 429
	}
	return true
}
