package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// An ecsTask as ec2fake is told about it.
type ecsTask struct {
	ID, Account, Region, Cluster, Family, Group, LaunchType, ContainerInstance, ENI, PrivateIP string

	Revision   int
	Containers []ecsContainer
	Tags       map[string]string
}

type ecsContainer struct {
	Name     string
	Bindings []map[string]int
}

const ecsCluster = "prod"

// runECS has a cluster in ECS, with a service and two revisions of what it runs,
// whose metrics are at the port, and what runs on a host behind a mapped one.
func runECS(t *testing.T, s *ec2Server, port int) {
	t.Helper()
	definition := func(family, mode string, revision, port int) map[string]any {
		return map[string]any{"Family": family, "Revision": revision, "NetworkMode": mode, "Containers": []any{map[string]any{
			"Name": "mcp", "DockerLabels": map[string]string{"PROMETHEUS_EXPORTER_PORT": fmt.Sprint(port), "PROMETHEUS_EXPORTER_PATH": "/metrics", "version": fmt.Sprintf("v%d", revision)},
		}}}
	}
	s.tell(t, http.MethodPut, "ecs", map[string]any{
		"Account": ec2Ours, "Region": "us-east-1", "Cluster": ecsCluster, "Clusters": []any{map[string]any{"Tags": map[string]string{"environment": "production"}}},
		"Services":           []any{map[string]any{"Name": "web"}},
		"ContainerInstances": []any{map[string]any{"ID": "m", "EC2InstanceID": "i-1"}},
		"TaskDefinitions":    []any{definition("web", "awsvpc", 1, port), definition("web", "awsvpc", 2, port), definition("bridged", "bridge", 1, 3000)},
	})
}

// play has tasks run.
func (s *ec2Server) play(t *testing.T, tasks ...ecsTask) {
	t.Helper()
	s.tell(t, http.MethodPut, "ecs", map[string]any{"Cluster": ecsCluster, "Tasks": tasks})
}

func webTask(id, ip string, revision int) ecsTask {
	return ecsTask{
		ID: id, Account: ec2Ours, Region: "us-east-1", Family: "web", Revision: revision, Group: "service:web",
		ENI: "eni-" + id, PrivateIP: ip, Containers: []ecsContainer{{Name: "mcp"}},
	}
}

// TestECSTasks follows tasks through their life: they start, move to another
// address, stop, run behind a mapped port of a host, and are redeployed.
func TestECSTasks(t *testing.T) {
	t.Parallel()
	server, fleet, w := startEC2(t), newFleet(t), newWorkspace(t)
	s := &ecsScenario{server: server, fleet: fleet, w: w, want: map[string]labels{}}
	runECS(t, server, fleet.port)
	w.configure(t, `
global: {refresh_interval: 1s, source_timeout: 10s}
sources:
  - name: ecs
    ecs: {endpoint: %q, region: us-east-1, access_key: %s, secret_key: %s, port: 0}
    relabel_configs: [{source_labels: [__meta_ecs_metrics_path], regex: (/.*), target_label: __metrics_path__}]
health: {interval: 1s, timeout: 1s, fall: 2, linger: 20s, allow_cidrs: [127.0.0.0/8]}
guard: {max_removed_ratio: 0.9}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, server.url, ec2Key, ec2Secret)
	s.starts(t, webTask("a", "127.0.4.1", 1), "v1")
	s.starts(t, webTask("b", "127.0.4.2", 1), "v1")
	once := call(t, "/usr/bin/env", "AWS_ENDPOINT_URL_EC2="+server.url, mcpSD, "--config.file="+w.config, "--state.path="+w.state, "--once")
	once.expectSilence(t)
	if err := fileHas(w.output("mcp.json"), s.want); err != nil {
		t.Fatal(err)
	}
	s.daemon = w.startWith(t, "AWS_ENDPOINT_URL_EC2="+server.url)
	s.bridged(t)
	s.moved(t)
	s.redeployed(t)
	s.stopped(t)
	s.daemon.stops(t)
}

type ecsScenario struct {
	server *ec2Server
	fleet  *fleet
	w      *workspace
	daemon *daemon
	want   map[string]labels
}

// starts has a task run, and answer.
func (s *ecsScenario) starts(t *testing.T, task ecsTask, version string) {
	t.Helper()
	s.fleet.add(task.PrivateIP, version)
	s.server.play(t, task)
	s.want[s.fleet.address(task.PrivateIP)] = labels{"environment": "production", "region": "us-east-1", "version": version}
}

// ends stops a task, and silences it.
func (s *ecsScenario) ends(t *testing.T, id, ip string) {
	t.Helper()
	s.fleet.set(ip, off)
	s.server.tell(t, http.MethodDelete, "tasks?id="+id, nil)
	delete(s.want, s.fleet.address(ip))
}

func (s *ecsScenario) settles(t *testing.T) {
	t.Helper()
	eventually(t, retried, func() error { return fileHas(s.w.output("mcp.json"), s.want) })
}

// bridged: a task on a host of EC2, by the host's address and the mapped port.
func (s *ecsScenario) bridged(t *testing.T) {
	t.Helper()
	s.server.launch(t, ec2Instance{ID: "i-1", Account: ec2Ours, Region: "us-east-1", PrivateIP: "127.0.4.9"})
	s.fleet.add("127.0.4.9", "v1")
	s.server.play(t, ecsTask{
		ID: "h", Account: ec2Ours, Region: "us-east-1", Family: "bridged", LaunchType: "EC2", ContainerInstance: "m",
		Containers: []ecsContainer{{Name: "mcp", Bindings: []map[string]int{{"ContainerPort": 3000, "HostPort": s.fleet.port}}}},
	})
	s.want[s.fleet.address("127.0.4.9")] = labels{"environment": "production", "region": "us-east-1", "version": "v1"}
	s.settles(t)
	eventually(t, soon, func() error { return s.daemon.sourceUp("ecs", "ecs", "1") })
}

// moved: what ECS starts elsewhere is published there before it leaves here.
func (s *ecsScenario) moved(t *testing.T) {
	t.Helper()
	s.starts(t, webTask("c", "127.0.4.3", 1), "v1")
	s.settles(t)
	s.ends(t, "a", "127.0.4.1")
	s.settles(t)
}

// redeployed: new tasks of another revision, then the old ones end.
func (s *ecsScenario) redeployed(t *testing.T) {
	t.Helper()
	s.starts(t, webTask("d", "127.0.4.4", 2), "v2")
	s.starts(t, webTask("e", "127.0.4.5", 2), "v2")
	s.settles(t)
	s.ends(t, "b", "127.0.4.2")
	s.ends(t, "c", "127.0.4.3")
	s.settles(t)
}

// stopped: while ECS does not answer, a task that ends stays.
func (s *ecsScenario) stopped(t *testing.T) {
	t.Helper()
	s.server.tell(t, http.MethodPut, "faults", map[string]any{"Action": "DescribeTasks", "Cut": 0.5, "Clean": true})
	eventually(t, soon, func() error { return s.daemon.sourceUp("ecs", "ecs", "0") })
	s.fleet.set("127.0.4.5", off)
	s.server.tell(t, http.MethodDelete, "tasks?id=e", nil)
	holds(t, 3*time.Second, func() error { return fileHas(s.w.output("mcp.json"), s.want) })
	s.server.tell(t, http.MethodDelete, "faults", nil)
	delete(s.want, s.fleet.address("127.0.4.5"))
	s.settles(t)
}
