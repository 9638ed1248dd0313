package prometheus

import (
	"fmt"
	"iter"
	"strings"

	"github.com/prometheus/prometheus/discovery"
	_ "github.com/prometheus/prometheus/discovery/http" // registers itself; as in Prometheus, no build tag leaves it out
)

// Item is one item of a mechanism's list, with the keys that Prometheus has for it.
type Item map[string]any

// Options is the block prometheus: of a source (contract §3): lists as they stand
// in prometheus.yml.
//
// Prometheus' library knows the keys of the mechanisms that are linked into this
// program, and decodes them into Configs. What it does not know stays in the
// field of that key, for Validate to say so.
type Options struct {
	// AWS lists what its role names: ec2, ecs, lightsail, elasticache, msk or rds.
	AWS []Item `yaml:"aws_sd_configs"`
	// Azure lists virtual machines of Microsoft Azure.
	Azure []Item `yaml:"azure_sd_configs"`
	// DigitalOcean lists droplets or databases.
	DigitalOcean []Item `yaml:"digitalocean_sd_configs"`
	// DNS lists what SRV, A, AAAA, MX and NS records name.
	DNS []Item `yaml:"dns_sd_configs"`
	// Docker lists the containers of a Docker engine.
	Docker []Item `yaml:"docker_sd_configs"`
	// DockerSwarm lists services, tasks or nodes of a swarm.
	DockerSwarm []Item `yaml:"dockerswarm_sd_configs"`
	// ElastiCache lists caches of Amazon ElastiCache.
	ElastiCache []Item `yaml:"elasticache_sd_configs"`
	// Eureka lists what is registered at Netflix Eureka.
	Eureka []Item `yaml:"eureka_sd_configs"`
	// GCE lists instances of Google Compute Engine.
	GCE []Item `yaml:"gce_sd_configs"`
	// Hetzner lists servers of Hetzner Cloud and Robot.
	Hetzner []Item `yaml:"hetzner_sd_configs"`
	// HTTP lists what an endpoint answers in Prometheus' http_sd format, such as
	// another mcp-sd's /sd.
	HTTP []Item `yaml:"http_sd_configs"`
	// IONOS lists servers of IONOS Cloud.
	IONOS []Item `yaml:"ionos_sd_configs"`
	// Kuma lists the data planes of a Kuma mesh (xDS).
	Kuma []Item `yaml:"kuma_sd_configs"`
	// Lightsail lists instances of Amazon Lightsail.
	Lightsail []Item `yaml:"lightsail_sd_configs"`
	// Linode lists instances of Linode.
	Linode []Item `yaml:"linode_sd_configs"`
	// Marathon lists tasks of Marathon.
	Marathon []Item `yaml:"marathon_sd_configs"`
	// MSK lists brokers of Amazon MSK.
	MSK []Item `yaml:"msk_sd_configs"`
	// Nerve lists what AirBnB's Nerve keeps in ZooKeeper.
	Nerve []Item `yaml:"nerve_sd_configs"`
	// Nomad lists services registered in HashiCorp Nomad.
	Nomad []Item `yaml:"nomad_sd_configs"`
	// OCI lists instances of Oracle Cloud Infrastructure.
	OCI []Item `yaml:"oci_sd_configs"`
	// OpenStack lists instances, hypervisors or load balancers of OpenStack.
	OpenStack []Item `yaml:"openstack_sd_configs"`
	// Outscale lists virtual machines of Outscale.
	Outscale []Item `yaml:"outscale_sd_configs"`
	// OVHcloud lists dedicated servers or VPS of OVHcloud.
	OVHcloud []Item `yaml:"ovhcloud_sd_configs"`
	// PuppetDB lists nodes by a query of PuppetDB.
	PuppetDB []Item `yaml:"puppetdb_sd_configs"`
	// RDS lists databases of Amazon RDS.
	RDS []Item `yaml:"rds_sd_configs"`
	// Scaleway lists instances or bare metal of Scaleway.
	Scaleway []Item `yaml:"scaleway_sd_configs"`
	// Serverset lists Twitter's serversets in ZooKeeper.
	Serverset []Item `yaml:"serverset_sd_configs"`
	// STACKIT lists servers of STACKIT.
	STACKIT []Item `yaml:"stackit_sd_configs"`
	// Triton lists containers or compute nodes of Triton.
	Triton []Item `yaml:"triton_sd_configs"`
	// Uyuni lists systems of Uyuni.
	Uyuni []Item `yaml:"uyuni_sd_configs"`
	// Vultr lists instances of Vultr.
	Vultr []Item `yaml:"vultr_sd_configs"`

	// Configs is what Prometheus' library has decoded.
	Configs discovery.Configs `yaml:"-"`
}

// Default returns the options before YAML is decoded over them. The defaults of
// each item are Prometheus' own.
func Default() *Options { return &Options{} }

// UnmarshalYAML has Prometheus' library decode the keys that it knows: unmarshal
// is asked to fill a struct that has them beside the fields of Options, and wins
// over those.
func (o *Options) UnmarshalYAML(unmarshal func(any) error) error {
	return discovery.UnmarshalYAMLWithInlineConfigs(o, unmarshal)
}

// MarshalYAML is the inverse, with secrets hidden.
func (o *Options) MarshalYAML() (any, error) { return o.Configs.MarshalYAML() }

// SetDirectory resolves relative file names against dir, the directory of the
// configuration file. It is Prometheus' promconfig.DirectorySetter.
func (o *Options) SetDirectory(dir string) { o.Configs.SetDirectory(dir) }

// Blocks are the options of each item, a pointer to a struct of Prometheus', by
// its path below this block: what looks at file names and certificates finds
// them there.
func (o *Options) Blocks() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, n := range o.numbered() {
			if !yield(n.field(), n.config) {
				return
			}
		}
	}
}

// numbered is a config with its place in the list of its mechanism.
type numbered struct {
	config discovery.Config
	index  int
}

// field is the path of an item below the block.
func (n numbered) field() string { return fmt.Sprintf("%s_sd_configs[%d]", n.config.Name(), n.index) }

// part is the name of an item's part.
func (n numbered) part() string { return fmt.Sprintf("%s[%d]", n.config.Name(), n.index) }

func (o *Options) numbered() []numbered {
	count := map[string]int{}
	out := make([]numbered, 0, len(o.Configs))
	for _, c := range o.Configs {
		out = append(out, numbered{c, count[c.Name()]})
		count[c.Name()]++
	}
	return out
}

// known are the keys of the block, each with whether something stands in its
// field: that of a mechanism that is not linked.
func (o *Options) known() map[string]bool {
	absent := map[string]bool{}
	for key, items := range o.fields() {
		absent[strings.TrimSuffix(key, "_sd_configs")] = items != nil
	}
	return absent
}
