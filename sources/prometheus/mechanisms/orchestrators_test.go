//go:build !remove_all_sd

package mechanisms_test

var orchestrators = map[string]recording{
	"docker": {
		config: "docker_sd_configs: [{host: '$URL', $REFRESH}]",
		answers: map[string]string{
			"/_ping":    "OK",
			"/networks": `[{"Id": "n1", "Name": "mcp", "Scope": "local", "Labels": {}}]`,
			"/containers/json": `[{"Id": "c1", "Names": ["/mcp-1"], "Image": "mcp:v2", "ImageID": "sha256:a", "State": "running",
				"Labels": {"environment": "production", "version": "v2.3.1", "com.example.team": "data"},
				"Ports": [{"IP": "0.0.0.0", "PrivatePort": 3000, "PublicPort": 13000, "Type": "tcp"}],
				"HostConfig": {"NetworkMode": "mcp"},
				"NetworkSettings": {"Networks": {"mcp": {"NetworkID": "n1", "IPAddress": "172.20.0.2"}}}}]`,
		},
		spare: "/_ping",
		want:  "172.20.0.2:3000 c1 production  v2.3.1",
	},
	"docker over a socket": {
		config: "docker_sd_configs: [{host: '$SOCKET', $REFRESH}]",
		answers: map[string]string{
			"/_ping": "OK", "/networks": "[]",
			"/containers/json": `[{"Id": "c2", "Names": ["/mcp-2"], "Labels": {"env": "staging"},
				"Ports": [{"PrivatePort": 8080, "Type": "tcp"}], "HostConfig": {"NetworkMode": "bridge"},
				"NetworkSettings": {"Networks": {"bridge": {"NetworkID": "b", "IPAddress": "172.17.0.3"}}}}]`,
		},
		spare: "/_ping",
		want:  "172.17.0.3:8080 c2 staging  ",
	},
	"tasks of dockerswarm": {
		config: "dockerswarm_sd_configs: [{host: '$URL', role: tasks, port: 3000, $REFRESH}]",
		answers: map[string]string{
			"/_ping":    "OK",
			"/services": swarmServices, "/nodes": swarmNodes, "/networks": swarmNetworks,
			"/tasks": `[{"ID": "t1", "Slot": 1, "ServiceID": "s1", "NodeID": "w1", "DesiredState": "running",
				"Spec": {"ContainerSpec": {"Image": "mcp:v2", "Labels": {"version": "v2"}}},
				"Status": {"State": "running", "ContainerStatus": {"ContainerID": "c1", "PID": 7}, "PortStatus": {}},
				"NetworksAttachments": [{"Network": {"ID": "n1", "Spec": {"Name": "mcp"}}, "Addresses": ["10.0.1.5/24"]}]}]`,
		},
		spare: "/_ping",
		want:  "10.0.1.5:3000 t1 production eu v2",
	},
	"services of dockerswarm": {
		config:  "dockerswarm_sd_configs: [{host: '$URL', role: services, port: 3000, $REFRESH}]",
		answers: map[string]string{"/_ping": "OK", "/services": swarmServices, "/networks": swarmNetworks},
		spare:   "/_ping",
		want:    "10.0.1.2:3000 s1 production  ",
	},
	"nodes of dockerswarm": {
		config:  "dockerswarm_sd_configs: [{host: '$URL', role: nodes, port: 3000, $REFRESH}]",
		answers: map[string]string{"/_ping": "OK", "/nodes": swarmNodes},
		spare:   "/_ping",
		want:    "192.0.2.20:3000 w1  eu ",
	},
	"marathon": {
		config: "marathon_sd_configs: [{servers: ['$URL'], $REFRESH}]",
		answers: map[string]string{
			"/v2/apps/": `{"apps": [{"id": "/mcp", "instances": 1, "tasksRunning": 1, "labels": {"environment": "production", "region": "eu"},
				"container": {"type": "DOCKER", "docker": {"image": "mcp:v2"}}, "networks": [{"mode": "host"}], "requirePorts": false,
				"portDefinitions": [{"port": 10000, "protocol": "tcp", "name": "http", "labels": {"version": "v2"}}],
				"tasks": [{"id": "mcp.instance-1._app.1", "host": "10.0.0.11", "ports": [31845], "state": "TASK_RUNNING",
					"ipAddresses": [{"ipAddress": "10.0.0.11", "protocol": "IPv4"}]}]}]}`,
		},
		want: "10.0.0.11:31845 mcp.instance-1._app.1 production eu v2",
	},
	"marathon with port mappings": {
		config: "marathon_sd_configs: [{servers: ['$URL'], $REFRESH}]",
		answers: map[string]string{
			"/v2/apps/": `{"apps": [{"id": "/mcp", "tasksRunning": 1, "networks": [{"name": "mcp", "mode": "container"}],
				"container": {"type": "MESOS", "portMappings": [{"containerPort": 3000, "hostPort": 0, "labels": {"environment": "production"}}]},
				"tasks": [{"id": "mcp.instance-2._app.1", "host": "10.0.0.11", "ports": [], "ipAddresses": [{"ipAddress": "10.9.0.4", "protocol": "IPv4"}]}]}]}`,
		},
		want: "10.9.0.4:3000 mcp.instance-2._app.1 production  ",
	},
	"nomad": {
		config: "nomad_sd_configs: [{server: '$URL', tag_separator: ;, $REFRESH}]",
		answers: map[string]string{
			"/v1/services": `[{"Namespace": "default", "Services": [{"ServiceName": "mcp", "Tags": ["mcp"]}]}]`,
			"/v1/service/mcp": `[{"ID": "_nomad-task-1-mcp", "ServiceName": "mcp", "Namespace": "default", "NodeID": "node-1", "Datacenter": "dc1",
				"JobID": "mcp", "AllocID": "1", "Tags": ["mcp", "environment=production", "version=v2"], "Address": "10.0.0.7", "Port": 23456}]`,
		},
		want: "10.0.0.7:23456 _nomad-task-1-mcp production dc1 v2",
	},
	"containers of triton": {
		config: "triton_sd_configs: [{account: a, dns_suffix: cmon.example.com, endpoint: 127.0.0.1, port: $TLS, tls_config: {insecure_skip_verify: true}, $REFRESH}]",
		answers: map[string]string{
			"/v1/discover": `{"containers": [{"groups": ["mcp"], "server_uuid": "44454c4c", "vm_alias": "mcp-1", "vm_brand": "lx",
				"vm_image_uuid": "7b27a514", "vm_uuid": "ad466fbf"}]}`,
		},
		refusal: "no leader",
		want:    "ad466fbf.cmon.example.com:$TLS ad466fbf   ",
	},
	"nodes of triton": {
		config:  "triton_sd_configs: [{account: a, role: cn, dns_suffix: cmon.example.com, endpoint: 127.0.0.1, port: $TLS, tls_config: {insecure_skip_verify: true}, $REFRESH}]",
		answers: map[string]string{"/v1/gz/discover": `{"cns": [{"server_hostname": "rack-1", "server_uuid": "44454c4c"}]}`},
		refusal: "no leader",
		want:    "44454c4c.cmon.example.com:$TLS 44454c4c   ",
	},
}

const (
	swarmServices = `[{"ID": "s1", "Spec": {"Name": "mcp", "Labels": {"environment": "production"}, "Mode": {"Replicated": {"Replicas": 1}},
		"TaskTemplate": {"ContainerSpec": {"Image": "mcp:v2"}}}, "Endpoint": {"Spec": {}, "VirtualIPs": [{"NetworkID": "n1", "Addr": "10.0.1.2/24"}]}}]`
	swarmNodes = `[{"ID": "w1", "Spec": {"Role": "worker", "Availability": "active", "Labels": {"region": "eu"}},
		"Description": {"Hostname": "w1", "Platform": {"Architecture": "x86_64", "OS": "linux"}, "Engine": {"EngineVersion": "28.0.1"}},
		"Status": {"State": "ready", "Addr": "192.0.2.20"}}]`
	swarmNetworks = `[{"Id": "n1", "Name": "mcp", "Scope": "swarm", "Labels": {}}]`
)
