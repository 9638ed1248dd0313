package health

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/units"
	"github.com/google/go-cmp/cmp"
	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/mcp-sd/mcp-sd/target"
)

func decode(t testing.TB, o Options, text string) Options {
	t.Helper()
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&o); err != nil {
		t.Fatal(err)
	}
	return o
}

// client is an http_client section.
func client(t testing.TB, section string) promconfig.HTTPClientConfig {
	t.Helper()
	return decode(t, DefaultOptions(), "http_client: {"+section+"}").HTTPClient
}

// The defaults are those of contract §3, word for word.
func TestDefaults(t *testing.T) {
	got := decode(t, Options{}, `
enabled: true
scheme: http
path: /metrics
interval: 30s
timeout: 10s
rise: 2
fall: 3
concurrency: 256
body_limit: 10MiB
require_metrics: []
admit: on_success
admit_timeout: 5m
drop_after: 0s
linger: 10m
allow_cidrs: []
http_client: {}
`)
	got.RequireMetrics, got.AllowCIDRs = nil, nil
	if got, want := toYAML(t, got), toYAML(t, DefaultOptions()); got != want {
		t.Errorf("defaults differ from contract §3:\n%s", cmp.Diff(want, got))
	}
	if errs := DefaultOptions().Validate(); errs != nil {
		t.Error(errs)
	}
}

func toYAML(t *testing.T, o Options) string {
	t.Helper()
	b, err := yaml.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTimeoutFollowsInterval(t *testing.T) {
	global := DefaultOptions()
	global.Interval, global.Timeout = model.Duration(time.Minute), model.Duration(20*time.Second)
	for _, tc := range []struct {
		section string
		want    time.Duration
	}{
		{"interval: 5s", 5 * time.Second},
		{"interval: 30s", 20 * time.Second},
		{"rise: 1", 20 * time.Second},
		{"{interval: 5s, timeout: 6s}", 6 * time.Second}, // an error for Validate to tell
		{"{interval: 5s, timeout: 0s}", 0},
		{"{interval: 0s}", 20 * time.Second},
	} {
		if got := time.Duration(decode(t, global, tc.section).Timeout); got != tc.want {
			t.Errorf("%s: timeout %s, want %s", tc.section, got, tc.want)
		}
	}
}

// A source's section overrides key by key (contract §3), and leaves the global
// section as it was.
func TestOverride(t *testing.T) {
	global := decode(t, DefaultOptions(), "{path: /m, allow_cidrs: [10.0.0.0/8], http_client: {basic_auth: {username: u}}}")
	source := decode(t, global, "{allow_cidrs: [127.0.0.0/8], http_client: {follow_redirects: false}}")
	if source.Path != "/m" || source.AllowCIDRs[0] != "127.0.0.0/8" || source.HTTPClient.BasicAuth != nil || source.HTTPClient.FollowRedirects {
		t.Errorf("%+v", source)
	}
	if global.AllowCIDRs[0] != "10.0.0.0/8" || global.HTTPClient.BasicAuth.Username != "u" || !global.HTTPClient.FollowRedirects {
		t.Errorf("the global section changed: %+v", global)
	}
}

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.Scheme = "ftp" }, `scheme: "ftp" is neither http nor https`},
		{func(o *Options) { o.Path = "metrics" }, `path: "metrics" does not begin with /: write a path such as /metrics`},
		{func(o *Options) { o.Interval = 0 }, "interval: must be longer than 0s: write a duration such as 30s"},
		{func(o *Options) { o.Timeout = 0 }, "timeout: must be longer than 0s: write a duration such as 10s"},
		{func(o *Options) { o.Timeout = o.Interval + 1e9 }, "timeout: 31s is longer than interval (30s): a probe must end before the next one begins"},
		{func(o *Options) { o.Rise = 0 }, "rise: 0 is too few: write 1 or more"},
		{func(o *Options) { o.Fall = -1 }, "fall: -1 is too few: write 1 or more"},
		{func(o *Options) { o.Concurrency = 0 }, "concurrency: 0 is too few: write 1 or more"},
		{func(o *Options) { o.BodyLimit = 0 }, "body_limit: must be more than 0B: write a size such as 10MiB"},
		{requires("a", "a{b=\"c\"}", "a"), "require_metrics[1]: \"a{b=\\\"c\\\"}\" is no metric name: write a bare name such as mcp_server_sessions, without labels\n" +
			`require_metrics[2]: "a" is there twice`},
		{requires("mcp.sessions", ""), `require_metrics[1]: "" is no metric name: write a bare name such as mcp_server_sessions, without labels`},
		{func(o *Options) { o.Admit = "never" }, `admit: "never" is unknown: write on_success or always`},
		{func(o *Options) { o.Linger = -1 }, "linger: -1ns is negative: write 0s or longer"},
		{
			func(o *Options) { o.AllowCIDRs = []string{"10.0.0.0/8", "10.0.0.1", "10/8", "::ffff:10.0.0.0/104"} },
			"allow_cidrs[1]: \"10.0.0.1\" is an address, not a range: write 10.0.0.1/32\n" +
				"allow_cidrs[2]: \"10/8\" is no address range: write one such as 10.0.0.0/8 or 2001:db8::/32\n" +
				`allow_cidrs[3]: "::ffff:10.0.0.0/104" is an IPv4 range in IPv6 clothes: write it as IPv4, such as 10.0.0.0/8`,
		},
		{func(o *Options) { o.HTTPClient.NoProxy = "x" }, "http_client: if no_proxy is configured, proxy_url must also be configured"},
		{func(o *Options) { o.Rise, o.Fall = 0, 0 }, "rise: 0 is too few: write 1 or more\nfall: 0 is too few: write 1 or more"},
	} {
		o := DefaultOptions()
		tc.change(&o)
		var got []string
		for _, e := range o.Validate() {
			got = append(got, e.Error())
		}
		if diff := cmp.Diff(tc.want, strings.Join(got, "\n")); diff != "" {
			t.Error(diff)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	if got := decode(t, DefaultOptions(), "body_limit: 512KiB").BodyLimit; got != 512*units.KiB {
		t.Error(got)
	}
}

// Loopback is for static sources, or where allow_cidrs has it (contract §7).
func TestPolicy(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	o := DefaultOptions()
	if err := o.Policy(false).Check(loopback); !errors.Is(err, target.ErrDenied) {
		t.Errorf("discovered loopback: %v", err)
	}
	if err := o.Policy(true).Check(loopback); err != nil {
		t.Error(err)
	}
	o.AllowCIDRs = []string{"127.1.2.3/8"}
	if err := o.Policy(false).Check(loopback); err != nil {
		t.Error(err)
	}
	if err := o.Policy(true).Check(netip.MustParseAddr("10.0.0.1")); !errors.Is(err, target.ErrDenied) {
		t.Errorf("outside allow_cidrs: %v", err)
	}
}

func TestSetDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pw"), []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := decode(t, DefaultOptions(), "http_client: {basic_auth: {username: u, password_file: pw}}")
	o.SetDirectory(dir)
	if got := o.HTTPClient.BasicAuth.PasswordFile; got != filepath.Join(dir, "pw") {
		t.Error(got)
	}
}
