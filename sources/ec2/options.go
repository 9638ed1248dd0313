package ec2

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/mcp-sd/mcp-sd/sources/amazon"
)

// Options is the block ec2: of a source (contract §4). Every key that
// Prometheus' ec2_sd_config has keeps its name and meaning, so that one item
// of that list can be pasted here unchanged.
type Options struct {
	amazon.Access `yaml:",inline"`

	// Port of every instance that has no tag port_tag.
	Port int `yaml:"port"`
	// PortTag names a tag with the ports of an instance ("8080,8081"): one
	// target for each. An instance without it has Port.
	PortTag string `yaml:"port_tag"`
	// Address says by which of its addresses an instance is reached:
	// private_ip (as with Prometheus, the IPv6 address of an instance that has
	// no IPv4), public_ip, private_dns, public_dns or ipv6.
	Address string `yaml:"address"`
	// Filters that an instance must pass, all of them.
	Filters []Filter `yaml:"filters"`
	// Refresh is how often to ask; 0 leaves it to global.refresh_interval.
	Refresh model.Duration `yaml:"refresh_interval"`
}

// Filter is one of EC2's filters for instances: an instance passes that
// matches one of the values, in which * and ? are wildcards.
type Filter struct {
	// Name of the filter as EC2 has it, such as tag:mcp.
	Name string `yaml:"name"`
	// Values of which one must match; * and ? are wildcards.
	Values []string `yaml:"values"`
}

// Which address of an instance becomes __address__.
const (
	privateIP  = "private_ip"
	publicIP   = "public_ip"
	privateDNS = "private_dns"
	publicDNS  = "public_dns"
	ipv6       = "ipv6"
)

// Default returns the options that hold where the configuration is silent:
// those of Prometheus.
func Default() *Options {
	return &Options{
		Access:  amazon.DefaultAccess(),
		Port:    80,
		Address: privateIP,
	}
}

// RefreshInterval is the source's own refresh_interval, or 0 for the global one.
func (o *Options) RefreshInterval() time.Duration { return time.Duration(o.Refresh) }

// Fingerprint changes when, and only when, an option changes that decides what
// is listed (contract §6). A profile is a set of credentials.
func (o *Options) Fingerprint() string {
	filters := slices.Clone(o.Filters)
	for i, f := range filters {
		filters[i].Values = amazon.Sorted(f.Values)
	}
	slices.SortFunc(filters, func(a, b Filter) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), slices.Compare(a.Values, b.Values))
	})
	b, err := json.Marshal(struct {
		Endpoint, PortTag, Address string
		Regions, Roles             []string
		Port                       int
		Filters                    []Filter `json:",omitempty"`
	}{o.Endpoint, o.PortTag, cmp.Or(o.Address, privateIP), o.AllRegions(), o.AllRoles(), o.Port, filters})
	if err != nil {
		panic(err) // strings and numbers only
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// namesState reports whether the filters say which states to list.
func (o *Options) namesState() bool {
	return slices.ContainsFunc(o.Filters, func(f Filter) bool {
		return f.Name == stateFilter || f.Name == "instance-state-code"
	})
}
