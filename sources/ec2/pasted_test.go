package ec2_test

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mcp-sd/mcp-sd/config"
	"github.com/mcp-sd/mcp-sd/sources/ec2"
	"github.com/mcp-sd/mcp-sd/sources/ec2/ec2test"
	"github.com/mcp-sd/mcp-sd/target"
)

// pasted is one item of ec2_sd_configs as Prometheus' documentation has it:
// every key of <ec2_sd_config>, in its order, with a value in each placeholder.
const pasted = `
# The information to access the EC2 API.

# The AWS region. If blank, the region from the instance metadata is used.
region: us-east-1

# Custom endpoint to be used.
endpoint: ENDPOINT

# The AWS API keys. If blank, the environment variables AWS_ACCESS_KEY_ID
# and AWS_SECRET_ACCESS_KEY are used.
access_key: AKIAIOSFODNN7EXAMPLE
secret_key: secret
# Named AWS profile used to connect to the API.
profile:

# AWS Role ARN, an alternative to using AWS API keys.
role_arn: arn:aws:iam::222222222222:role/prometheus

# AWS External ID used when assuming a role.
external_id: abc

# Refresh interval to re-read the instance list.
refresh_interval: 90s

# The port to scrape metrics from. If using the public IP address, this must
# instead be specified in the relabeling rule.
port: 9100

# Filters can be used optionally to filter the instance list by other criteria.
filters:
  - name: tag:environment
    values:
      - prod
  - name: tag:service
    values:
      - web
      - db

# HTTP client settings
basic_auth:
  username: user
  password: pass
follow_redirects: true
enable_http2: true
tls_config:
  insecure_skip_verify: true
`

