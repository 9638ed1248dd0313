package target

import (
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/util/strutil"
)

// Contract §7: addresses are host:port, IPv6 bracketed, no slash, no space.
func TestCheckAddress(t *testing.T) {
	for addr, want := range map[string]string{
		"10.0.0.1:3000":                    "",
		"mcp-1.example.com:8080":           "",
		"mcp_1.node.consul.:8080":          "",
		"MCP:1":                            "",
		"localhost:65535":                  "",
		"web.42:80":                        "",
		"xn--bcher-kva.example:80":         "",
		"[2001:db8::1]:9090":               "",
		"[::ffff:10.0.0.1]:80":             "",
		"":                                 "no port",
		":80":                              "host is empty",
		"10.0.0.1":                         "no port",
		"10.0.0.1:":                        "port",
		"10.0.0.1:0":                       "port",
		"10.0.0.1:65536":                   "port",
		"10.0.0.1:+80":                     "port",
		"10.0.0.1:http":                    "port",
		"10.0.0.1:000080":                  "port",
		"2001:db8::1:9090":                 "write [2001:db8::1:9090]:PORT",
		"2001:db8::1":                      "write [2001:db8::1]:PORT",
		"[2001:db8::1]":                    "write [2001:db8::1]:PORT",
		"fe80::1%eth0":                     "no port",
		"[fe80::1%eth0]:80":                "zone",
		"[10.0.0.1]:80":                    "no IPv6 address",
		"[example.com]:80":                 "no IPv6 address",
		"[]:80":                            "no IPv6 address",
		"[::1]x:80":                        "no port",
		"1:2:80x:":                         "IPv6 as [address]:port",
		"http://10.0.0.1:80":               "slash",
		"10.0.0.1:80/metrics":              "slash",
		"10.0.0.1 :80":                     "space",
		"10.0.0.1:80\n":                    "port",
		"a\tb:80":                          "host name has",
		"user@host:80":                     "host name has",
		"host?x:80":                        "host name has",
		"host#x:80":                        "host name has",
		"%{HOME}:80":                       "host name has",
		"bücher.example:80":                "xn--",
		"a\u202eb:80":                      "host name has",
		"\ufeffa:80":                       "host name has",
		"a\xff:80":                         "host name has",
		"a..b:80":                          "part",
		".a:80":                            "part",
		"-a:80":                            "part",
		"a-.b:80":                          "part",
		strings.Repeat("a", 64) + ":80":    "part",
		strings.Repeat("a.", 127) + "a:80": "longer",
		"256.0.0.1:80":                     "numeric",
		"010.0.0.1:80":                     "numeric",
		"0xa9fea9fe:80":                    "numeric",
		"2852039166:80":                    "numeric",
		"10.1:80":                          "numeric",
		"99999999999:80":                   "numeric",
	} {
		expect(t, addr, CheckAddress(addr), want)
	}
}

// What passes is the host of the URL that Prometheus builds from it.
func FuzzCheckAddress(f *testing.F) {
	for _, s := range []string{"10.0.0.1:80", "[::1]:80", "a.b:1", "a:80?x", "[fe80::1%25a]:80", "a b:1", "0x7f.1:80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, addr string) {
		if CheckAddress(addr) != nil {
			return
		}
		u, err := url.Parse(Key{Scheme: "http", Address: addr, Path: "/metrics"}.URL())
		if err != nil || u.Host != addr || u.Path != "/metrics" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("%q became %v (%v)", addr, u, err)
		}
		if CheckLabelValue(addr) != nil {
			t.Errorf("%q is no label value", addr)
		}
	})
}

// Contract §7: names match [a-zA-Z_][a-zA-Z0-9_]*.
func TestCheckLabelName(t *testing.T) {
	for name, want := range map[string]string{
		"a": "", "_": "", "A9_z": "", "__scheme__": "",
		"": "no label name", "9a": "no label name", "a-b": "no label name", "a.b": "no label name",
		"ä": "no label name", "a b": "no label name", "a\n": "no label name", "a\x00": "no label name",
	} {
		expect(t, name, CheckLabelName(name), want)
	}
}

// Contract §7: values are valid UTF-8, at most 1,024 bytes, without control
// characters or %{.
func TestCheckLabelValue(t *testing.T) {
	for v, want := range map[string]string{
		"":                        "",
		"production":              "",
		"../../etc/cron.d/x":      "", // the writer keeps it out of file names
		"${HOME} $1 {{ . }} %":    "",
		"naïve 日本 👩‍💻":            "", // joiners are format characters
		"a\u202eb":                "", // Cf, not Cc
		"\ufeffbom":               "",
		strings.Repeat("x", 1024): "",
		strings.Repeat("x", 1025): "1025 bytes long",
		"a\xffb":                  "UTF-8",
		"a\nb":                    "control character",
		"a\rb":                    "control character",
		"a\tb":                    "control character",
		"a\x00":                   "control character",
		"\x1b[31m":                "control character",
		"a\x7f":                   "control character",
		"a\u0085b":                "control character",
		"%{HOME}":                 "expand",
		"a%%{x":                   "expand",
	} {
		expect(t, v, CheckLabelValue(v), want)
	}
}

// Contract §7: what the operator may set, and what nobody may.
func TestCheckOperatorLabel(t *testing.T) {
	for _, tc := range []struct{ name, value, want string }{
		{"environment", "production", ""},
		{"job", "mcp", ""},
		{"instance", "x", ""},
		{"__scheme__", "https", ""},
		{"__metrics_path__", "/m", ""},
		{"__param_module", "x", ""},
		{"__scrape_interval__", "1m", ""},
		{"__scrape_timeout__", "10s", ""},
		{"__meta_x", "y", ""},
		{"__tmp_x", "y", ""},
		{"__tmphash", "y", ""},
		{"__scheme__", "", ""}, // not set
		{"a.b", "", "no label name"},
		{"a", "%{x}", "expand"},
		{"__scheme__", "ftp", "http or https"},
		{"__scheme__", "HTTP", "http or https"},
		{"__metrics_path__", "m", "begin with /"},
		{"__scrape_interval__", "10", "no duration"},
		{"__scrape_interval__", "0s", "can't be 0"},
		{"__scrape_timeout__", "-1s", "no duration"},
		{"__param_", "x", "reserved label"},
		{"__address__", "10.0.0.1:80", "reserved label"},
		{"__unix_socket__", "/run/docker.sock", "reserved label"},
		{"__metric_path__", "/m", "reserved label"},
		{"__name__", "up", "reserved label"},
		{"__meta_mcp_sd_health", "up", "reserved label"},
	} {
		expect(t, tc.name+"="+tc.value, CheckOperatorLabel(tc.name, tc.value), tc.want)
	}
}

func FuzzSanitizeLabelName(f *testing.F) {
	for _, s := range []string{"", "a.b", "naïve", "\xff\xfe", "日本", "A_9", "aws:cloudformation:stack-name"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := SanitizeLabelName(s), strutil.SanitizeLabelName(s); got != want {
			t.Errorf("%q became %q, Prometheus makes %q", s, got, want)
		}
	})
}

func expect(t *testing.T, what string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%q: unexpected error: %v", what, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%q: got %v, want an error with %q", what, err, want)
	}
}
