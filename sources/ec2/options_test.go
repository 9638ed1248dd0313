package ec2

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	promconfig "github.com/prometheus/common/config"
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

// One item of Prometheus' ec2_sd_configs, with every key that its documentation
// lists, means the same here (contract §3, §4).
func TestPrometheusBlock(t *testing.T) {
	o := parse(t, `
region: us-east-1
endpoint: https://ec2.example.com
access_key: AKIAIOSFODNN7EXAMPLE
secret_key: wJalrXUtnFEMI
profile: fleet
role_arn: arn:aws:iam::123456789012:role/prometheus
external_id: secret
refresh_interval: 45s
port: 9100
filters:
  - name: tag:mcp
    values: ["true", "yes"]
  - name: instance-state-name
    values: [running]
basic_auth: {username: u, password: p}
proxy_url: http://proxy.example.com:3128
no_proxy: localhost
proxy_connect_header: {X-A: [b]}
follow_redirects: false
enable_http2: false
tls_config: {insecure_skip_verify: true, min_version: TLS12}
http_headers: {X-Team: {values: [tools]}}
`)
	if errs := o.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	switch h := o.HTTPClientConfig; {
	case o.Region != "us-east-1", o.Endpoint != "https://ec2.example.com", o.AccessKey != "AKIAIOSFODNN7EXAMPLE", o.SecretKey != "wJalrXUtnFEMI",
		o.Profile != "fleet", o.RoleARN != "arn:aws:iam::123456789012:role/prometheus", o.ExternalID != "secret", o.Port != 9100,
		len(o.Filters) != 2, o.Filters[0].Name != "tag:mcp", !slices.Equal(o.Filters[0].Values, []string{"true", "yes"}),
		h.BasicAuth.Username != "u", h.ProxyURL.String() != "http://proxy.example.com:3128", h.NoProxy != "localhost", h.FollowRedirects,
		h.EnableHTTP2, !h.TLSConfig.InsecureSkipVerify, h.HTTPHeaders == nil:
		t.Errorf("read %+v", o)
	}
	if got := o.RefreshInterval(); got != 45*time.Second {
		t.Errorf("refresh interval %s", got)
	}
}

// Contract §4: where the configuration is silent, Prometheus' defaults hold.
func TestDefaultsAreThoseOfPrometheus(t *testing.T) {
	o := Default()
	if o.Port != 80 || o.Address != "private_ip" || o.RefreshInterval() != 0 || !o.HTTPClientConfig.FollowRedirects || !o.HTTPClientConfig.EnableHTTP2 {
		t.Errorf("got %+v", o)
	}
	if errs := o.Validate(); len(errs) > 0 {
		t.Error(errs)
	}
	if errs := parse(t, "address: ''\nrole_session_name: ''\n").Validate(); len(errs) > 0 {
		t.Error(errs)
	}
}

func TestValidate(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/a"
	for text, want := range map[string]string{
		"region: us-east-1": "", "regions: [us-gov-west-1, cn-north-1]": "", "endpoint: ec2.us-east-1.amazonaws.com": "",
		"endpoint: https://vpce-1.ec2.{region}.vpce.amazonaws.com": "", "role_arns: [arn:aws-cn:iam::123456789012:role/path/to/a]": "",
		"{access_key: a, secret_key: b, profile: c}": "", "{access_key: a, secret_key_file: b}": "",
		"regions: ['']":                                       "regions[0]: is empty",
		"region: us-east-1a":                                  `region: "us-east-1a" is an availability zone: write its region, us-east-1`,
		"regions: [us-east-1, US-EAST-1]":                     `regions[1]: "US-EAST-1" is no region`,
		"regions: [us-east-1/x]":                              `regions[0]: "us-east-1/x" is no region`,
		"regions: [a, a]":                                     `regions[1]: "a" is there twice`,
		"{region: a, regions: [b]}":                           "regions: region is set as well",
		"role_arn: x":                                         `role_arn: "x" is no ARN of a role`,
		"role_arn: arn:aws:iam::123456789012:user/a":          "role_arn: ",
		"role_arn: arn:aws:iam::123:role/a":                   "role_arn: ",
		"role_arn: arn:aws:sts::123456789012:role/a":          "role_arn: ",
		"role_arn: 'arn:aws:iam::123456789012:role/'":         "role_arn: ",
		"role_arns: [" + role + ", " + role + "]":             "role_arns[1]: 123456789012:a is there twice",
		"{role_arn: " + role + ", role_arns: [" + role + "]}": "role_arns: role_arn is set as well",
		"external_id: x":                                      "external_id: there is no role",
		"role_session_name: a b":                              `role_session_name: "a b" is no session name`,
		"access_key: a":                                       "access_key: has no secret_key",
		"secret_key: a":                                       "secret_key: has no access_key",
		"{access_key: a, secret_key: b, secret_key_file: c}":  "secret_key_file: secret_key is set as well",
		"port: 0":                  "port: 0 is no port",
		"port: 65536":              "port: 65536 is no port",
		"address: public":          `address: "public" is unknown: write one of private_ip, public_ip, private_dns, public_dns, ipv6`,
		"filters: [{values: [a]}]": "filters[0].name: is empty",
		"filters: [{name: vpc-id, values: [a]}, {name: a}]": "filters[1].values: is empty",
		"endpoint: ftp://x":                                 `endpoint: scheme "ftp" is unknown`,
		"endpoint: http://":                                 "endpoint: ",
		"endpoint: https://a/?b":                            "endpoint: ",
		"endpoint: https://u:p@a":                           "endpoint: credentials",
		"bearer_token_file: a\nbasic_auth: {username: u}":   "basic_auth: ",
		"proxy_url: http://a\nproxy_from_environment: true": "proxy_url: ",
	} {
		errs := parse(t, text).Validate()
		switch {
		case want == "" && len(errs) > 0, want != "" && len(errs) != 1:
			t.Errorf("%s: %v, want %q", text, errs, want)
		case want != "" && !strings.HasPrefix(errs[0].Error(), want):
			t.Errorf("%s: %v, want %q", text, errs[0], want)
		}
	}
}

