package ec2

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
)

// Options is the block ec2: of a source (contract §4). Every key that
// Prometheus' ec2_sd_config has keeps its name and meaning, so that one item
// of that list can be pasted here unchanged.
//
// What is not set comes from where all AWS tools look: the environment, the
// shared configuration files, the container, the instance.
type Options struct {
	// Endpoint of the EC2 API, for private ones; {region} in it stands for the
	// region of each part.
	Endpoint string `yaml:"endpoint"`
	// Region to list; if empty, that of the environment or the profile, else
	// that of the instance which mcp-sd runs on.
	Region string `yaml:"region"`
	// Regions to list, several at once.
	Regions []string `yaml:"regions"`

	// AccessKey and secret_key stand in for the standard chain of credentials.
	AccessKey string `yaml:"access_key"`
	// SecretKey to access_key.
	SecretKey promconfig.Secret `yaml:"secret_key"`
	// SecretKeyFile is read again when the key is refused.
	SecretKeyFile string `yaml:"secret_key_file"`
	// Profile of the shared configuration files.
	Profile string `yaml:"profile"`
	// RoleARN is the role to assume.
	RoleARN string `yaml:"role_arn"`
	// RoleARNs are roles in several accounts; each is listed in each region.
	RoleARNs []string `yaml:"role_arns"`
	// ExternalID that goes with every role.
	ExternalID string `yaml:"external_id"`
	// RoleSessionName is how CloudTrail names who used a role.
	RoleSessionName string `yaml:"role_session_name"`

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

	HTTPClientConfig promconfig.HTTPClientConfig `yaml:",inline"`
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
		Port:             80,
		Address:          privateIP,
		RoleSessionName:  "mcp-sd",
		HTTPClientConfig: promconfig.DefaultHTTPClientConfig,
	}
}

// RefreshInterval is the source's own refresh_interval, or 0 for the global one.
func (o *Options) RefreshInterval() time.Duration { return time.Duration(o.Refresh) }

// SetDirectory resolves relative file names against dir, the directory of the
// configuration file. It is Prometheus' promconfig.DirectorySetter.
func (o *Options) SetDirectory(dir string) {
	o.SecretKeyFile = promconfig.JoinDir(dir, o.SecretKeyFile)
	o.HTTPClientConfig.SetDirectory(dir)
}

// Fingerprint changes when, and only when, an option changes that decides what
// is listed (contract §6). A profile is a set of credentials.
func (o *Options) Fingerprint() string {
	filters := slices.Clone(o.Filters)
	for i, f := range filters {
		filters[i].Values = sorted(f.Values)
	}
	slices.SortFunc(filters, func(a, b Filter) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), slices.Compare(a.Values, b.Values))
	})
	b, err := json.Marshal(struct {
		Endpoint, PortTag, Address string
		Regions, Roles             []string
		Port                       int
		Filters                    []Filter `json:",omitempty"`
	}{o.Endpoint, o.PortTag, cmp.Or(o.Address, privateIP), o.regions(), o.roles(), o.Port, filters})
	if err != nil {
		panic(err) // strings and numbers only
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// regions are those to list, sorted; "" is the one to be found out.
func (o *Options) regions() []string {
	if len(o.Regions) > 0 {
		return sorted(o.Regions)
	}
	return []string{o.Region}
}

// roles are those to assume, sorted; "" is none.
func (o *Options) roles() []string {
	if len(o.RoleARNs) > 0 {
		return sorted(o.RoleARNs)
	}
	return []string{o.RoleARN}
}

// namesState reports whether the filters say which states to list.
func (o *Options) namesState() bool {
	return slices.ContainsFunc(o.Filters, func(f Filter) bool {
		return f.Name == stateFilter || f.Name == "instance-state-code"
	})
}

// sorted returns a sorted copy without repetitions.
func sorted(list []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}