// A block pasted out of prometheus.yml works under ec2: unchanged (contract §3),
// from the configuration file to the target.
func TestPastedBlock(t *testing.T) {
	ec2.Isolate(t)
	s := ec2test.New()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	t.Setenv("AWS_ENDPOINT_URL_STS", srv.URL)
	s.AddKey("AKIAIOSFODNN7EXAMPLE", "secret", "111111111111")
	s.AddRole(ec2test.Role{ARN: "arn:aws:iam::222222222222:role/prometheus", ExternalID: "abc"})
	s.Launch(
		ec2test.Instance{ID: "i-1", Account: "222222222222", Region: "us-east-1", PrivateIP: "10.0.0.1", Tags: map[string]string{"environment": "prod", "service": "db"}},
		ec2test.Instance{ID: "i-2", Account: "222222222222", Region: "us-east-1", PrivateIP: "10.0.0.2", Tags: map[string]string{"environment": "prod"}},
	)
	block := strings.ReplaceAll(strings.ReplaceAll(pasted, "ENDPOINT", srv.URL), "\n", "\n      ")
	c, err := config.Parse("mcp-sd.yml", []byte("sources:\n  - name: ec2\n    ec2:"+block+"\noutputs: [{path: mcp.json}]\n"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Sources[0].RefreshInterval; got != 90*time.Second {
		t.Errorf("refresh interval %s", got)
	}
	src, err := c.Sources[0].Mechanism.New(target.Env{Source: "ec2", Timeout: 30 * time.Second, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	p := src.Discover(t.Context()).Parts[0]
	if p.Err != nil || len(p.Raw) != 1 || p.Raw[0].Labels.Get(target.AddressLabel) != "10.0.0.1:9100" || p.Name != "222222222222:prometheus/us-east-1" {
		t.Errorf("got %+v", p)
	}
}

// The IAM policies of the examples allow what mcp-sd asks for, and nothing else.
func TestPoliciesAreTheLeast(t *testing.T) {
	allowed := map[string]bool{}
	for _, name := range []string{"iam-policy.json", "iam-assume-policy.json"} {
		for _, action := range actions(t, name) {
			allowed[action] = true
		}
	}
	ec2.Isolate(t)
	s := ec2test.New()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	t.Setenv("AWS_ENDPOINT_URL", srv.URL)
	s.AddKey("a", "b", "111111111111")
	const role = "arn:aws:iam::222222222222:role/mcp-sd"
	s.AddRole(ec2test.Role{ARN: role})
	s.Launch(ec2test.Instance{ID: "i-1", Account: "222222222222", Region: "us-east-1", PrivateIP: "10.0.0.1", Zone: "us-east-1a"})
	c, err := config.Parse("x.yml", []byte("sources: [{name: a, ec2: {region: us-east-1, access_key: a, secret_key: b, role_arn: '"+role+"'}}]\noutputs: [{path: mcp.json}]"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	src, err := c.Sources[0].Mechanism.New(target.Env{Source: "a", Timeout: 30 * time.Second, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if p := src.Discover(t.Context()).Parts[0]; p.Err != nil {
		t.Fatal(p.Err)
	}
	asked := map[string]bool{}
	for _, call := range s.Calls("") {
		service := "ec2:"
		if call.Action == "AssumeRole" {
			service = "sts:"
		}
		asked[service+call.Action] = true
		if !allowed[service+call.Action] {
			t.Errorf("%s is not allowed by the examples", service+call.Action)
		}
	}
	for action := range allowed {
		if !asked[action] {
			t.Errorf("%s is allowed, but was not asked for", action)
		}
	}
}

// actions are what an IAM policy allows.
func actions(t *testing.T, name string) (list []string) {
	t.Helper()
	var policy struct {
		Version   string
		Statement []struct {
			Effect string
			Action any // one, or a list
		}
	}
	if example(t, name, &policy); policy.Version != "2012-10-17" {
		t.Fatalf("%s: version %q", name, policy.Version)
	}
	for _, s := range policy.Statement {
		if s.Effect != "Allow" {
			t.Errorf("%s: effect %s", name, s.Effect)
		}
		all, isList := s.Action.([]any)
		if !isList {
			all = []any{s.Action}
		}
		for _, a := range all {
			list = append(list, a.(string))
		}
	}
	return list
}

// The role of another account trusts the one that mcp-sd has, under the
// external id that accounts.yml gives.
func TestTrustPolicy(t *testing.T) {
	var policy struct {
		Version   string
		Statement []struct {
			Effect, Action string
			Principal      struct{ AWS string }
			Condition      map[string]map[string]string
		}
	}
	example(t, "iam-trust-policy.json", &policy)
	if policy.Version != "2012-10-17" || len(policy.Statement) != 1 {
		t.Fatalf("got %+v", policy)
	}
	trust := policy.Statement[0]
	if trust.Effect != "Allow" || trust.Action != "sts:AssumeRole" || !strings.HasPrefix(trust.Principal.AWS, "arn:aws:iam::111111111111:role/") {
		t.Errorf("got %+v", trust)
	}
	accounts, err := os.ReadFile(examples + "accounts.yml")
	if err != nil {
		t.Fatal(err)
	}
	if id := trust.Condition["StringEquals"]["sts:ExternalId"]; id == "" || !strings.Contains(string(accounts), "external_id: "+id) {
		t.Errorf("accounts.yml does not have the external id %q", id)
	}
}

// What the launch template of the examples starts is found by the example's
// configuration, with its labels.
func TestLaunchTemplate(t *testing.T) {
	var template struct {
		LaunchTemplateData struct {
			TagSpecifications []struct {
				ResourceType string
				Tags         []struct{ Key, Value string }
			}
		}
	}
	example(t, "launch-template.json", &template)
	tags := map[string]string{}
	for _, spec := range template.LaunchTemplateData.TagSpecifications {
		if spec.ResourceType == "instance" {
			for _, tag := range spec.Tags {
				tags[tag.Key] = tag.Value
			}
		}
	}
	ec2.Isolate(t)
	s := ec2test.New()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	t.Setenv("AWS_ENDPOINT_URL", srv.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	s.AddKey("a", "b", "111111111111")
	s.Launch(ec2test.Instance{ID: "i-1", Account: "111111111111", Region: "us-east-1", PrivateIP: "10.0.0.1", Zone: "us-east-1a", Tags: tags})
	text, err := os.ReadFile(examples + "mcp-sd.yml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("mcp-sd.yml", text, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	src, err := c.Sources[0].Mechanism.New(target.Env{Source: "ec2", Timeout: 30 * time.Second, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var found []target.Raw
	for _, p := range src.Discover(t.Context()).Parts {
		if p.Err != nil {
			t.Fatal(p.Err)
		}
		found = append(found, p.Raw...)
	}
	if len(found) != 1 {
		t.Fatalf("found %+v", found)
	}
	for label, want := range map[string]string{target.AddressLabel: "10.0.0.1:3000", "environment": "production", "version": "v2.3.1"} {
		if got := found[0].Labels.Get(label); got != want {
			t.Errorf("%s is %q, want %q", label, got, want)
		}
	}
}

const examples = "../../examples/ec2/"

func example(t *testing.T, name string, v any) {
	t.Helper()
	text, err := os.ReadFile(examples + name)
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
