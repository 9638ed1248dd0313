package ecs

import (
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mcp-sd/mcp-sd/sources/ec2/ec2test"
	"github.com/mcp-sd/mcp-sd/sources/sourcetest"
	"github.com/mcp-sd/mcp-sd/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	ours      = "111111111111" // account
	theirs    = "222222222222"
	accessKey = "AKIAIOSFODNN7EXAMPLE"
	secretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	theirRole = "arn:aws:iam::" + theirs + ":role/team/mcp-sd"

	testTimeout  = 5 * time.Minute // machines are busy
	testInterval = 50 * time.Millisecond
)

// cloud is an AWS on a port of its own.
type cloud struct {
	*ec2test.Server
	url string
}

// newCloud starts one that knows our key. Nothing on this machine that is meant
// for the real AWS is seen by the test.
func newCloud(tb testing.TB) *cloud {
	tb.Helper()
	isolate(tb)
	c := &cloud{Server: ec2test.New()}
	srv := httptest.NewServer(c)
	tb.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	c.url = srv.URL
	tb.Setenv("AWS_ENDPOINT_URL_EC2", c.url)
	tb.Setenv("AWS_ENDPOINT_URL_STS", c.url)
	tb.Setenv("AWS_MAX_ATTEMPTS", "1")
	c.AddKey(accessKey, secretKey, ours)
	c.AddRole(ec2test.Role{ARN: theirRole, ExternalID: "secret", Trusts: []string{ours}})
	return c
}

// isolate hides the environment and the home of who runs the test.
func isolate(tb testing.TB) {
	tb.Helper()
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION",
		"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ECS", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_STS", "AWS_CA_BUNDLE", "AWS_ROLE_ARN",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
		"AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
	} {
		tb.Setenv(name, "")
	}
	tb.Setenv("HOME", tb.TempDir())
	tb.Setenv("AWS_CONFIG_FILE", tb.TempDir()+"/config")
	tb.Setenv("AWS_SHARED_CREDENTIALS_FILE", tb.TempDir()+"/credentials")
	tb.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// build makes a source that asks the cloud with our key, in one region.
func (c *cloud) build(tb testing.TB, edit func(*Options)) *Source {
	tb.Helper()
	o := Default()
	o.Endpoint, o.Region, o.AccessKey, o.SecretKey = c.url, "us-east-1", accessKey, secretKey
	if edit != nil {
		edit(o)
	}
	return newSource(tb, o)
}

