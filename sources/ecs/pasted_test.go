package ecs_test

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mcp-sd/mcp-sd/config"
	"github.com/mcp-sd/mcp-sd/sources/ec2/ec2test"
	"github.com/mcp-sd/mcp-sd/sources/ecs"
	"github.com/mcp-sd/mcp-sd/target"
)

// pasted is one item of ecs_sd_configs with every key that Prometheus (v0.315.0,
// discovery/aws/ecs.go) has for it.
const pasted = `
region: us-east-1
endpoint: ENDPOINT
access_key: AKIAIOSFODNN7EXAMPLE
secret_key: secret
profile:
role_arn: arn:aws:iam::222222222222:role/prometheus
external_id: abc
clusters:
  - arn:aws:ecs:us-east-1:222222222222:cluster/a
port: 9100
refresh_interval: 90s
request_concurrency: 5
basic_auth:
  username: user
  password: pass
follow_redirects: true
enable_http2: true
tls_config:
  insecure_skip_verify: true
`

const account = "222222222222"

// world is an ECS with a task of each kind in the account.
func world(t *testing.T) (*ec2test.Server, string) {
	t.Helper()
	ecs.Isolate(t)
	s := ec2test.New()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	t.Setenv("AWS_ENDPOINT_URL", srv.URL)
	s.AddKey("AKIAIOSFODNN7EXAMPLE", "secret", "111111111111")
	s.AddRole(ec2test.Role{ARN: "arn:aws:iam::" + account + ":role/prometheus", ExternalID: "abc"})
	tasks := ec2test.Tasks("web", 1)
	s.Launch(ec2test.Instance{ID: "i-1", Account: account, Region: "us-east-1", PrivateIP: "10.9.0.1"})
	s.Run(ec2test.ECS{
		Account: account, Region: "us-east-1", Cluster: "a", Clusters: []ec2test.Cluster{{}}, Services: []ec2test.Service{{Name: "web"}},
		TaskDefinitions:    []ec2test.TaskDefinition{{Family: "web", Containers: []ec2test.ContainerDefinition{{Name: "mcp"}}}},
		ContainerInstances: []ec2test.ContainerInstance{{ID: "m", EC2InstanceID: "i-1"}},
		Tasks:              append(tasks, ec2test.Task{ID: "z", Family: "web", LaunchType: "EC2", ContainerInstance: "m"}),
	})
	return s, srv.URL
}

func discover(t *testing.T, block string) (target.Part, *config.Config) {
	t.Helper()
	c, err := config.Parse("mcp-sd.yml", []byte("sources:\n  - name: ecs\n    ecs:"+strings.ReplaceAll(block, "\n", "\n      ")+"\noutputs: [{path: mcp.json}]\n"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	src, err := c.Sources[0].Mechanism.New(target.Env{Source: "ecs", Timeout: 30 * time.Second, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return src.Discover(t.Context()).Parts[0], c
}

// A block pasted out of prometheus.yml works under ecs: unchanged (contract §3),
// from the configuration file to the targets, which have Prometheus' addresses.
func TestPastedBlock(t *testing.T) {
	_, url := world(t)
	p, c := discover(t, strings.ReplaceAll(pasted, "ENDPOINT", url))
	if got := c.Sources[0].RefreshInterval; got != 90*time.Second {
		t.Errorf("refresh interval %s", got)
	}
	if p.Err != nil || len(p.Raw) != 2 || p.Name != account+":prometheus/us-east-1/a" ||
		p.Raw[0].Labels.Get(target.AddressLabel) != "10.0.0.0:9100" || p.Raw[1].Labels.Get(target.AddressLabel) != "10.9.0.1:9100" {
		t.Errorf("got %+v", p)
	}
}

// The IAM policy of the example allows what mcp-sd asks for, and nothing else.
func TestPolicyIsTheLeast(t *testing.T) {
	text, err := os.ReadFile("../../examples/ecs/iam-policy.json")
	if err != nil {
		t.Fatal(err)
	}
	var policy struct {
		Version   string
		Statement []struct {
			Effect string
			Action []string
		}
	}
	if err := json.Unmarshal(text, &policy); err != nil || policy.Version != "2012-10-17" {
		t.Fatal(policy.Version, err)
	}
	allowed := map[string]bool{"sts:AssumeRole": true} // examples/ec2 has that
	for _, s := range policy.Statement {
		for _, a := range s.Action {
			allowed[a] = s.Effect == "Allow"
		}
	}
	s, url := world(t)
	p, _ := discover(t, "\nregion: us-east-1\nendpoint: "+url+"\naccess_key: AKIAIOSFODNN7EXAMPLE\nsecret_key: secret\nrole_arn: arn:aws:iam::222222222222:role/prometheus\nexternal_id: abc\n")
	if p.Err != nil {
		t.Fatal(p.Err)
	}
	asked := map[string]bool{}
	for _, call := range s.Calls("") {
		service := "ecs:"
		switch call.Action {
		case "AssumeRole":
			service = "sts:"
		case "DescribeInstances", "DescribeNetworkInterfaces":
			service = "ec2:"
		}
		asked[service+call.Action] = true
	}
	for a := range asked {
		if !allowed[a] {
			t.Errorf("%s is not allowed by the example", a)
		}
	}
	for a := range allowed {
		if !asked[a] {
			t.Errorf("%s is allowed, but was not asked for", a)
		}
	}
}
