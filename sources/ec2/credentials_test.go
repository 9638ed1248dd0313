package ec2

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcp-sd/mcp-sd/sources/amazon"
	"github.com/mcp-sd/mcp-sd/sources/ec2/ec2test"
)

// machine makes the cloud the instance that mcp-sd runs on.
func (c *cloud) machine(t *testing.T, m ec2test.Machine) {
	t.Helper()
	t.Setenv("AWS_EC2_METADATA_DISABLED", "")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", c.url)
	c.SetMachine(m)
}

// bare is a source that knows nothing of credentials and regions.
func (c *cloud) bare(t *testing.T, edit func(*Options)) *Source {
	t.Helper()
	return c.one(t, func(o *Options) {
		o.Region, o.AccessKey, o.SecretKey = "", "", ""
		if edit != nil {
			edit(o)
		}
	})
}

func inEU() ec2test.Instance {
	return ec2test.Instance{ID: "i-eu", Account: ours, Region: "eu-west-1", PrivateIP: "10.9.0.1"}
}

// Where nothing is configured, the instance's metadata service (version 2) gives
// the role's credentials and the region. The part is named without asking it.
func TestInstanceRole(t *testing.T) {
	c := newCloud(t)
	c.machine(t, ec2test.Machine{InstanceID: "i-me", Account: ours, Region: "eu-west-1", Role: "mcp-sd"})
	c.Launch(inEU())
	s := c.bare(t, nil)
	p := good(t, s)
	if p.Name != "auto" || addresses(p) != "10.9.0.1:80" || p.Raw[0].Labels.Get("region") != "eu-west-1" {
		t.Errorf("got %+v", p)
	}
	if len(c.Calls("PUT /latest/api/token")) == 0 {
		t.Error("the metadata service was not asked for a token")
	}
	before := len(c.Calls(""))
	good(t, s)
	if n := len(c.Calls("")) - before; n != 1 {
		t.Errorf("the second time took %d calls, want 1", n)
	}
	none := c.bare(t, nil)
	c.SetMachine(ec2test.Machine{})
	if p := only(t, none); amazon.ClassOf(p.Err) != amazon.NoRegion || !strings.Contains(p.Err.Error(), "set region") || p.Name != "auto" {
		t.Errorf("no region: %s %v", p.Name, p.Err)
	}
	c.SetMachine(ec2test.Machine{Region: "eu-west-1"})
	if p := only(t, none); amazon.ClassOf(p.Err) != amazon.NoCredentials || !strings.Contains(p.Err.Error(), "give the instance a role") {
		t.Errorf("no role: %v", p.Err)
	}
	c.SetMachine(ec2test.Machine{Account: ours, Region: "eu-west-1", Role: "late"})
	good(t, none)
}

// Credentials that expired are fetched anew within the same call, whatever end
// they were given (contract §4).
func TestExpiredCredentials(t *testing.T) {
	c := newCloud(t)
	c.machine(t, ec2test.Machine{Account: ours, Region: "eu-west-1", Role: "mcp-sd"})
	t.Setenv("AWS_ENDPOINT_URL_STS", c.url)
	c.AddRole(ec2test.Role{ARN: theirRole})
	c.Launch(inEU(), ec2test.Instance{ID: "i-theirs", Account: theirs, Region: "eu-west-1", PrivateIP: "10.8.0.1"})
	direct, assumed := c.bare(t, nil), c.bare(t, func(o *Options) { o.RoleARN = theirRole })
	for range 3 {
		good(t, direct)
		good(t, assumed)
		c.Expire()
	}
	for _, code := range []string{"ExpiredToken", "RequestExpired", "ExpiredTokenException"} {
		c.Fail(ec2test.Fault{Action: "DescribeInstances", Times: 1, Status: 400, Code: code})
		good(t, direct)
		// A second refusal is the answer; the time after that starts anew.
		c.Fail(ec2test.Fault{Action: "DescribeInstances", Times: 2, Status: 400, Code: code})
		if p := only(t, direct); amazon.ClassOf(p.Err) != amazon.ExpiredToken && amazon.ClassOf(p.Err) != amazon.RequestExpired {
			t.Errorf("%s twice: %v", code, p.Err)
		}
		good(t, direct)
	}
}

// Keys that expire by the clock are renewed before they do.
func TestShortSessions(t *testing.T) {
	c := newCloud(t)
	t.Setenv("AWS_ENDPOINT_URL_STS", c.url)
	c.AddRole(ec2test.Role{ARN: theirRole, Life: 30 * time.Second})
	c.Launch(ec2test.Instance{ID: "i-theirs", Account: theirs, Region: "us-east-1", PrivateIP: "10.8.0.1"})
	s := c.one(t, func(o *Options) { o.RoleARN = theirRole })
	good(t, s)
	good(t, s)
	if n := len(c.Calls("AssumeRole")); n != 2 {
		t.Errorf("a role whose session ends within the minute was assumed %d times, want 2", n)
	}
}

