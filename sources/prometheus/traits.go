package prometheus

import (
	"cmp"
	"strings"

	"github.com/prometheus/prometheus/discovery"
)

// traits is what has to be known of a mechanism beyond its configuration: how it
// speaks, and where its answers have what mcp-sd calls by names of its own. The
// labels are those of Prometheus' documentation, without "__meta_".
type traits struct {
	plugin string // the build tag is enable_PLUGIN_sd; that of the mechanism's own name if empty

	// stream: it sends what changed, group by group, and nothing while nothing
	// does. Silence says nothing of it, and its first set has no end: it is whole
	// when nothing more has come for a while.
	stream bool
	// unchanged is the counter of its answers that nothing has changed, after which
	// it sends nothing.
	unchanged string
	// short are messages by which it owns up to leaving something out of an answer
	// that it then sends all the same.
	short []string

	tags     []string            // prefixes of labels that each are a tag
	lists    []string            // labels that have all tags at once: ",a,environment=b,"
	region   []string            // the first that is set counts
	regionOf func(string) string // the region's name in it; it is all of it if nil
	identity []string            // the first that is set counts; what lives behind the address

	separator string // of tags in a list
	asked     string // the region that the item asks for, where its answers have none
}

// tag is the part of the build tag that names the mechanism.
func (t traits) tag(name string) string {
	if t.plugin != "" {
		return t.plugin
	}
	return name
}

// What mechanisms log when they leave something out.
const (
	elasticacheSkips = "Skipping invalid ElastiCache ARN"
	mskSkips         = "Skipping MSK cluster described without cluster information"
)

// ofZone is the region that a zone is named after: europe-west1 of
// .../zones/europe-west1-b.
func ofZone(zone string) string {
	zone = zone[strings.LastIndex(zone, "/")+1:]
	if end := strings.LastIndex(zone, "-"); end > 0 {
		return zone[:end]
	}
	return zone
}

// ofDatacenter is the location of one of Hetzner's: fsn1 of fsn1-dc14.
func ofDatacenter(name string) string {
	location, _, _ := strings.Cut(name, "-")
	return location
}

// ofARN is the region in an ARN; what is none is a region.
func ofARN(arn string) string {
	if parts := strings.Split(arn, ":"); parts[0] == "arn" && len(parts) > 5 {
		return parts[3]
	}
	return arn
}

// with takes from an item what it says of its answers.
func (t traits) with(c discovery.Config) traits {
	t.separator = cmp.Or(valueOf[string](c, "tag_separator"), t.separator)
	t.asked = valueOf[string](c, "region")
	return t
}

// traitsOf returns those of a mechanism; dns and http have none that others have
// not.
func traitsOf(name string) traits {
	t := described[name]
	t.separator = ","
	for _, list := range []*[]string{&t.tags, &t.lists, &t.region, &t.identity} {
		full := make([]string, len(*list))
		for i, l := range *list {
			full[i] = "__meta_" + l
		}
		*list = full
	}
	return t
}

