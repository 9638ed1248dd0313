package ecs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-sd/mcp-sd/sources/ec2/ec2test"
	"github.com/mcp-sd/mcp-sd/target"
)

// container defines one, with docker labels given as name, value …
func container(name string, labels ...string) ec2test.ContainerDefinition {
	c := ec2test.ContainerDefinition{Name: name, DockerLabels: map[string]string{}}
	for i := 0; i < len(labels); i += 2 {
		c.DockerLabels[labels[i]] = labels[i+1]
	}
	return c
}

const (
	portLabel = "PROMETHEUS_EXPORTER_PORT"
	pathLabel = "PROMETHEUS_EXPORTER_PATH"
	agentPort = "ECS_PROMETHEUS_EXPORTER_PORT"
	agentPath = "ECS_PROMETHEUS_METRICS_PATH"
)

// Which ports of a task are scraped, by its network mode and its docker labels;
// a docker label holds the container's port, as with all tools for ECS.
func TestPorts(t *testing.T) {
	bound := func(container, host int) []ec2test.Binding {
		return []ec2test.Binding{{ContainerPort: container, HostPort: host}}
	}
	for name, tc := range map[string]struct {
		mode     string // of the network; awsvpc has an address of its own
		defined  []ec2test.ContainerDefinition
		bindings map[string][]ec2test.Binding
		edit     func(*Options)
		pending  bool
		want     string // address and path of each target
		rejected string // reasons
	}{
		"no label":                 {"awsvpc", []ec2test.ContainerDefinition{container("a")}, nil, nil, false, "10.0.0.1:80", ""},
		"no label, no port":        {"awsvpc", []ec2test.ContainerDefinition{container("a")}, nil, func(o *Options) { o.Port = 0 }, false, "", ""},
		"label":                    {"awsvpc", []ec2test.ContainerDefinition{container("a", portLabel, "3000", pathLabel, "/m"), container("b")}, nil, nil, false, "10.0.0.1:3000/m", ""},
		"the agent's label":        {"awsvpc", []ec2test.ContainerDefinition{container("a", agentPort, "3000", agentPath, "/a")}, nil, nil, false, "10.0.0.1:3000/a", ""},
		"both name one port":       {"awsvpc", []ec2test.ContainerDefinition{container("a", agentPort, "3000", portLabel, "3000", agentPath, "/a", pathLabel, "/m")}, nil, nil, false, "10.0.0.1:3000/m", ""},
		"a list":                   {"awsvpc", []ec2test.ContainerDefinition{container("a", portLabel, "3000, 3001")}, nil, nil, false, "10.0.0.1:3000 10.0.0.1:3001", ""},
		"two containers":           {"awsvpc", []ec2test.ContainerDefinition{container("a", portLabel, "3000"), container("b", portLabel, "9090", pathLabel, "/b")}, nil, nil, false, "10.0.0.1:3000 10.0.0.1:9090/b", ""},
		"bad":                      {"awsvpc", []ec2test.ContainerDefinition{container("a", portLabel, "http,0,3000,65536")}, nil, nil, false, "10.0.0.1:3000", "bad_port bad_port bad_port"},
		"all bad":                  {"awsvpc", []ec2test.ContainerDefinition{container("a", portLabel, "")}, nil, nil, false, "", "bad_port"},
		"own label":                {"awsvpc", []ec2test.ContainerDefinition{container("a", "p", "1", portLabel, "2")}, nil, func(o *Options) { o.DockerLabels = []DockerLabel{{PortLabel: "p"}} }, false, "10.0.0.1:1", ""},
		"labels are not looked at": {"awsvpc", []ec2test.ContainerDefinition{container("a", portLabel, "2")}, nil, func(o *Options) { o.DockerLabels = nil }, false, "10.0.0.1:80", ""},
		"bridge":                   {"bridge", []ec2test.ContainerDefinition{container("a", portLabel, "3000")}, map[string][]ec2test.Binding{"a": bound(3000, 32768)}, nil, false, "10.9.0.1:32768", ""},
		"bridge, two containers":   {"bridge", []ec2test.ContainerDefinition{container("a"), container("b", portLabel, "80")}, map[string][]ec2test.Binding{"a": bound(80, 1), "b": bound(80, 2)}, nil, false, "10.9.0.1:2", ""},
		"bridge, no label":         {"bridge", []ec2test.ContainerDefinition{container("a")}, map[string][]ec2test.Binding{"a": bound(80, 32768)}, nil, false, "10.9.0.1:32768", ""},
		"bridge, as Prometheus":    {"bridge", []ec2test.ContainerDefinition{container("a")}, map[string][]ec2test.Binding{"a": bound(3000, 80)}, nil, false, "10.9.0.1:80", ""},
		"bridge, a range":          {"bridge", []ec2test.ContainerDefinition{container("a", portLabel, "3002")}, map[string][]ec2test.Binding{"a": {{ContainerPortRange: "3000-3009", HostPortRange: "49160-49169"}}}, nil, false, "10.9.0.1:49162", ""},
		"bridge, unmapped":         {"bridge", []ec2test.ContainerDefinition{container("a", portLabel, "3000")}, map[string][]ec2test.Binding{"a": bound(80, 1)}, nil, false, "", "unmapped"},
		"bridge, not yet mapped":   {"bridge", []ec2test.ContainerDefinition{container("a", portLabel, "3000")}, nil, nil, true, "", ""},
		"host":                     {"host", []ec2test.ContainerDefinition{container("a", portLabel, "3000")}, map[string][]ec2test.Binding{"a": bound(3000, 3000)}, nil, false, "10.9.0.1:3000", ""},
		"host, not declared":       {"host", []ec2test.ContainerDefinition{container("a", portLabel, "3000")}, nil, nil, false, "10.9.0.1:3000", ""},
		"no address":               {"none", []ec2test.ContainerDefinition{container("a", portLabel, "3000")}, nil, nil, false, "", "no_address"},
		"no address yet":           {"none", []ec2test.ContainerDefinition{container("a", portLabel, "3000")}, nil, nil, true, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			task := ec2test.Task{ID: "t", Family: "f"}
			switch tc.mode {
			case "awsvpc":
				task.ENI, task.PrivateIP = "eni-1", "10.0.0.1"
			case "bridge", "host":
				task.ContainerInstance, task.LaunchType = "m", "EC2"
			}
			if tc.pending {
				task.Status = "PENDING"
			}
			for _, d := range tc.defined {
				task.Containers = append(task.Containers, ec2test.Container{Name: d.Name, Bindings: tc.bindings[d.Name]})
			}
			c.run(ours, "us-east-1", "a")
			c.EditTasks(func(t *ec2test.Task) { t.Desired = "STOPPED" })
			c.Run(ec2test.ECS{
				Account: ours, Region: "us-east-1", Cluster: "a", Tasks: []ec2test.Task{task},
				TaskDefinitions: []ec2test.TaskDefinition{{Family: "f", NetworkMode: tc.mode, Containers: tc.defined}},
			})
			p := good(t, c.build(t, tc.edit))
			var reasons []string
			for _, r := range p.Rejected {
				reasons = append(reasons, r.Reason)
			}
			if got := strings.Join(list(p), " "); got != tc.want || strings.Join(reasons, " ") != tc.rejected {
				t.Errorf("got %q, want %q; rejected %+v", got, tc.want, p.Rejected)
			}
		})
	}
}