func newSource(tb testing.TB, o *Options) *Source {
	tb.Helper()
	for _, err := range o.Validate() {
		tb.Fatal(err)
	}
	src, err := o.New(target.Env{
		Source: sourcetest.SourceName, Dir: tb.TempDir(), RefreshInterval: testInterval, Timeout: testTimeout,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return src.(*Source)
}

// mixed is a cluster with a service on Fargate and one on an instance of EC2.
func mixed(account, region, cluster string) ec2test.ECS {
	tasks := ec2test.Tasks("web", 3)
	bridge := ec2test.Task{
		ID: "b", Family: "tools", Group: "service:tools", LaunchType: "EC2", ContainerInstance: "m",
		Containers: []ec2test.Container{{Name: "mcp", Bindings: []ec2test.Binding{{ContainerPort: 3000, HostPort: 32768}}}},
	}
	return ec2test.ECS{
		Account: account, Region: region, Cluster: cluster,
		Clusters: []ec2test.Cluster{{}},
		Services: []ec2test.Service{{Name: "web"}, {Name: "tools"}},
		TaskDefinitions: []ec2test.TaskDefinition{
			{Family: "web", NetworkMode: "awsvpc", Containers: []ec2test.ContainerDefinition{{Name: "mcp"}}},
			{Family: "tools", NetworkMode: "bridge", Containers: []ec2test.ContainerDefinition{
				{Name: "mcp", DockerLabels: map[string]string{"PROMETHEUS_EXPORTER_PORT": "3000", "PROMETHEUS_EXPORTER_PATH": "/m"}},
			}},
		},
		ContainerInstances: []ec2test.ContainerInstance{{ID: "m", EC2InstanceID: "i-" + account + region}},
		Tasks:              append(tasks, bridge),
	}
}

func (c *cloud) run(account, region, cluster string) {
	c.Run(mixed(account, region, cluster))
	c.Launch(ec2test.Instance{ID: "i-" + account + region, Account: account, Region: region, PrivateIP: "10.9.0.1", VPC: "v", Subnet: "s", Type: "t3.small"})
}

// TestConformance asks what every mechanism promises (contract §4), of a whole
// region, of named clusters, and of an account whose role is assumed.
func TestConformance(t *testing.T) {
	for name, edit := range map[string]func(*Options){
		"region":   nil,
		"clusters": func(o *Options) { o.Clusters = []string{"a", "b"} },
		"role":     func(o *Options) { o.RoleARN, o.ExternalID = theirRole, "secret" },
	} {
		t.Run(name, func(t *testing.T) { sourcetest.Run(t, backend(name, edit)) })
	}
}

func backend(kind string, edit func(*Options)) sourcetest.Setup {
	return func(tb testing.TB) sourcetest.Backend {
		tb.Helper()
		c := newCloud(tb)
		account := ours
		if kind == "role" {
			account = theirs
		}
		c.run(account, "us-east-1", "a")
		c.run(account, "us-east-1", "b")
		return sourcetest.Backend{
			New:      func() target.Source { return c.build(tb, edit) },
			Interval: testInterval,
			Change:   func() { c.EditTasks(func(t *ec2test.Task) { t.Tags = map[string]string{"version": "v2"} }, "b") },
			Empty:    func() { c.EditTasks(func(t *ec2test.Task) { t.Desired, t.Status = "STOPPED", "STOPPED" }) },
			Hang:     func() { c.Fail(ec2test.Fault{Hang: true}) },
			Faults:   c.faults(kind),
		}
	}
}

func (c *cloud) faults(kind string) []sourcetest.Fault {
	empty, object, html := "", "{}", "<html><body>Please log in.</body></html>"
	faults := map[string]ec2test.Fault{
		"throttled":            {Status: 400, Code: "ThrottlingException", Message: "Rate exceeded"},
		"no permission":        {Action: "DescribeTasks", Status: 400, Code: "AccessDeniedException"},
		"internal error":       {Action: "ListTasks", Status: 500, Code: "ServerException"},
		"expired":              {Status: 400, Code: "ExpiredTokenException", Message: "The security token included in the request is expired"},
		"cut off":              {Action: "DescribeTasks", Cut: 0.5},
		"cut off and complete": {Action: "DescribeTasks", Cut: 0.9, Clean: true},
		"empty body":           {Action: "ListTasks", Body: &empty},
		"empty object":         {Action: "ListTasks", Body: &object},
		"nothing described":    {Action: "DescribeTasks", Body: &object},
		"login page":           {Body: &html},
		"status 502":           {Status: http.StatusBadGateway, Body: &html},
		"EC2 down":             {Action: "DescribeInstances", Drop: true},
		"no interfaces":        {Action: "DescribeNetworkInterfaces", Status: 403, Code: "UnauthorizedOperation"},
		"services throttled":   {Action: "DescribeServices", Status: 400, Code: "ThrottlingException"},
		"no definition":        {Action: "DescribeTaskDefinition", Status: 400, Code: "AccessDeniedException"},
		"no machines":          {Action: "DescribeContainerInstances", Body: &object},
	}
	for name, f := range faults {
		if kind == "role" && f.Action != "" || kind == "clusters" && !strings.Contains(name, "off") && !strings.Contains(name, "object") {
			delete(faults, name) // asked already
		}
	}
	if kind == "role" {
		faults["STS down"] = ec2test.Fault{Action: "AssumeRole", Drop: true}
		faults["role denied"] = ec2test.Fault{Action: "AssumeRole", Status: 403, Code: "AccessDenied"}
	}
	var list []sourcetest.Fault
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		f := faults[name]
		list = append(list, sourcetest.Fault{Name: name, Break: func() {
			c.Fail(f)
			c.Expire() // roles have to be assumed anew
			c.newRevision()
		}, Mend: func() {
			c.Mend()
			c.EditTasks(func(t *ec2test.Task) { t.Revision, t.ContainerInstance = 1, "m" }, "b")
		}})
	}
	return list
}

// newRevision deploys the service on EC2 anew, on another machine: what does not
// change is not asked for again.
func (c *cloud) newRevision() {
	for _, account := range []string{ours, theirs} {
		for _, cluster := range []string{"a", "b"} {
			e := mixed(account, "us-east-1", cluster)
			e.TaskDefinitions[1].Revision, e.ContainerInstances[0].ID = 2, "m2"
			c.Run(ec2test.ECS{Account: account, Region: "us-east-1", Cluster: cluster, TaskDefinitions: e.TaskDefinitions, ContainerInstances: e.ContainerInstances})
		}
	}
	c.EditTasks(func(t *ec2test.Task) { t.Revision, t.ContainerInstance = 2, "m2" }, "b")
}