var described = map[string]traits{
	"aws": { // its role is one of those below, ec2 or ecs
		plugin: "aws", short: []string{elasticacheSkips, mskSkips},
		tags: []string{
			"ec2_tag_", "ecs_tag_task_", "ecs_tag_service_", "ecs_tag_cluster_", "lightsail_tag_",
			"elasticache_cache_cluster_tag_", "elasticache_serverless_cache_tag_", "msk_cluster_tag_", "rds_instance_tag_", "rds_cluster_tag_",
		},
		region: []string{
			"ec2_region", "ecs_region", "lightsail_region",
			"elasticache_cache_cluster_arn", "elasticache_serverless_cache_arn", "msk_node_arn", "rds_instance_arn",
		},
		regionOf: ofARN,
		identity: []string{
			"ec2_instance_id", "ecs_task_arn", "lightsail_instance_support_code",
			"elasticache_cache_cluster_arn", "elasticache_serverless_cache_arn", "msk_node_arn", "rds_instance_resource_id",
		},
	},
	"azure": {
		short: []string{"Network interface does not exist"},
		tags:  []string{"azure_machine_tag_"}, region: []string{"azure_machine_location"}, identity: []string{"azure_machine_id"},
	},
	"digitalocean": { // db_tag_ has the whole tag in the label's name
		lists:  []string{"digitalocean_tags"},
		region: []string{"digitalocean_region", "digitalocean_db_region"}, identity: []string{"digitalocean_droplet_id", "digitalocean_db_id"},
	},
	"docker": {plugin: "moby", tags: []string{"docker_container_label_"}, identity: []string{"docker_container_id"}},
	"dockerswarm": {
		plugin:   "moby",
		tags:     []string{"dockerswarm_container_label_", "dockerswarm_service_label_", "dockerswarm_node_label_"},
		identity: []string{"dockerswarm_task_id", "dockerswarm_service_id", "dockerswarm_node_id"},
	},
	"elasticache": {
		plugin: "aws", short: []string{elasticacheSkips},
		tags:   []string{"elasticache_cache_cluster_tag_", "elasticache_serverless_cache_tag_"},
		region: []string{"elasticache_cache_cluster_arn", "elasticache_serverless_cache_arn"}, regionOf: ofARN,
		identity: []string{"elasticache_cache_cluster_arn", "elasticache_serverless_cache_arn"},
	},
	"eureka": {tags: []string{"eureka_app_instance_metadata_"}, identity: []string{"eureka_app_instance_id"}},
	"gce": {
		tags:   []string{"gce_label_", "gce_metadata_"},
		region: []string{"gce_zone"}, regionOf: ofZone, identity: []string{"gce_instance_id"},
	},
	"hetzner": {
		tags:   []string{"hetzner_hcloud_label_"},
		region: []string{"hetzner_hcloud_location", "hetzner_robot_datacenter"}, regionOf: ofDatacenter, identity: []string{"hetzner_server_id"},
	},
	"ionos": {identity: []string{"ionos_server_id"}},
	"kuma": {
		plugin: "xds", unchanged: "prometheus_sd_kuma_fetch_skipped_updates_total",
		tags: []string{"kuma_label_"}, identity: []string{"kuma_dataplane"},
	},
	"lightsail": {
		plugin: "aws", tags: []string{"lightsail_tag_"}, region: []string{"lightsail_region"}, identity: []string{"lightsail_instance_support_code"},
	},
	"linode": {lists: []string{"linode_tags"}, region: []string{"linode_region"}, identity: []string{"linode_instance_id"}},
	"marathon": {
		tags: []string{"marathon_app_label_", "marathon_port_definition_label_", "marathon_port_mapping_label_"}, identity: []string{"marathon_task"},
	},
	"msk": {
		plugin: "aws", short: []string{mskSkips},
		tags: []string{"msk_cluster_tag_"}, region: []string{"msk_node_arn"}, regionOf: ofARN, identity: []string{"msk_node_arn"},
	},
	"nerve": {plugin: "zookeeper", stream: true},
	"nomad": {lists: []string{"nomad_tags"}, region: []string{"nomad_dc"}, identity: []string{"nomad_service_id"}},
	"oci": { // oci_region has short names for some, such as phx
		short: []string{
			"OCI SD failed to list child compartments, skipping subtree", "OCI SD failed to resolve VNIC IPs, skipping instance",
			"OCI SD skipping instance with missing OCID fields",
		},
		tags: []string{"oci_tag_"}, identity: []string{"oci_instance_id"},
	},
	"openstack": {
		short: []string{"Invalid type for "},
		tags:  []string{"openstack_tag_"}, lists: []string{"openstack_loadbalancer_tags"},
		identity: []string{"openstack_instance_id", "openstack_hypervisor_id", "openstack_loadbalancer_id"},
	},
	"outscale": {tags: []string{"outscale_vm_tag_"}, identity: []string{"outscale_vm_instance_id"}},
	"ovhcloud": { // vps_datacenter is where the model is sold
		short:    []string{": Could not get details of "},
		region:   []string{"ovhcloud_dedicated_server_datacenter", "ovhcloud_vps_zone"},
		identity: []string{"ovhcloud_dedicated_server_server_id", "ovhcloud_vps_name"},
	},
	"puppetdb": {tags: []string{"puppetdb_parameter_"}},
	"rds": {
		plugin: "aws", tags: []string{"rds_instance_tag_", "rds_cluster_tag_"},
		region: []string{"rds_instance_arn"}, regionOf: ofARN, identity: []string{"rds_instance_resource_id"},
	},
	"scaleway": {
		lists:  []string{"scaleway_instance_tags", "scaleway_baremetal_tags"},
		region: []string{"scaleway_instance_zone", "scaleway_baremetal_zone"}, regionOf: ofZone,
		identity: []string{"scaleway_instance_id", "scaleway_baremetal_id"},
	},
	"serverset": {plugin: "zookeeper", stream: true},
	"stackit": {
		tags: []string{"stackit_label_"}, region: []string{"stackit_availability_zone"}, regionOf: ofZone, identity: []string{"stackit_id"},
	},
	"triton": {identity: []string{"triton_machine_id"}},
	"uyuni":  {identity: []string{"uyuni_system_id"}},
	"vultr":  {lists: []string{"vultr_instance_tags"}, region: []string{"vultr_instance_region"}, identity: []string{"vultr_instance_id"}},
}

// owns reports whether a message says that something was left out.
func (t traits) owns(message string) bool {
	for _, s := range t.short {
		if strings.Contains(message, s) {
			return true
		}
	}
	return false
}
