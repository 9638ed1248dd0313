//go:build !remove_all_sd

package mechanisms_test

var clouds = map[string]recording{
	"azure": {
		config: "azure_sd_configs: [{authentication_method: ManagedIdentity, subscription_id: s1, port: 3000, $PROXY, $REFRESH}]",
		answers: map[string]string{
			"/virtualMachines": `{"value": [{"id": "/subscriptions/s1/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/mcp-1", "name": "mcp-1",
				"type": "Microsoft.Compute/virtualMachines", "location": "westeurope", "tags": {"environment": "production", "version": "v2"},
				"properties": {"hardwareProfile": {"vmSize": "Standard_B1s"}, "osProfile": {"computerName": "mcp-1"}, "networkProfile": {"networkInterfaces":
					[{"id": "/subscriptions/s1/resourceGroups/g/providers/Microsoft.Network/networkInterfaces/mcp-1"}]}}}]}`,
			"/virtualMachineScaleSets": `{"value": []}`,
			"/networkInterfaces/mcp-1": `{"id": "/subscriptions/s1/resourceGroups/g/providers/Microsoft.Network/networkInterfaces/mcp-1", "name": "mcp-1",
				"properties": {"primary": true, "ipConfigurations": [{"properties": {"privateIPAddress": "10.0.0.41", "primary": true}}]}}`,
		},
		odd:  map[string]string{"/networkInterfaces/mcp-1": ""},
		want: "10.0.0.41:3000 /subscriptions/s1/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/mcp-1 production westeurope v2",
	},
	"droplets of digitalocean": {
		config: "digitalocean_sd_configs: [{port: 3000, $PROXY, $REFRESH}]",
		answers: map[string]string{
			"/v2/droplets": `{"droplets": [{"id": 3164444, "name": "mcp-1", "status": "active", "region": {"slug": "fra1"}, "image": {"slug": "debian-12-x64"},
				"size_slug": "s-1vcpu-1gb", "tags": ["mcp", "environment:production", "version:v2"], "networks": {"v6": [],
					"v4": [{"ip_address": "10.135.0.2", "type": "private"}, {"ip_address": "192.0.2.42", "type": "public"}]}}], "links": {}, "meta": {"total": 1}}`,
		},
		want: "192.0.2.42:3000 3164444 production fra1 v2",
	},
	"databases of digitalocean": {
		config: "digitalocean_sd_configs: [{role: databases, port: 3000, $PROXY, $REFRESH}]",
		answers: map[string]string{
			"/v2/databases": `{"databases": [{"id": "9cc10173", "name": "mcp", "engine": "pg", "version": "17", "region": "fra1", "status": "online",
				"connection": {"host": "mcp.db.example.com", "port": 25060}, "tags": ["environment", "version"]}]}`,
			"page=2": `{"databases": []}`,
		},
		want: "mcp.db.example.com:3000 9cc10173  fra1 ",
	},
	"gce": {
		config: "gce_sd_configs: [{project: mcp-$PORT, zone: europe-west1-b, port: 3000, $REFRESH}]",
		answers: map[string]string{
			"/instances": `{"kind": "compute#instanceList", "items": [{"id": "4321", "name": "mcp-1", "status": "RUNNING",
				"zone": "https://www.googleapis.com/compute/v1/projects/mcp/zones/europe-west1-b", "labels": {"environment": "production"},
				"metadata": {"items": [{"key": "version", "value": "v2"}]}, "tags": {"items": ["mcp"]}, "networkInterfaces": [{"name": "nic0", "networkIP": "10.132.0.2"}]}]}`,
		},
		want: "10.132.0.2:3000 4321 production europe-west1 v2",
	},
	"hcloud of hetzner": {
		config: "hetzner_sd_configs: [{role: hcloud, port: 3000, $PROXY, $REFRESH}]",
		answers: map[string]string{
			"/v1/servers": `{"servers": [{"id": 42, "name": "mcp-1", "status": "running", "public_net": {"ipv4": {"ip": "192.0.2.43"}, "ipv6": {"ip": "2001:db8::/64"}},
				"private_net": [], "server_type": {"id": 1, "name": "cx22", "cores": 2, "memory": 4, "disk": 40, "cpu_type": "shared"},
				"location": {"id": 1, "name": "fsn1", "network_zone": "eu-central"}, "labels": {"environment": "production", "version": "v2"}}]}`,
			"/v1/networks": `{"networks": []}`,
		},
		want: "192.0.2.43:3000 42 production fsn1 v2",
	},
	"robot of hetzner": {
		config: "hetzner_sd_configs: [{role: robot, port: 3000, $PROXY, $REFRESH}]",
		answers: map[string]string{
			"/server": `[{"server": {"server_ip": "192.0.2.44", "server_number": 321, "server_name": "mcp-1", "product": "EX44", "dc": "FSN1-DC8",
				"status": "ready", "cancelled": false, "subnet": [{"ip": "2001:db8::", "mask": "64"}]}}]`,
		},
		want: "192.0.2.44:3000 321  fsn1 ",
	},
	"ionos": {
		config: "ionos_sd_configs: [{datacenter_id: d1, port: 3000, $PROXY, $REFRESH}]",
		answers: map[string]string{
			"/datacenters/d1/servers": `{"id": "d1/servers", "type": "collection", "items": [{"id": "15f67991", "type": "server", "metadata": {"state": "AVAILABLE"},
				"properties": {"name": "mcp-1", "availabilityZone": "ZONE_1", "vmState": "RUNNING"},
				"entities": {"nics": {"items": [{"id": "n1", "properties": {"name": "lan", "ips": ["10.7.0.4"]}}]}}}]}`,
		},
		want: "10.7.0.4:3000 15f67991   ",
	},
	"linode": {
		config: "linode_sd_configs: [{port: 3000, tag_separator: ;, $PROXY, $REFRESH}]",
		answers: map[string]string{
			"/linode/instances": `{"data": [{"id": 123, "label": "mcp-1", "region": "eu-central", "status": "running", "ipv4": ["192.0.2.45"], "ipv6": "2001:db8::1/128",
				"tags": ["mcp", "environment=production", "version=v2"], "created": "2026-01-01T00:00:00",
				"specs": {"disk": 25600, "memory": 1024, "vcpus": 1, "gpus": 0, "transfer": 1000}, "backups": {"enabled": false}}], "page": 1, "pages": 1, "results": 1}`,
			"/networking/ips":         `{"data": [{"address": "192.0.2.45", "public": true, "type": "ipv4", "rdns": null}], "page": 1, "pages": 1, "results": 1}`,
			"/networking/ipv6/ranges": `{"data": [], "page": 1, "pages": 1, "results": 0}`,
		},
		odd:     map[string]string{"/linode/instances": `{"data": [{"id": 123, "ipv4": ["192.0.2.45"]}], "page": 1, "pages": 1, "results": 1}`}, // it panics
		refusal: `{"errors": [{"reason": "Internal Server Error"}]}`,
		want:    "192.0.2.45:3000 123 production eu-central v2",
	},
	"oci": {
		config: "oci_sd_configs: [{tenancy: ocid1.tenancy, user: ocid1.user, fingerprint: 'aa:bb', key_file: '$KEY', region: eu-frankfurt-1, port: 3000, $PROXY, $REFRESH}]",
		answers: map[string]string{
			"/compartments": `[{"id": "ocid1.compartment.1", "compartmentId": "ocid1.tenancy", "name": "mcp", "lifecycleState": "DELETED"}]`,
			"/instances": `[{"id": "ocid1.instance.1", "compartmentId": "ocid1.tenancy", "displayName": "mcp-1", "region": "fra", "lifecycleState": "RUNNING",
				"availabilityDomain": "AD-1", "shape": "VM.Standard.E5.Flex", "freeformTags": {"environment": "production", "version": "v2"}}]`,
			"/vnicAttachments":    `[{"id": "a1", "instanceId": "ocid1.instance.1", "compartmentId": "ocid1.tenancy", "vnicId": "ocid1.vnic.1", "lifecycleState": "ATTACHED"}]`,
			"/vnics/ocid1.vnic.1": `{"id": "ocid1.vnic.1", "isPrimary": true, "privateIp": "10.0.0.46", "lifecycleState": "AVAILABLE"}`,
		},
		odd:  map[string]string{"/instances": `[{"displayName": "mcp-1", "lifecycleState": "RUNNING"}]`},
		want: "10.0.0.46:3000 ocid1.instance.1 production eu-frankfurt-1 v2",
	},
	"instances of openstack": {
		config: openstackItem("instance"),
		answers: map[string]string{
			"/auth/tokens": openstackCatalog,
			"/network/":    openstackVersions,
			"/ports":       `{"ports": [{"id": "p1", "device_id": "i1"}]}`,
			"/floatingips": `{"floatingips": [{"id": "f1", "port_id": "p1", "fixed_ip_address": "10.0.0.47", "floating_ip_address": "192.0.2.47"}]}`,
			"/servers/detail": `{"servers": [{"id": "i1", "name": "mcp-1", "status": "ACTIVE", "tenant_id": "t", "user_id": "u", "flavor": {"id": "1"}, "image": {"id": "m1"},
				"metadata": {"environment": "production", "version": "v2"},
				"addresses": {"private": [{"version": 4, "addr": "10.0.0.47", "OS-EXT-IPS:type": "fixed"}, {"version": 4, "addr": "192.0.2.47", "OS-EXT-IPS:type": "floating"}]}}]}`,
		},
		odd:  map[string]string{"/servers/detail": `{"servers": [{"id": "i1", "flavor": {"id": "1"}, "addresses": {"private": ["10.0.0.47"]}}]}`},
		want: "10.0.0.47:3000 i1 production RegionOne v2",
	},
	"hypervisors of openstack": {
		config: openstackItem("hypervisor"),
		answers: map[string]string{
			"/auth/tokens": openstackCatalog,
			"/os-hypervisors/detail": `{"hypervisors": [{"id": 7, "hypervisor_hostname": "rack-1", "host_ip": "192.0.2.48", "state": "up", "status": "enabled",
				"hypervisor_type": "QEMU", "hypervisor_version": 4002001, "service": {"id": 6, "host": "rack-1"}, "free_disk_gb": 1, "local_gb": 1, "cpu_info": "{}"}]}`,
		},
		want: "192.0.2.48:3000 7  RegionOne ",
	},
	"loadbalancers of openstack": {
		config: openstackItem("loadbalancer"),
		answers: map[string]string{
			"/auth/tokens":    openstackCatalog,
			"/network/":       openstackVersions,
			"/load-balancer/": openstackVersions,
			"/lbaas/loadbalancers": `{"loadbalancers": [{"id": "l1", "name": "mcp", "vip_address": "192.0.2.49", "vip_port_id": "p1", "project_id": "t",
				"operating_status": "ONLINE", "provisioning_status": "ACTIVE", "tags": ["environment=production", "version=v2"]}]}`,
			"/lbaas/listeners": `{"listeners": [{"id": "n1", "protocol": "PROMETHEUS", "protocol_port": 8088, "loadbalancers": [{"id": "l1"}]}]}`,
			"/floatingips":     `{"floatingips": []}`,
		},
		want: "192.0.2.49:8088 l1 production RegionOne v2",
	},
	"outscale": {
		config: "outscale_sd_configs: [{endpoint: '$URL', region: eu-west-2, access_key: a, secret_key: b, port: 3000, $REFRESH}]",
		answers: map[string]string{
			"/ReadVms": `{"ResponseContext": {"RequestId": "r"}, "Vms": [{"VmId": "i-12345678", "PrivateIp": "10.0.0.50", "State": "running",
				"Placement": {"SubregionName": "eu-west-2a", "Tenancy": "default"}, "Tags": [{"Key": "environment", "Value": "production"}, {"Key": "version", "Value": "v2"}]}]}`,
		},
		want: "10.0.0.50:3000 i-12345678 production eu-west-2 v2",
	},
	"dedicated servers of ovhcloud": {
		config: "ovhcloud_sd_configs: [{endpoint: '$URL', service: dedicated_server, application_key: a, application_secret: b, consumer_key: c, $REFRESH}]",
		answers: map[string]string{
			"/auth/time":        "1700000000",
			"/dedicated/server": `["ns1.example.com"]`,
			"/dedicated/server/ns1.example.com": `{"serverId": 1234, "name": "ns1.example.com", "datacenter": "gra1", "state": "ok", "rack": "G1", "os": "debian12_64",
				"reverse": "mcp-1.example.com", "linkSpeed": 1000, "noIntervention": false, "commercialRange": "rise", "supportLevel": "pro"}`,
			"/ips": `["192.0.2.51/32", "2001:db8::/64"]`,
		},
		want: "192.0.2.51 1234  gra1 ",
	},
	"vps of ovhcloud": {
		config: "ovhcloud_sd_configs: [{endpoint: '$URL', service: vps, application_key: a, application_secret: b, consumer_key: c, $REFRESH}]",
		answers: map[string]string{
			"/auth/time": "1700000000",
			"/vps":       `["vps-1.vps.example.com"]`,
			"/vps/vps-1.vps.example.com": `{"name": "vps-1.vps.example.com", "displayName": "mcp-1", "zone": "os-gra5", "state": "running", "cluster": "", "keymap": null,
				"netbootMode": "local", "memoryLimit": 2048, "offerType": "ssd", "vcore": 1, "monitoringIpBlocks": [],
				"model": {"name": "vps-starter", "offer": "VPS 2025", "datacenter": ["gra", "sbg"], "version": "2019v1", "disk": 20, "memory": 2048, "vcore": 1, "maximumAdditionnalIp": 16}}`,
			"/ips": `["192.0.2.52"]`,
		},
		want: "192.0.2.52 vps-1.vps.example.com  os-gra5 ",
	},
	"instances of scaleway": {
		config: "scaleway_sd_configs: [{role: instance, " + scalewayItem + "}]",
		answers: map[string]string{
			"/zones/fr-par-1/servers": `{"servers": [{"id": "8f1c", "name": "mcp-1", "zone": "fr-par-1", "state": "running", "public_ips": [],
				"tags": ["mcp", "environment=production", "version=v2"], "private_nics": [{"id": "n1"}]}], "total_count": 1}`,
			"/regions/fr-par/ips": `{"ips": [{"id": "ip1", "address": "10.1.0.4/22", "is_ipv6": false, "resource": {"type": "instance_private_nic", "id": "n1"}}], "total_count": 1}`,
		},
		want: "10.1.0.4:3000 8f1c production fr-par v2",
	},
	"bare metal of scaleway": {
		config: "scaleway_sd_configs: [{role: baremetal, " + scalewayItem + "}]",
		answers: map[string]string{
			"/servers": `{"servers": [{"id": "9a2d", "name": "mcp-1", "zone": "fr-par-1", "status": "ready", "offer_id": "o1", "tags": ["environment=production", "version=v2"],
				"ips": [{"id": "ip1", "address": "192.0.2.53", "version": "IPv4"}]}], "total_count": 1}`,
			"/offers": `{"offers": [], "total_count": 0}`,
			"/os":     `{"os": [], "total_count": 0}`,
		},
		want: "192.0.2.53:3000 9a2d production fr-par v2",
	},
	"stackit": {
		config: "stackit_sd_configs: [{endpoint: '$URL', project: p1, port: 3000, $REFRESH}]",
		answers: map[string]string{
			"/v1/projects/p1/servers": `{"items": [{"id": "68ae", "name": "mcp-1", "availabilityZone": "eu02-m", "machineType": "g2i.1", "status": "ACTIVE", "powerStatus": "RUNNING",
				"labels": {"environment": "production", "version": "v2"}, "nics": [{"networkName": "mcp", "ipv4": "10.0.0.54"}]}]}`,
		},
		want: "10.0.0.54:3000 68ae production eu02 v2",
	},
	"vultr": {
		config: "vultr_sd_configs: [{port: 3000, $PROXY, $REFRESH}]",
		answers: map[string]string{
			"/v2/instances": `{"instances": [{"id": "4f0f", "label": "mcp-1", "region": "fra", "main_ip": "192.0.2.55", "status": "active", "server_status": "ok",
				"tags": ["mcp", "environment=production", "version=v2"], "features": []}], "meta": {"total": 1, "links": {"next": "", "prev": ""}}}`,
		},
		want: "192.0.2.55:3000 4f0f production fra v2",
	},
}

const scalewayItem = "api_url: '$URL', project_id: 11111111-1111-1111-1111-111111111111, zone: fr-par-1, access_key: SCW11111111111111111, " +
	"secret_key: 11111111-1111-1111-1111-111111111111, port: 3000, $REFRESH"

func openstackItem(role string) string {
	return "openstack_sd_configs: [{role: " + role + ", identity_endpoint: '$URL/v3', region: RegionOne, username: u, password: p, domain_name: Default, project_name: t, port: 3000, $REFRESH}]"
}

// openstackCatalog is Keystone's answer, with the services that are asked next.
const openstackCatalog = `{"token": {"expires_at": "2099-01-01T00:00:00.000000Z", "methods": ["password"], "catalog": [
	{"type": "compute", "name": "nova", "id": "1", "endpoints": [{"id": "1", "interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": "$URL/compute/v2.1"}]},
	{"type": "network", "name": "neutron", "id": "2", "endpoints": [{"id": "2", "interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": "$URL/network"}]},
	{"type": "load-balancer", "name": "octavia", "id": "3", "endpoints": [{"id": "3", "interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": "$URL/load-balancer"}]}]}}`

const openstackVersions = `{"versions": [{"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": "$URL/v2.0"}]}]}`
