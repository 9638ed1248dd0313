package consul

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	promconfig "github.com/prometheus/common/config"
	promconsul "github.com/prometheus/prometheus/discovery/consul"
	"go.yaml.in/yaml/v3"

	"github.com/mcp-sd/mcp-sd/target"
)

func parse(t *testing.T, text string) *Options {
	t.Helper()
	o := Default()
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(o); err != nil {
		t.Fatal(err)
	}
	return o
}

// One item of Prometheus' consul_sd_configs, with every key that it has, means
// the same here (contract §3, §4).
func TestPrometheusBlock(t *testing.T) {
	const block = `
server: consul.example.com:8501
path_prefix: /consul
token: s3cr3t
datacenter: dc1
namespace: ns
partition: part
tag_separator: ';'
scheme: https
username: user
password: pass
allow_stale: false
refresh_interval: 45s
services: [mcp-server, web]
tags: [mcp]
node_meta: {rack: r1}
filter: 'NodeMeta.os == linux'
health_filter: 'Checks.Status == passing'
tls_config: {insecure_skip_verify: true, min_version: TLS12}
proxy_url: http://proxy.example.com:3128
no_proxy: localhost
follow_redirects: false
enable_http2: false
http_headers: {X-Team: {values: [tools]}}
`
	ours := parse(t, block)
	if errs := ours.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	var theirs promconsul.SDConfig
	if err := yaml.Unmarshal([]byte(block), &theirs); err != nil {
		t.Fatal(err)
	}
	compareFields(t, ours, &theirs)
	if got := ours.RefreshInterval(); got != 45*time.Second {
		t.Errorf("refresh interval %s", got)
	}
	if diff := cmp.Diff(*theirs.HTTPClientConfig.BasicAuth, *ours.httpClient().BasicAuth); diff != "" {
		t.Errorf("username and password (-Prometheus +mcp-sd):\n%s", diff)
	}
}

func TestDefaultsAreThoseOfPrometheus(t *testing.T) {
	theirs := promconsul.DefaultSDConfig
	theirs.RefreshInterval = 0 // global.refresh_interval stands in
	compareFields(t, Default(), &theirs)
}