// Several accounts: each role in each region is a part, named by account and
// role; one that is revoked or never was fails alone, and says what to allow.
func TestRoles(t *testing.T) {
	c := newCloud(t)
	t.Setenv("AWS_ENDPOINT_URL_STS", c.url)
	const third = "arn:aws:iam::333333333333:role/reader"
	c.AddRole(ec2test.Role{ARN: theirRole, ExternalID: "secret", Trusts: []string{ours}})
	c.AddRole(ec2test.Role{ARN: third, ExternalID: "secret"})
	c.Launch(few()...) // of our own account, which is not listed
	c.Launch(
		ec2test.Instance{ID: "i-2", Account: theirs, Region: "us-east-1", PrivateIP: "10.2.0.1"},
		ec2test.Instance{ID: "i-3", Account: "333333333333", Region: "eu-west-1", PrivateIP: "10.3.0.1"},
	)
	s := c.build(t, func(o *Options) {
		o.RoleARNs, o.ExternalID, o.RoleSessionName = []string{third, theirRole}, "secret", "who-asks"
	})
	got := ""
	for _, p := range s.Discover(t.Context()).Parts {
		if p.Err != nil {
			t.Error(p.Err)
		}
		got += p.Name + ": " + addresses(p) + "\n"
	}
	const want = "222222222222:mcp-sd/eu-west-1: \n222222222222:mcp-sd/us-east-1: 10.2.0.1:80\n" +
		"333333333333:reader/eu-west-1: 10.3.0.1:80\n333333333333:reader/us-east-1: \n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	c.Revoke(third)
	for range 2 { // with the session that there was, and without one
		after := parts(t, s)
		if p := after["222222222222:mcp-sd/us-east-1"]; p.Err != nil {
			t.Errorf("the other account: %v", p.Err)
		}
		p := after["333333333333:reader/eu-west-1"]
		if amazon.ClassOf(p.Err) != amazon.Unauthorized || !strings.Contains(p.Err.Error(), "listing the instances of eu-west-1 as "+third+": ") {
			t.Errorf("the revoked role: %v", p.Err)
		}
	}
	if err := parts(t, s)["333333333333:reader/eu-west-1"].Err.Error(); !strings.Contains(err, "allow sts:AssumeRole on the role") {
		t.Errorf("it does not say what to allow: %s", err)
	}
	c.AddRole(ec2test.Role{ARN: third})
	if p := parts(t, s)["333333333333:reader/eu-west-1"]; p.Err != nil {
		t.Errorf("allowed again: %v", p.Err)
	}
	wrong := c.one(t, func(o *Options) { o.RoleARN, o.ExternalID = theirRole, "wrong" })
	if p := only(t, wrong); amazon.ClassOf(p.Err) != amazon.Unauthorized || strings.Contains(p.Err.Error(), "wrong") {
		t.Errorf("a wrong external_id: %v", p.Err)
	}
}

// write puts a file into a directory of its own.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The chain that all AWS tools have: environment, profile, web identity.
func TestCredentialChain(t *testing.T) {
	const keys = "aws_access_key_id = " + accessKey + "\naws_secret_access_key = " + secretKey + "\n"
	role := "arn:aws:iam::" + ours + ":role/web"
	for name, prepare := range map[string]func(t *testing.T, c *cloud, o *Options){
		"environment": func(t *testing.T, _ *cloud, _ *Options) {
			t.Setenv("AWS_ACCESS_KEY_ID", accessKey)
			t.Setenv("AWS_SECRET_ACCESS_KEY", secretKey)
			t.Setenv("AWS_REGION", "eu-west-1")
		},
		"default profile": func(t *testing.T, _ *cloud, _ *Options) {
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", write(t, "credentials", "[default]\n"+keys))
			t.Setenv("AWS_CONFIG_FILE", write(t, "config", "[default]\nregion = eu-west-1\n"))
		},
		"profile": func(t *testing.T, _ *cloud, o *Options) {
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", write(t, "credentials", "[fleet]\n"+keys))
			t.Setenv("AWS_CONFIG_FILE", write(t, "config", "[profile fleet]\nregion = eu-west-1\n"))
			o.Profile = "fleet"
		},
		"profile with a role": func(t *testing.T, c *cloud, o *Options) {
			t.Setenv("AWS_ENDPOINT_URL_STS", c.url)
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", write(t, "credentials", "[base]\n"+keys))
			t.Setenv("AWS_CONFIG_FILE", write(t, "config", "[profile fleet]\nregion = eu-west-1\nsource_profile = base\nrole_arn = "+role+"\n"))
			o.Profile = "fleet"
		},
		"web identity": func(t *testing.T, c *cloud, _ *Options) {
			t.Setenv("AWS_ENDPOINT_URL_STS", c.url)
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", write(t, "token", "good"))
			t.Setenv("AWS_ROLE_ARN", role)
			t.Setenv("AWS_REGION", "eu-west-1")
		},
		"web identity, region in the options": func(t *testing.T, c *cloud, o *Options) {
			t.Setenv("AWS_ENDPOINT_URL_STS", c.url)
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", write(t, "token", "good"))
			t.Setenv("AWS_ROLE_ARN", role)
			o.Region = "eu-west-1"
		},
		"secret key in a file": func(t *testing.T, _ *cloud, o *Options) {
			o.Region, o.AccessKey, o.SecretKeyFile = "eu-west-1", accessKey, write(t, "key", secretKey+"\n")
		},
	} {
		for _, bundle := range []string{"", "/etc/ssl/certs/ca-certificates.crt"} {
			t.Run(name+bundle, func(t *testing.T) {
				c := newCloud(t)
				c.AddRole(ec2test.Role{ARN: role})
				c.TrustWebIdentity("good")
				c.Launch(inEU())
				if bundle != "" {
					t.Setenv("AWS_CA_BUNDLE", write(t, "ca.pem", certificate))
				}
				s := c.bare(t, func(o *Options) { prepare(t, c, o) })
				if got := addresses(good(t, s)); got != "10.9.0.1:80" {
					t.Errorf("got %q", got)
				}
			})
		}
	}
}