// Contract §3: secrets never appear in errors.
func TestSecretsStaySecret(t *testing.T) {
	for _, err := range parse(t, "{secret_key: s3cr3t, endpoint: 'https://u:s3cr3t@a'}").Validate() {
		if strings.Contains(err.Error(), "s3cr3t") {
			t.Error(err)
		}
	}
	out, err := yaml.Marshal(parse(t, "{access_key: a, secret_key: s3cr3t}"))
	if err != nil || strings.Contains(string(out), "s3cr3t") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestNewErrors(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"{access_key: a, secret_key_file: missing}", "tls_config: {ca_file: missing}"} {
		o := parse(t, text)
		if _, err := o.New(target.Env{Dir: dir}); err == nil || !strings.Contains(err.Error(), dir+"/missing") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSetDirectory(t *testing.T) {
	o := parse(t, "{secret_key_file: key, tls_config: {ca_file: ca.pem}}")
	var _ promconfig.DirectorySetter = o
	o.SetDirectory("/etc/mcp-sd")
	if o.SecretKeyFile != "/etc/mcp-sd/key" || o.HTTPClientConfig.TLSConfig.CAFile != "/etc/mcp-sd/ca.pem" {
		t.Errorf("%s, %s", o.SecretKeyFile, o.HTTPClientConfig.TLSConfig.CAFile)
	}
}

// Contract §6: a fingerprint of what decides the listing, credentials and HTTP
// client settings aside.
func TestFingerprint(t *testing.T) {
	const base = "regions: [a, b]\nport: 80\nfilters: [{name: x, values: [c, d]}, {name: e, values: [f]}]\n"
	of := func(text string) string { return parse(t, text).Fingerprint() }
	prints := map[string]string{}
	for _, edit := range []string{
		base, "regions: [a]", "regions: [a, b]", base + "port_tag: ports", base + "address: ipv6", base + "role_arn: r", base + "role_arns: [r, s]",
		base + "endpoint: https://x", strings.Replace(base, "80", "81", 1), strings.Replace(base, "d]", "g]", 1),
	} {
		if first, twice := prints[of(edit)]; twice {
			t.Errorf("%s and %s have the same fingerprint", first, edit)
		}
		prints[of(edit)] = edit
	}
	for _, edit := range []string{
		strings.Replace(base, "[a, b]", "[b, a]", 1), "regions: [b, a]\nfilters: [{name: e, values: [f]}, {name: x, values: [d, c]}]",
		base + "access_key: a\nsecret_key: b\nprofile: p\nexternal_id: e\nrole_session_name: who\n",
		base + "refresh_interval: 5m\nproxy_url: http://p\ntls_config: {insecure_skip_verify: true}\n", base + "address: ''",
	} {
		if prints[of(edit)] != base {
			t.Errorf("another fingerprint, but the same listing: %s", edit)
		}
	}
	if one, list := of("{region: a, role_arn: r}"), of("{regions: [a], role_arns: [r]}"); one != list {
		t.Error("one region is a list of one")
	}
	if len(slices.Collect(maps.Keys(prints))) != 10 {
		t.Error("the table above is not what it was")
	}
}
