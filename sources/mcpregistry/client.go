package mcpregistry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/version"

	"github.com/mcp-sd/mcp-sd/sources/httpconfig"
)

const (
	// pageSize is the most that the registry's own server gives.
	pageSize = 100
	// maxPage bounds one answer, decompressed: 100 servers have less than one MiB.
	maxPage = 32 << 20
	// maxListing bounds all pages of one listing together,
	maxListing = 512 << 20
	// and maxPages their number, for cursors that never come to an end.
	maxPages = 10_000
)

// client asks one registry.
type client struct {
	list   url.URL // …/v0.1/servers
	params url.Values
	http   *http.Client
}

// newClient prepares the HTTP client as Prometheus does. It asks nobody.
func newClient(o *Options) (*client, error) {
	settings := httpconfig.Copy(o.HTTPClientConfig)
	if err := settings.Validate(); err != nil { // fills in what was left out, such as the type of credentials
		return nil, fmt.Errorf("preparing the HTTP client: %w", err)
	}
	hc, err := promconfig.NewClientFromConfig(*settings, "mcp_registry", promconfig.WithUserAgent(version.ComponentUserAgent("mcp-sd")))
	if err != nil {
		return nil, fmt.Errorf("preparing the HTTP client: %w", err)
	}
	if settings.FollowRedirects {
		hc.CheckRedirect = sameOrigin
	}
	base, err := url.Parse(strings.TrimRight(o.Server, "/"))
	if err != nil {
		return nil, fmt.Errorf("reading the URL of the registry: %w", err)
	}
	if !strings.HasSuffix(base.Path, "/v0.1") {
		base = base.JoinPath("v0.1")
	}
	c := &client{list: *base.JoinPath("servers"), params: url.Values{"limit": {strconv.Itoa(pageSize)}}, http: hc}
	if o.Search != "" {
		c.params.Set("search", o.Search)
	}
	return c, nil
}

// sameOrigin lets a registry move within its scheme, host and port. Another one
// is not what was configured, whatever it would list.
func sameOrigin(req *http.Request, via []*http.Request) error {
	from := via[0].URL
	if req.URL.Scheme != from.Scheme || hostPort(req.URL) != hostPort(from) {
		return &Failure{
			Class: Redirected, Err: fmt.Errorf("it redirects to %s://%s", req.URL.Scheme, req.URL.Host),
			Hint: "write into server where the registry really is",
		}
	}
	if len(via) >= 10 {
		return &Failure{Class: Redirected, Err: errors.New("it redirects ten times in a row")}
	}
	return nil
}

// A listing is all pages of one question.
type listing struct {
	entries []entry
	began   time.Time // by the registry's own clock; zero if it did not tell
}

// ask reads all pages. One that is missing fails the whole (contract §4).
func (c *client) ask(ctx context.Context, more url.Values) (*listing, error) {
	params := url.Values{}
	for _, values := range []url.Values{c.params, more} {
		for k, v := range values {
			params[k] = v
		}
	}
	l := &listing{}
	seen, left := map[string]bool{}, maxListing
	for n := 1; n <= maxPages; n++ {
		cursor, read, err := c.page(ctx, params, l)
		if err != nil {
			return nil, fmt.Errorf("listing the servers of %s, page %d: %w", c.list.Redacted(), n, err)
		}
		if left -= read; left < 0 {
			return nil, tooLarge("the servers of %s: their pages have more than %d MiB together", c.list.Redacted(), maxListing>>20)
		}
		if cursor == "" {
			return l, nil
		}
		if seen[cursor] {
			return nil, badAnswer("listing the servers of %s: after page %d the pages go round in a circle", c.list.Redacted(), n)
		}
		seen[cursor] = true
		params.Set("cursor", cursor)
	}
	return nil, tooLarge("the servers of %s: they have more than %d pages", c.list.Redacted(), maxPages)
}

// page reads one page into l, and returns the cursor of the next one and how
// many bytes it had.
func (c *client) page(ctx context.Context, params url.Values, l *listing) (cursor string, read int, err error) {
	u := c.list
	u.RawQuery = params.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return "", 0, unanswered(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", 0, refusal(resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage+1))
	if err != nil {
		return "", 0, unanswered(ctx, fmt.Errorf("reading the answer: %w", err))
	}
	if len(body) > maxPage {
		return "", 0, tooLarge("the answer is larger than %d MiB", maxPage>>20)
	}
	if l.began.IsZero() {
		l.began, _ = http.ParseTime(resp.Header.Get("Date")) // zero where it can't be read
	}
	entries, cursor, err := readPage(body)
	l.entries = append(l.entries, entries...)
	return cursor, len(body), err
}