// full is a task of each kind, with everything that has a label.
func full() ec2test.ECS {
	e := mixed(ours, "us-east-1", "prod")
	e.Clusters[0].Tags = map[string]string{"team": "a", "environment": "production"}
	e.Services[0].Tags = map[string]string{"cost-center": "7", "version": "v1"}
	e.TaskDefinitions[1].Containers[0].DockerLabels["version"] = "v3"
	e.TaskDefinitions[1].Containers[0].Image = "mcp:3"
	own := &e.Tasks[0]
	own.PublicIP, own.Health, own.Platform, own.PlatformVersion = "54.0.0.1", "HEALTHY", "Linux", "1.4.0"
	own.Tags = map[string]string{"env": "staging", "a.b": "1", "a_b": "2"}
	e.Tasks = append(e.Tasks[:1], e.Tasks[3])
	return e
}

// All labels of both kinds of task (contract §4): those of Prometheus, and ours.
func TestLabels(t *testing.T) {
	c := newCloud(t)
	c.Run(full())
	c.Launch(ec2test.Instance{
		ID: "i-" + ours + "us-east-1", Account: ours, Region: "us-east-1", PrivateIP: "10.9.0.1", PublicIP: "54.0.0.9",
		VPC: "v", Subnet: "subnet-9", Type: "t3.small", Tags: map[string]string{"Name": "host"},
	})
	p := good(t, c.build(t, nil))
	if len(p.Raw) != 2 {
		t.Fatalf("%+v", p)
	}
	both := map[string]string{
		"__meta_ecs_cluster": "prod", "__meta_ecs_cluster_arn": "arn:aws:ecs:us-east-1:111111111111:cluster/prod",
		"__meta_ecs_container_name": "mcp", "__meta_ecs_desired_status": "RUNNING", "__meta_ecs_last_status": "RUNNING",
		"__meta_ecs_region": "us-east-1", "__meta_ecs_service_status": "ACTIVE", "__meta_ecs_tag_cluster_team": "a",
		"__meta_ecs_tag_cluster_environment": "production", "__meta_ecs_task_definition_revision": "1", "region": "us-east-1",
	}
	id := "00000000000000000000000000000000"
	own := map[string]string{
		"__address__": "10.0.0.0:80", "__meta_ecs_availability_zone": "us-east-1a", "__meta_ecs_container_arn": "arn:aws:ecs:us-east-1:111111111111:container/prod/" + id + "/mcp",
		"__meta_ecs_container_image": "mcp:1", "__meta_ecs_health_status": "HEALTHY", "__meta_ecs_ip_address": "10.0.0.0", "__meta_ecs_launch_type": "FARGATE",
		"__meta_ecs_network_mode": "awsvpc", "__meta_ecs_platform_family": "Linux", "__meta_ecs_platform_version": "1.4.0", "__meta_ecs_public_ip": "54.0.0.1",
		"__meta_ecs_service": "web", "__meta_ecs_service_arn": "arn:aws:ecs:us-east-1:111111111111:service/prod/web", "__meta_ecs_subnet_id": "subnet-1",
		"__meta_ecs_tag_service_cost_center": "7", "__meta_ecs_tag_service_version": "v1", "__meta_ecs_tag_task_a_b": "1", "__meta_ecs_tag_task_env": "staging",
		"__meta_ecs_task_arn": "arn:aws:ecs:us-east-1:111111111111:task/prod/" + id, "__meta_ecs_task_definition": "arn:aws:ecs:us-east-1:111111111111:task-definition/web:1",
		"__meta_ecs_task_definition_family": "web", "__meta_ecs_task_group": "service:web", "environment": "staging", "version": "v1",
	}
	bridge := map[string]string{
		"__address__": "10.9.0.1:32768", "__meta_ecs_container_arn": "arn:aws:ecs:us-east-1:111111111111:container/prod/b/mcp", "__meta_ecs_container_image": "mcp:3",
		"__meta_ecs_container_instance_arn":                    "arn:aws:ecs:us-east-1:111111111111:container-instance/prod/m",
		"__meta_ecs_container_labels_PROMETHEUS_EXPORTER_PATH": "/m", "__meta_ecs_container_labels_PROMETHEUS_EXPORTER_PORT": "3000", "__meta_ecs_container_labels_version": "v3",
		"__meta_ecs_ec2_instance_id": "i-111111111111us-east-1", "__meta_ecs_ec2_instance_private_ip": "10.9.0.1", "__meta_ecs_ec2_instance_public_ip": "54.0.0.9",
		"__meta_ecs_ec2_instance_type": "t3.small", "__meta_ecs_ip_address": "10.9.0.1", "__meta_ecs_launch_type": "EC2", "__meta_ecs_metrics_path": "/m",
		"__meta_ecs_network_mode": "bridge", "__meta_ecs_public_ip": "54.0.0.9", "__meta_ecs_service": "tools",
		"__meta_ecs_service_arn": "arn:aws:ecs:us-east-1:111111111111:service/prod/tools", "__meta_ecs_subnet_id": "subnet-9", "__meta_ecs_tag_ec2_Name": "host",
		"__meta_ecs_task_arn": "arn:aws:ecs:us-east-1:111111111111:task/prod/b", "__meta_ecs_task_definition": "arn:aws:ecs:us-east-1:111111111111:task-definition/tools:1",
		"__meta_ecs_task_definition_family": "tools", "__meta_ecs_task_group": "service:tools", "environment": "production", "version": "v3",
	}
	for i, want := range []map[string]string{own, bridge} {
		for name, v := range both {
			want[name] = v
		}
		if diff := cmp.Diff(want, p.Raw[i].Labels.Map()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if p.Raw[i].Identity != want["__meta_ecs_task_arn"] {
			t.Errorf("identity %s", p.Raw[i].Identity)
		}
	}
}

// Only IPv6, and a machine of ECS Anywhere, which nobody can tell the address of.
func TestOtherAddresses(t *testing.T) {
	c := newCloud(t)
	c.Run(ec2test.ECS{
		Account: ours, Region: "us-east-1", Cluster: "a", Clusters: []ec2test.Cluster{{}},
		TaskDefinitions:    []ec2test.TaskDefinition{{Family: "f", Containers: []ec2test.ContainerDefinition{{Name: "x"}}}},
		ContainerInstances: []ec2test.ContainerInstance{{ID: "m", EC2InstanceID: "mi-1"}},
		Tasks: []ec2test.Task{
			{ID: "1", Family: "f", ENI: "eni-1", IPv6: "2001:db8::1"},
			{ID: "2", Family: "f", ContainerInstance: "m", LaunchType: "EXTERNAL"},
		},
	})
	p := good(t, c.build(t, nil))
	if got := list(p); len(got) != 1 || got[0] != "[2001:db8::1]:80" || len(p.Rejected) != 1 || p.Rejected[0].Reason != noAddress {
		t.Errorf("got %q, rejected %+v", got, p.Rejected)
	}
	if p.Raw[0].Labels.Has(target.EnvironmentName) {
		t.Error("an environment out of nothing")
	}
}
