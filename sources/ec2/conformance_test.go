package ec2

import (
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
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
	c.AddKey(accessKey, secretKey, ours)
	return c
}

// isolate hides the environment and the home of who runs the test.
func isolate(tb testing.TB) {
	tb.Helper()
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION",
		"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_STS", "AWS_CA_BUNDLE", "AWS_ROLE_ARN",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
		"AWS_MAX_ATTEMPTS", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
	} {
		tb.Setenv(name, "")
	}
	tb.Setenv("HOME", tb.TempDir())
	tb.Setenv("AWS_CONFIG_FILE", tb.TempDir()+"/config")
	tb.Setenv("AWS_SHARED_CREDENTIALS_FILE", tb.TempDir()+"/credentials")
	tb.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

const (
	testTimeout  = 5 * time.Minute // machines are busy, and reading XML under the race detector is slow
	testInterval = 50 * time.Millisecond
)

// build makes a source that asks the cloud with our key, in two regions.
func (c *cloud) build(tb testing.TB, edit func(*Options)) *Source {
	tb.Helper()
	o := Default()
	o.Endpoint, o.Regions = c.url, []string{"us-east-1", "eu-west-1"}
	o.AccessKey, o.SecretKey = accessKey, secretKey
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

// few are instances of ours in two regions.
func few() []ec2test.Instance {
	return append(ec2test.Fleet(ours, "us-east-1", 3), ec2test.Instance{
		ID: "i-eu", Account: ours, Region: "eu-west-1", PrivateIP: "10.9.0.1", Zone: "eu-west-1a",
	})
}

// TestConformance asks what every mechanism promises (contract §4), of regions
// that are asked directly and of an account whose role is assumed.
func TestConformance(t *testing.T) {
	t.Run("regions", func(t *testing.T) { sourcetest.Run(t, backend(nil)) })
	t.Run("role", func(t *testing.T) {
		sourcetest.Run(t, backend(func(o *Options) { o.RoleARN, o.ExternalID = theirRole, "secret" }))
	})
}

func backend(edit func(*Options)) sourcetest.Setup {
	return func(tb testing.TB) sourcetest.Backend {
		tb.Helper()
		c := newCloud(tb)
		tb.Setenv("AWS_ENDPOINT_URL_STS", c.url)
		tb.Setenv("AWS_MAX_ATTEMPTS", "1") // what is retried is tested elsewhere
		c.AddRole(ec2test.Role{ARN: theirRole, ExternalID: "secret", Trusts: []string{ours}})
		instances := few()
		if edit != nil {
			for i := range instances {
				instances[i].Account = theirs
			}
		}
		c.Launch(instances...)
		return sourcetest.Backend{
			New:      func() target.Source { return c.build(tb, edit) },
			Interval: testInterval,
			Change:   func() { c.Update(instances[0].ID, func(i *ec2test.Instance) { i.Tags["version"] = "v2" }) },
			Empty: func() {
				for _, i := range instances {
					c.Update(i.ID, func(i *ec2test.Instance) { i.State = "terminated" })
				}
			},
			Hang:   func() { c.Fail(ec2test.Fault{Hang: true}) },
			Faults: c.faults(edit != nil),
		}
	}
}

func (c *cloud) faults(role bool) []sourcetest.Fault {
	empty, html := "", "<html><body>Please log in.</body></html>"
	faults := map[string]ec2test.Fault{
		"throttled":            {Status: 503, Code: "RequestLimitExceeded", Message: "Request limit exceeded."},
		"one region down":      {Region: "eu-west-1", Drop: true},
		"no permission":        {Action: "DescribeInstances", Status: 403, Code: "UnauthorizedOperation"},
		"internal error":       {Region: "us-east-1", Status: 500, Code: "InternalError"},
		"expired":              {Status: 400, Code: "RequestExpired", Message: "Request has expired."},
		"cut off":              {Region: "us-east-1", Cut: 0.5},
		"cut off and complete": {Region: "us-east-1", Cut: 0.9, Clean: true},
		"empty body":           {Region: "us-east-1", Body: &empty},
		"login page":           {Region: "us-east-1", Body: &html},
		"status 502":           {Status: http.StatusBadGateway, Body: &html},
	}
	if role {
		faults = map[string]ec2test.Fault{
			"STS down":      {Action: "AssumeRole", Drop: true},
			"STS throttles": {Action: "AssumeRole", Status: 400, Code: "Throttling"},
			"role denied":   {Action: "AssumeRole", Status: 403, Code: "AccessDenied"},
			"STS cut off":   {Action: "AssumeRole", Cut: 0.5},
		}
	}
	var list []sourcetest.Fault
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		f := faults[name]
		list = append(list, sourcetest.Fault{Name: name, Break: func() {
			c.Fail(f)
			c.Expire() // roles have to be assumed anew
		}, Mend: c.Mend})
	}
	return list
}