// Keys that were replaced, wherever they are written, are read again once AWS
// refuses the old ones.
func TestRotatedKeys(t *testing.T) {
	c := newCloud(t)
	c.Launch(inEU())
	secretFile, profile := write(t, "key", secretKey), write(t, "credentials", "[default]\naws_access_key_id = old\naws_secret_access_key = x\n")
	c.AddKey("old", "x", ours)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", profile)
	ofFile := c.bare(t, func(o *Options) { o.Region, o.AccessKey, o.SecretKeyFile = "eu-west-1", accessKey, secretFile })
	ofProfile := c.bare(t, func(o *Options) { o.Region = "eu-west-1" })
	good(t, ofFile)
	good(t, ofProfile)
	c.AddKey(accessKey, "new", ours)
	c.RemoveKey("old")
	c.AddKey("new", "y", ours)
	for _, s := range []*Source{ofFile, ofProfile} {
		if p := only(t, s); amazon.ClassOf(p.Err) != amazon.AuthFailure || !strings.Contains(p.Err.Error(), "AuthFailure: AWS was not able to validate") {
			t.Errorf("old keys: %v", p.Err)
		}
	}
	replace(t, secretFile, "new")
	replace(t, profile, "[default]\naws_access_key_id = new\naws_secret_access_key = y\n")
	for _, s := range []*Source{ofFile, ofProfile} {
		good(t, s)
	}
	if err := os.Remove(secretFile); err != nil {
		t.Fatal(err)
	}
	c.RemoveKey(accessKey)
	only(t, ofFile) // with the key that was read
	if p := only(t, ofFile); amazon.ClassOf(p.Err) != amazon.Misconfigured || !strings.Contains(p.Err.Error(), secretFile) {
		t.Errorf("the file is gone: %v", p.Err)
	}
}

func replace(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A machine whose clock is wrong by hours lists all the same: the time that AWS
// gives is believed. Where that does not help either, the error says to look.
func TestWrongClock(t *testing.T) {
	c := newCloud(t)
	c.Launch(inEU())
	ahead := func() time.Time { return time.Now().Add(3 * time.Hour) }
	c.Now = ahead
	s := c.build(t, func(o *Options) { o.Regions = []string{"eu-west-1"} })
	good(t, s)
	c.Fail(ec2test.Fault{Status: 400, Code: "RequestExpired", Message: "Request has expired."})
	if p := only(t, s); amazon.ClassOf(p.Err) != amazon.RequestExpired || !strings.Contains(p.Err.Error(), "check the clock of this machine") {
		t.Errorf("got %v", p.Err)
	}
}

// Neither the proxy nor the passwords of the configuration are shown to the
// metadata service, which is asked directly.
func TestMetadataIsAskedDirectly(t *testing.T) {
	c := newCloud(t)
	c.machine(t, ec2test.Machine{Account: ours, Region: "eu-west-1", Role: "mcp-sd"})
	c.Launch(inEU())
	var viaProxy []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		viaProxy = append(viaProxy, r.Method+" "+r.URL.Path)
		c.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	o := parse(t, "endpoint: http://ec2.eu-west-1.amazonaws.com\nproxy_url: "+proxy.URL+"\nbasic_auth: {username: u, password: p}\n")
	s := newSource(t, o)
	good(t, s)
	if len(viaProxy) == 0 || slices.ContainsFunc(viaProxy, func(r string) bool { return r != "POST /" }) {
		t.Errorf("through the proxy: %q", viaProxy)
	}
}
