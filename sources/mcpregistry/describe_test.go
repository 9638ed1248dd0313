package mcpregistry

import (
	"strings"
	"testing"

	"github.com/mcp-sd/mcp-sd/sources/mcpregistry/registrytest"
	"github.com/mcp-sd/mcp-sd/target"
)

// Contract §4, §7: a remote's address is its URL's host with the port of its
// scheme; what can be no target is left out with a reason, and costs no other.
func TestRemotes(t *testing.T) {
	for url, want := range map[string]string{
		"https://a.example.com/mcp":            "a.example.com:443 https /mcp https://a.example.com/mcp",
		"http://a.example.com":                 "a.example.com:80 http / http://a.example.com/",
		"HTTPS://A.Example.com:8443/x/%2Fmcp/": "a.example.com:8443 https /x/%2Fmcp/ https://A.Example.com:8443/x/%2Fmcp/",
		"http://[2001:db8::1]/sse":             "[2001:db8::1]:80 http /sse http://[2001:db8::1]/sse",
		"https://me:hunter2@a/mcp?key=hunter2": "a:443 https /mcp https://a/mcp",
		"https://{tenant_id}.example.com/mcp":  urlTemplate,
		"{base}/mcp":                           urlTemplate,
		"https://a.example.com/{tenant}/mcp":   urlTemplate,
		"wss://a.example.com/mcp":              badURL,
		"a.example.com:443":                    badURL,
		"https:///mcp":                         badURL,
		"https://a.example.com:port/":          badURL,
		"":                                     badURL,
	} {
		r := newRegistry(t, at("com.example/a", "1", url), at("com.example/b", "1", "http://b/"))
		p := good(t, r.source(nil))
		var got string
		if len(p.Rejected) > 0 {
			got = p.Rejected[0].Reason
		} else {
			l := p.Raw[0].Labels
			got = strings.Join([]string{
				l.Get(target.AddressLabel), l.Get(metaPrefix + "remote_scheme"), l.Get(metaPrefix + "remote_path"), l.Get(metaPrefix + "remote_url"),
			}, " ")
		}
		if got != want || p.Raw[len(p.Raw)-1].Labels.Get(target.AddressLabel) != "b:80" {
			t.Errorf("%s: %s, want %s; listed are %v", url, got, want, p.Raw)
		}
	}
}

// Which servers count, by name and status.
func TestSelection(t *testing.T) {
	r := newRegistry(t, three()...)
	r.Publish(at("net.evil/com.example", "1", "https://evil.example.net/mcp"), at("com.example/time", "2.0.0", "https://time.example.com/mcp"))
	r.Publish(at("com.example/time", "3.0.0", "https://time3.example.com/mcp"))
	r.SetStatus("com.example/web", "1.0.0", "deprecated")
	r.SetStatus("com.example/weather", "2.1.0", "deleted")
	for _, tc := range []struct {
		edit func(*Options)
		want string
	}{
		{nil, "time 3.0.0 https://time3.example.com/mcp\nweb 1.0.0 https://web.example.com/mcp\nnet.evil/com.example 1 https://evil.example.net/mcp"},
		{func(o *Options) { o.NameRegex, o.IncludeDeprecated = `com\.example/.*`, false }, "time 3.0.0 https://time3.example.com/mcp"},
		{func(o *Options) { o.Search = "Example/we" }, "web 1.0.0 https://web.example.com/mcp"},
		// Of versions at the same URL, the newest.
		{func(o *Options) { o.Versions, o.NameRegex = allVersions, `com\.example/time` }, "time 3.0.0 https://time3.example.com/mcp\ntime 2.0.0 https://time.example.com/mcp"},
	} {
		s := r.source(tc.edit)
		good(t, s)
		if got := listed(s); got != tc.want {
			t.Errorf("listed are\n%s\nwant\n%s", got, tc.want)
		}
	}
}

// The standard labels come from the publisher's own words (contract §4); what is
// nested there, or no object at all, is none.
func TestPublisher(t *testing.T) {
	server := at("com.example/a", "1.2.3", "https://a/mcp")
	server.Publisher = map[string]any{"env": "staging", "region": "eu-1", "a-b": 1.5, "a.b": "x", "on": true, "build": map[string]any{"environment": "no"}, "list": []int{1}, "none": nil}
	r := newRegistry(t, server, registrytest.Server{Name: "com.example/b", Version: "1", Remotes: []registrytest.Remote{{URL: "http://b"}}})
	l := good(t, r.source(nil)).Raw[0].Labels
	for name, want := range map[string]string{
		"environment": "staging", "region": "eu-1", "version": "1.2.3",
		metaPrefix + "publisher_a_b": "1.5", metaPrefix + "publisher_on": "true", metaPrefix + "publisher_build": "", metaPrefix + "publisher_list": "",
	} {
		if got := l.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
