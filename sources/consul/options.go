package consul

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
)

// Options is the block consul: of a source (contract §4). Every key that
// Prometheus' consul_sd_config has keeps its name and meaning, so that one item
// of that list can be pasted here unchanged.
//
// As with Prometheus, what is not set may come from the environment that
// Consul's own tools read: CONSUL_HTTP_TOKEN, CONSUL_HTTP_TOKEN_FILE,
// CONSUL_NAMESPACE and CONSUL_PARTITION.
type Options struct {
	// Server is the agent or server to ask: "host:port", or a URL with http,
	// https or unix in front.
	Server string `yaml:"server"`
	// Servers stands in for Server where several can answer: one that fails is
	// followed by the next, one that answers is kept.
	Servers []string `yaml:"servers"`
	// Scheme of the API where server does not say it.
	Scheme string `yaml:"scheme"`
	// PathPrefix of the API behind a proxy.
	PathPrefix string `yaml:"path_prefix"`
	// Token that needs service:read and node:read.
	Token promconfig.Secret `yaml:"token"`
	// TokenFile is read anew for every question.
	TokenFile string `yaml:"token_file"`
	// Username of HTTP basic authentication.
	Username string `yaml:"username"`
	// Password of HTTP basic authentication.
	Password promconfig.Secret `yaml:"password"`
	// Datacenter to list; the one of the agent that is asked if empty.
	Datacenter string `yaml:"datacenter"`
	// Datacenters to list, several at once.
	Datacenters []string `yaml:"datacenters"`
	// Agent lists what is registered with the agent at Server, and nothing else.
	// That needs neither a leader nor the catalogue; it is asked at every
	// refresh_interval. The token needs agent:read in the place of node:read.
	Agent bool `yaml:"agent"`
	// Peers whose exported services are listed beside the cluster's own. The
	// token needs peering:read, and node:read and service:read on everything.
	Peers []string `yaml:"peers"`
	// Namespace to list (Consul Enterprise).
	Namespace string `yaml:"namespace"`
	// Partition to list (Consul Enterprise).
	Partition string `yaml:"partition"`
	// Services to list by name. They are watched without asking for the
	// catalogue (unless Filter is set), so that a token with service:read on
	// them and node:read is enough.
	Services []string `yaml:"services"`
	// ServiceRegex selects services by name, anchored at both ends.
	ServiceRegex string `yaml:"service_regex"`
	// Tags that an instance must have, all of them.
	Tags []string `yaml:"tags"`
	// NodeMeta that the node of an instance must have.
	NodeMeta map[string]string `yaml:"node_meta"`
	// Filter of the catalogue, in the expression language of Consul.
	Filter string `yaml:"filter"`
	// HealthFilter of the instances, in the expression language of Consul.
	HealthFilter string `yaml:"health_filter"`

	// Ports by name: an instance becomes a target for each of them that it has,
	// instead of for its default port. One that has none of them is left out.
	Ports []string `yaml:"ports"`
	// ExposedPath lists the Connect proxies of services instead of the instances
	// behind them, each with the port on which it exposes this path. What is
	// scraped there remains health.path.
	ExposedPath string `yaml:"exposed_path"`

	// TagSeparator joins the tags in __meta_consul_tags.
	TagSeparator string `yaml:"tag_separator"`
	// AllowStale lets any server answer, not the leader alone.
	AllowStale bool `yaml:"allow_stale"`
	// MaxStale is how long ago the answering server may have heard from its
	// leader; an answer older than that is a failure.
	MaxStale model.Duration `yaml:"max_stale"`
	// Refresh is how often an unchanged listing is confirmed; 0 leaves it to
	// global.refresh_interval. Changes are seen at once, whatever it is.
	Refresh model.Duration `yaml:"refresh_interval"`

	HTTPClientConfig promconfig.HTTPClientConfig `yaml:",inline"`
}

const defaultServer = "localhost:8500"

// Default returns the options that hold where the configuration is silent:
// those of Prometheus.
func Default() *Options {
	return &Options{
		Server:           defaultServer,
		Scheme:           "http",
		TagSeparator:     ",",
		AllowStale:       true,
		MaxStale:         model.Duration(30 * time.Second),
		HTTPClientConfig: promconfig.DefaultHTTPClientConfig,
	}
}

// RefreshInterval is the source's own refresh_interval, or 0 for the global one.
func (o *Options) RefreshInterval() time.Duration { return time.Duration(o.Refresh) }

// SetDirectory resolves relative file names against dir, the directory of the
// configuration file. It is Prometheus' promconfig.DirectorySetter.
func (o *Options) SetDirectory(dir string) {
	o.TokenFile = promconfig.JoinDir(dir, o.TokenFile)
	o.HTTPClientConfig.SetDirectory(dir)
}

// Fingerprint changes when, and only when, an option changes that decides what
// is listed (contract §6).
func (o *Options) Fingerprint() string {
	b, err := json.Marshal(struct {
		Servers, Datacenters, Services, Tags          []string
		PathPrefix, Namespace, Partition              string
		ServiceRegex, Filter, HealthFilter, Separator string
		NodeMeta                                      map[string]string `json:",omitempty"`
		Agent                                         bool              `json:",omitempty"`
		Peers, Ports                                  []string          `json:",omitempty"`
		ExposedPath                                   string            `json:",omitempty"`
	}{
		o.addresses(), o.datacenters(), sorted(o.Services), sorted(o.Tags),
		o.PathPrefix, o.Namespace, o.Partition,
		o.ServiceRegex, o.Filter, o.HealthFilter, o.TagSeparator,
		o.NodeMeta,
		o.Agent, sorted(o.Peers), sorted(o.Ports), o.ExposedPath,
	})
	if err != nil {
		panic(err) // strings only
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// addresses are the servers to ask, in the order of preference.
func (o *Options) addresses() []string {
	if len(o.Servers) > 0 {
		return o.Servers
	}
	return []string{o.Server}
}

// datacenters are those to list, sorted; "" is that of the agent.
func (o *Options) datacenters() []string {
	if len(o.Datacenters) > 0 {
		return sorted(o.Datacenters)
	}
	return []string{o.Datacenter}
}

// needsCatalog reports whether names have to be looked up. Prometheus looks at
// the catalogue for services with tags, too; but there a name that the token
// may not see is silently absent, while its own query tells.
func (o *Options) needsCatalog() bool { return len(o.Services) == 0 || o.Filter != "" }

// sorted returns a sorted copy without repetitions.
func sorted(list []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}