// compareFields compares what has the same YAML key, and wants every key of
// Prometheus to be there.
func compareFields(t *testing.T, ours *Options, theirs *promconsul.SDConfig) {
	t.Helper()
	find := func(s any) map[string]any {
		m := map[string]any{}
		v := reflect.ValueOf(s).Elem()
		for i := range v.NumField() {
			key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
			m[key] = v.Field(i).Interface()
		}
		return m
	}
	got := find(ours)
	for key, want := range find(theirs) {
		if key == "" { // the HTTP client's
			a, b := want.(promconfig.HTTPClientConfig), got[key].(promconfig.HTTPClientConfig)
			b.BasicAuth = a.BasicAuth // Prometheus fills it in while decoding
			got[key] = b
		}
		if !reflect.DeepEqual(got[key], want) {
			t.Errorf("%s: %#v, Prometheus has %#v", key, got[key], want)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		yaml string
		want []string // field: beginning of the error
	}{
		{`{}`, nil},
		{`{servers: [a:8500, 'https://b:8501', 'unix:///run/consul.sock', '[::1]:8500'], datacenters: [dc1, dc2], service_regex: mcp-.*, token: x}`, nil},
		{`{server: ""}`, []string{"server: is empty: write host:port"}},
		{`{server: 'a b'}`, []string{`server: "a b" is no address`}},
		{`{server: '::1'}`, []string{`server: "::1" is no address`}},
		{`{server: 'host:8500/consul'}`, []string{"server: \"host:8500/consul\" has a path: put that into path_prefix"}},
		{`{server: 'ftp://host'}`, []string{`server: scheme "ftp" is unknown`}},
		{`{server: 'http://user:pass@host'}`, []string{"server: credentials in an address would show in logs"}},
		{`{server: 'http://host?x=1'}`, []string{`server: "http://host?x=1" is no address`}},
		{`{server: a:1, servers: [b:1]}`, []string{"servers: server is set as well"}},
		{`{servers: [b:1, "", b:1]}`, []string{"servers[1]: is empty", `servers[2]: "b:1" is there twice`}},
		{`{scheme: tls}`, []string{`scheme: "tls" is unknown: write http or https`}},
		{`{datacenter: a, datacenters: [b, ""]}`, []string{"datacenters: datacenter is set as well", "datacenters[1]: is empty"}},
		{`{services: [a, ""], tags: [""], service_regex: b}`, []string{"service_regex: services is set as well", "services[1]: is empty", "tags[0]: is empty"}},
		{`{service_regex: 'a('}`, []string{"service_regex: error parsing regexp: missing closing )"}},
		{`{service_regex: 'a)|(b'}`, []string{"service_regex: error parsing regexp"}},
		{`{node_meta: {"": x}}`, []string{"node_meta: a key is empty"}},
		{`{agent: true, services: [a], tags: [b], filter: c, ports: [d]}`, nil},
		{
			`{agent: true, servers: [a:1, b:1], datacenter: c, node_meta: {d: e}, health_filter: f, exposed_path: /g, peers: [h]}`,
			[]string{
				"servers: agent is set as well, which lists what is registered with one agent: write a source for each agent",
				"datacenter: agent is set as well", "peers: agent is set as well", "node_meta: agent is set as well",
				"health_filter: agent is set as well", "exposed_path: agent is set as well",
				"peers: datacenter or datacenters is set as well", "exposed_path: peers is set as well",
			},
		},
		{`{agent: true, datacenters: [a]}`, []string{"datacenters: agent is set as well"}},
		{`{peers: [a, b], services: [c], tags: [d], health_filter: e, ports: [f]}`, nil},
		{`{peers: [a, "", a, 'b/c']}`, []string{"peers[1]: is empty", `peers[2]: "a" is there twice`, `peers[3]: "b/c" is no name of a peer`}},
		{`{peers: [a], datacenters: [b], filter: c}`, []string{"peers: datacenter or datacenters is set as well", "filter: peers is set as well"}},
		{`{ports: [a, "", a]}`, []string{"ports[1]: is empty", `ports[2]: "a" is there twice`}},
		{`{exposed_path: metrics, ports: [a]}`, []string{`exposed_path: "metrics" is no path`, "ports: exposed_path is set as well"}},
		{`{max_stale: 0s}`, []string{"max_stale: must be longer than 0s"}},
		{`{token: a, token_file: b}`, []string{"token_file: token is set as well"}},
		{`{token: a, authorization: {credentials: b}}`, []string{"token: authorization, oauth2 or a bearer token is set as well"}},
		{`{token_file: a, bearer_token: b}`, []string{"token_file: authorization, oauth2 or a bearer token is set as well"}},
		{`{username: a, basic_auth: {username: b}}`, []string{"username: basic_auth is set as well"}},
		{`{bearer_token: a, basic_auth: {username: b}}`, []string{"basic_auth: at most one of"}},
		{`{authorization: {credentials: a}, oauth2: {client_id: a, token_url: b}}`, []string{"authorization: at most one of"}},
		{`{no_proxy: a}`, []string{"no_proxy: if no_proxy is configured, proxy_url must also be configured"}},
		{`{http_headers: {Host: {values: [a]}}}`, []string{`http_headers: setting header "Host" is not allowed`}},
		{`{server: "", scheme: x, max_stale: 0s}`, []string{"server: is empty", "scheme: ", "max_stale: "}},
	} {
		errs := parse(t, c.yaml).Validate()
		ok := slices.EqualFunc(errs, c.want, func(e target.FieldError, want string) bool { return strings.HasPrefix(e.Error(), want) })
		if !ok && len(errs)+len(c.want) > 0 {
			t.Errorf("%s:\n got %q\nwant %q", c.yaml, fmt.Sprint(errs), c.want)
		}
	}
}

// Contract §6: the fingerprint follows what decides the listing, and nothing else.
func TestFingerprint(t *testing.T) {
	base := parse(t, `{}`).Fingerprint()
	for _, text := range []string{
		`{server: a:1}`, `{servers: [a:1]}`, `{path_prefix: /x}`, `{datacenter: a}`, `{datacenters: [a]}`, `{namespace: a}`, `{partition: a}`,
		`{services: [a]}`, `{service_regex: a}`, `{tags: [a]}`, `{node_meta: {a: b}}`, `{filter: a}`, `{health_filter: a}`, `{tag_separator: a}`,
		`{agent: true}`, `{peers: [a]}`, `{ports: [a]}`, `{exposed_path: /a}`,
	} {
		if parse(t, text).Fingerprint() == base {
			t.Errorf("%s decides what is listed", text)
		}
	}
	for _, text := range []string{
		`{token: a}`, `{token_file: a}`, `{username: a, password: b}`, `{basic_auth: {username: a}}`, `{tls_config: {insecure_skip_verify: true}}`,
		`{scheme: https}`, `{allow_stale: false}`, `{max_stale: 1m}`, `{refresh_interval: 1m}`, `{services: [], tags: [], node_meta: {}}`,
	} {
		if parse(t, text).Fingerprint() != base {
			t.Errorf("%s does not decide what is listed", text)
		}
	}
	if parse(t, `{services: [a, b], tags: [c, d], peers: [e, f]}`).Fingerprint() != parse(t, `{services: [b, a], tags: [d, c], peers: [f, e]}`).Fingerprint() {
		t.Error("the order of services, tags and peers decides nothing")
	}
}
