package health

import (
	"net/netip"
	"time"

	"github.com/alecthomas/units"
	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	"github.com/mcp-sd/mcp-sd/target"
)

// AdmitPolicy says when a new target is published (contract §5).
type AdmitPolicy string

// The values of health.admit.
const (
	AdmitOnSuccess AdmitPolicy = "on_success"
	AdmitAlways    AdmitPolicy = "always"
)

// Options is the section health of the configuration (contract §3). Any key
// may be overridden per source.
type Options struct {
	// Enabled is false where whatever is listed is to be published, without a probe.
	Enabled bool `yaml:"enabled"`
	// Scheme of the URL that is probed. Once it or path is written, both are
	// published with each target; __scheme__ and __metrics_path__ of a target win.
	Scheme string `yaml:"scheme"`
	// Path of the URL that is probed.
	Path string `yaml:"path"`
	// Interval between two probes of a target.
	Interval model.Duration `yaml:"interval"`
	// Timeout of a probe; where it is not set, it follows a shorter interval.
	Timeout model.Duration `yaml:"timeout"`
	// Rise is how many successes in a row turn down into up, after the first one.
	Rise int `yaml:"rise"`
	// Fall is how many failures in a row turn up into down.
	Fall int `yaml:"fall"`
	// Concurrency bounds the probes under way at once, of all sources; that of a
	// source has no effect.
	Concurrency int `yaml:"concurrency"`
	// BodyLimit is the most that an endpoint may answer, decompressed.
	BodyLimit units.Base2Bytes `yaml:"body_limit"`
	// RequireMetrics are names that must be among the metrics, such as
	// mcp_build_info.
	RequireMetrics []string `yaml:"require_metrics"`
	// Admit says when a new target is published: with its first success, or always.
	Admit AdmitPolicy `yaml:"admit"`
	// AdmitTimeout is after how long a target that never answered is published all
	// the same, so that up == 0 can fire.
	AdmitTimeout model.Duration `yaml:"admit_timeout"`
	// DropAfter is after how long a listed target that is down is dropped; with 0s
	// never.
	DropAfter model.Duration `yaml:"drop_after"`
	// Linger is how long a target is kept that is gone from its source but still
	// answers.
	Linger model.Duration `yaml:"linger"`
	// AllowCIDRs are address ranges; where set, nothing else is probed or published.
	AllowCIDRs []string `yaml:"allow_cidrs"`
	// HTTPClient has the settings that Prometheus has for HTTP clients.
	HTTPClient promconfig.HTTPClientConfig `yaml:"http_client"`
}

// DefaultOptions are those of contract §3.
func DefaultOptions() Options {
	return Options{
		Enabled:      true,
		Scheme:       target.DefaultScheme,
		Path:         target.DefaultPath,
		Interval:     model.Duration(30 * time.Second),
		Timeout:      model.Duration(10 * time.Second),
		Rise:         2,
		Fall:         3,
		Concurrency:  256,
		BodyLimit:    10 * units.MiB,
		Admit:        AdmitOnSuccess,
		AdmitTimeout: model.Duration(5 * time.Minute),
		Linger:       model.Duration(10 * time.Minute),
		HTTPClient:   promconfig.DefaultHTTPClientConfig,
	}
}

// UnmarshalYAML decodes over what o holds already, so that a source's section
// overrides the global one key by key. As in Prometheus, a timeout that the
// section does not set follows an interval that became shorter.
func (o *Options) UnmarshalYAML(unmarshal func(any) error) error {
	const unset = model.Duration(-1) // no text parses to it
	inherited := o.Timeout
	o.Timeout = unset
	type plain Options
	err := unmarshal((*plain)(o))
	if o.Timeout == unset {
		o.Timeout = min(inherited, o.Interval)
		if o.Interval <= 0 { // refused by Validate, which need not name the timeout as well
			o.Timeout = inherited
		}
	}
	return err
}

// SetDirectory makes relative paths of secret and certificate files relative
// to the configuration file's directory.
func (o *Options) SetDirectory(dir string) {
	o.HTTPClient.SetDirectory(dir)
}

// Policy says which addresses may be probed and published (contract §7);
// operator is true for sources whose targets are the operator's own words.
func (o Options) Policy(operator bool) target.AddressPolicy {
	p := target.AddressPolicy{Loopback: operator}
	for _, s := range o.AllowCIDRs {
		if prefix, err := netip.ParsePrefix(s); err == nil { // else Validate said so
			p.Allow = append(p.Allow, prefix.Masked())
		}
	}
	return p
}
