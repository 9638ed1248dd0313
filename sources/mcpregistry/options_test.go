package mcpregistry

import (
	"fmt"
	"strings"
	"testing"

	promconfig "github.com/prometheus/common/config"
)

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		change func(*Options)
		want   string
	}{
		{func(*Options) {}, ""},
		{func(o *Options) { o.Server = "http://[2001:db8::1]:8080/a/v0.1/" }, ""},
		{func(o *Options) { o.Server = "" }, "server: is empty"},
		{func(o *Options) { o.Server = "registry.example.com" }, `server: "registry.example.com" is no http or https URL`},
		{func(o *Options) { o.Server = "https://" }, "server: \"https://\" is no http or https URL"},
		{func(o *Options) { o.Server = "https://a/?limit=1" }, "has more than a path"},
		{func(o *Options) { o.Server = "https://a/v0.1/servers/" }, "take /v0.1/servers off"},
		{func(o *Options) { o.Server = "https://me:hunter2@a" }, "server: credentials in a URL would show in logs"},
		{func(o *Options) { o.NameRegex = "a)|(b" }, "name_regex: error parsing regexp"},
		{func(o *Options) { o.Versions = "1.0.0" }, `versions: "1.0.0" is unknown`},
		{func(o *Options) { o.HTTPClientConfig.BearerToken, o.HTTPClientConfig.BearerTokenFile = "a", "b" }, "bearer_token: at most one"},
	} {
		o := Default()
		o.Server = "https://registry.example.com"
		tc.change(o)
		got := fmt.Sprint(o.Validate())
		if tc.want == "" && got != "[]" || !strings.Contains(got, tc.want) || strings.Contains(got, "hunter2") {
			t.Errorf("got %s, want %q", got, tc.want)
		}
	}
}

// Contract §6: credentials and settings of the HTTP client decide nothing of
// what is listed.
func TestFingerprint(t *testing.T) {
	of := func(change func(*Options)) string {
		o := Default()
		o.Server = "https://registry.example.com"
		change(o)
		return o.Fingerprint()
	}
	same := of(func(*Options) {})
	for i, tc := range []struct {
		change  func(*Options)
		changes bool
	}{
		{func(o *Options) { o.Server += "/" }, false},
		{func(o *Options) { o.HTTPClientConfig.BasicAuth = &promconfig.BasicAuth{Username: "a"} }, false},
		{func(o *Options) { o.Server += "/a" }, true},
		{func(o *Options) { o.NameRegex = "a" }, true},
		{func(o *Options) { o.Search = "abc" }, true},
		{func(o *Options) { o.Versions = allVersions }, true},
		{func(o *Options) { o.IncludeDeprecated = false }, true},
	} {
		if got := of(tc.change); (got != same) != tc.changes {
			t.Errorf("%d: fingerprint changes: %t, want %t", i, got != same, tc.changes)
		}
	}
}
