package prometheus

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/discovery"
)

// Contract §3: what does not belong here, or is not there, is said with its key
// and with what to do.
func TestValidate(t *testing.T) {
	for name, tc := range map[string]struct {
		o    Options
		want string
	}{
		"nothing":           {Options{}, ": has no list: write one of Prometheus' *_sd_configs"},
		"not linked":        {Options{Azure: []Item{{}}}, "azure_sd_configs: this mcp-sd was built without it: build it with -tags=enable_azure_sd"},
		"by another name":   {Options{DockerSwarm: []Item{}}, "dockerswarm_sd_configs: this mcp-sd was built without it: build it with -tags=enable_moby_sd"},
		"consul":            {Options{Configs: discovery.Configs{&script{name: "consul"}}}, "consul_sd_configs: mcp-sd has its own: put one item of the list under consul"},
		"static":            {Options{Configs: discovery.Configs{discovery.StaticConfig{}}}, "static_configs: mcp-sd has its own: put the list under static.targets"},
		"file":              {Options{Configs: discovery.Configs{&script{name: "file"}}}, "file_sd_configs: mcp-sd has its own: put the files under static.files"},
		"kubernetes":        {Options{Configs: discovery.Configs{&script{name: "kubernetes"}}}, "kubernetes_sd_configs: mcp-sd can't discover that way"},
		"what is all right": {Options{Configs: discovery.Configs{&script{name: "dns"}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, e := range tc.o.Validate() {
				got = append(got, e.Error())
			}
			if all := strings.Join(got, "\n"); !strings.HasPrefix(all, tc.want) || (tc.want == "") != (all == "") {
				t.Errorf("got %q, want %q", all, tc.want)
			}
		})
	}
}

// Contract §6: what decides what is listed, and nothing else.
func TestFingerprint(t *testing.T) {
	const base = "http_sd_configs: [{url: 'http://a/sd'}]"
	for text, changes := range map[string]bool{
		base: false,
		"http_sd_configs: [{url: 'http://a/sd', refresh_interval: 5s, basic_auth: {username: a, password: b}, follow_redirects: false}]": false,
		"http_sd_configs: [{url: 'http://a/sd', tls_config: {ca_file: /x}, bearer_token: abc}]":                                          false,
		"http_sd_configs: [{url: 'http://b/sd'}]":                       true,
		"http_sd_configs: [{url: 'http://a/sd'}, {url: 'http://b/sd'}]": true,
	} {
		if got := options(t, text).Fingerprint() != options(t, base).Fingerprint(); got != changes {
			t.Errorf("%s: changed is %t", text, got)
		}
	}
}

func TestRefreshInterval(t *testing.T) {
	o := options(t, "http_sd_configs: [{url: 'http://a/sd', refresh_interval: 5m}, {url: 'http://b/sd'}]")
	if got := o.RefreshInterval(); got != 5*time.Minute {
		t.Errorf("got %s", got)
	}
	if got := durationOf(discovery.StaticConfig{}, "refresh_interval"); got != 0 {
		t.Errorf("got %s", got)
	}
}

// Relative paths start at the configuration file, and each item is found by what
// looks at secret files.
func TestBlocks(t *testing.T) {
	o := options(t, "http_sd_configs: [{url: 'http://a/sd'}, {url: 'http://b/sd', authorization: {credentials_file: token}}]")
	o.SetDirectory("/etc/mcp-sd")
	var fields []string
	for field, block := range o.Blocks() {
		fields = append(fields, field)
		if block == nil {
			t.Error("no options of", field)
		}
	}
	if got := strings.Join(fields, " "); got != "http_sd_configs[0] http_sd_configs[1]" {
		t.Errorf("fields %s", got)
	}
	if o.numbered()[1].part() != "http[1]" {
		t.Error("the part is called", o.numbered()[1].part())
	}
}

// A failure keeps what it came of.
func TestFailure(t *testing.T) {
	cause := errors.New("x")
	if f := (&Failure{Silent, cause}); !errors.Is(f, cause) || f.Reason() != "silent" {
		t.Error(f)
	}
}
