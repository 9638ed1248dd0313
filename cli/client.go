package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"

	"github.com/mcp-sd/mcp-sd/discovery"
)

// ErrNoDaemon is in the chain where no daemon answers on the control socket.
var ErrNoDaemon = errors.New("no mcp-sd answers there")

// Client asks the running daemon through its control socket.
type Client struct {
	http *http.Client
	path string
}

// NewClient returns a client of the daemon that listens at path.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &Client{path: path, http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Targets returns all targets.
func (c *Client) Targets(ctx context.Context) (ts []discovery.TargetView, err error) {
	return ts, c.ask(ctx, http.MethodGet, "/targets", nil, &ts)
}

// Explain returns what is known of an address.
func (c *Client) Explain(ctx context.Context, address string) (x discovery.Explanation, err error) {
	return x, c.ask(ctx, http.MethodGet, "/explain", url.Values{"address": {address}}, &x)
}

// Accept lets through what the guard holds, of one source or of all.
func (c *Client) Accept(ctx context.Context, source, by string) (held []discovery.KeptTarget, err error) {
	return held, c.ask(ctx, http.MethodPost, "/accept", url.Values{"source": {source}, "by": {by}}, &held)
}

// Remove takes one lingering or held target out.
func (c *Client) Remove(ctx context.Context, address, by string) (gone []discovery.KeptTarget, err error) {
	return gone, c.ask(ctx, http.MethodPost, "/remove", url.Values{"address": {address}, "by": {by}}, &gone)
}

func (c *Client) ask(ctx context.Context, method, path string, query url.Values, data any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://mcp-sd"+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("asking the daemon at %s: %w: do it as root, or as the user that mcp-sd runs as", c.path, fs.ErrPermission)
	}
	if err != nil {
		return fmt.Errorf("asking the daemon at %s: %w (%w)", c.path, ErrNoDaemon, err)
	}
	defer resp.Body.Close()
	var a struct {
		Status string          `json:"status"`
		Data   json.RawMessage `json:"data"`
		Error  string          `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return fmt.Errorf("reading the daemon's answer: %w", err)
	}
	if a.Status != "success" {
		return errors.New(a.Error)
	}
	if len(a.Data) == 0 {
		return nil
	}
	return json.Unmarshal(a.Data, data)
}
