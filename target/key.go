package target

import (
	"net/url"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

// What Prometheus asks where a target and its scrape configuration say nothing.
const (
	DefaultScheme = "http"
	DefaultPath   = "/metrics"
)

// Key is the identity of a scrape: two targets with the same key would be
// scraped at the same URL. It exists only after relabelling.
type Key struct {
	Scheme  string
	Address string
	Path    string
	Params  string // url.Values.Encode of the __param_* labels; mostly empty
}

// KeyOf derives the key of a target from its labels; scheme and path stand in
// where the labels have none.
func KeyOf(l Labels, scheme, path string) Key {
	k := Key{Scheme: scheme, Path: path}
	var params url.Values
	l.Range(func(lb labels.Label) {
		switch {
		case lb.Name == AddressLabel:
			k.Address = lb.Value
		case lb.Name == SchemeLabel && lb.Value != "":
			k.Scheme = lb.Value
		case lb.Name == MetricsPathLabel && lb.Value != "":
			k.Path = lb.Value
		case strings.HasPrefix(lb.Name, ParamPrefix):
			if params == nil {
				params = url.Values{}
			}
			params.Set(strings.TrimPrefix(lb.Name, ParamPrefix), lb.Value)
		}
	})
	k.Params = params.Encode()
	return k
}

// URL is what Prometheus would ask, and so what a probe asks.
func (k Key) URL() string {
	u := url.URL{Scheme: k.Scheme, Host: k.Address, RawQuery: k.Params}
	path, query, found := strings.Cut(k.Path, "?")
	u.Path = path
	if found && u.RawQuery == "" {
		u.RawQuery = query
	}
	return u.String()
}

func (k Key) String() string { return k.URL() }

// Compare orders keys by address first, which is how people look for them.
func (k Key) Compare(o Key) int {
	if c := strings.Compare(k.Address, o.Address); c != 0 {
		return c
	}
	if c := strings.Compare(k.Scheme, o.Scheme); c != 0 {
		return c
	}
	if c := strings.Compare(k.Path, o.Path); c != 0 {
		return c
	}
	return strings.Compare(k.Params, o.Params)
}

// Target is one entry for Prometheus. It is immutable once built.
type Target struct {
	Key
	Source   string // the source whose labels it carries
	Identity string // see Raw
	// Labels are the published labels, without __address__ and without the
	// __meta_mcp_sd_* ones: those are added when it is decided to publish. Only
	// __meta_mcp_sd_mcp is among them from the start, where the source declares it.
	Labels Labels
	// Meta holds the mechanism's __meta_* labels, kept only where some output
	// publishes them (meta_labels); empty otherwise.
	Meta Labels
}

// Equal reports whether two targets would be published alike.
func (t Target) Equal(o Target) bool {
	return t.Key == o.Key && t.Source == o.Source && t.Identity == o.Identity &&
		labels.Equal(t.Labels, o.Labels) && labels.Equal(t.Meta, o.Meta)
}

// SameSeries compares labels as Prometheus does for a target's identity:
// without those that begin with __meta_ (Prometheus drops them after
// relabelling, so a change of one restarts no scrape).
func SameSeries(a, b Labels) bool {
	return labels.Equal(withoutMeta(a), withoutMeta(b))
}

func withoutMeta(l Labels) Labels {
	b := labels.NewBuilder(l)
	l.Range(func(lb labels.Label) {
		if strings.HasPrefix(lb.Name, MetaPrefix) {
			b.Del(lb.Name)
		}
	})
	return b.Labels()
}
