package static

import (
	"errors"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/mcp-sd/mcp-sd/target"
)

func decode(tb testing.TB, text string) *Options {
	tb.Helper()
	o := Default()
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(o); err != nil {
		tb.Fatal(err)
	}
	return o
}

// Contract §3: static.targets takes the whole list of Prometheus'
// static_configs, by copy and paste.
func TestOptionsTakeStaticConfigs(t *testing.T) {
	o := decode(t, `
targets:
  - targets:
      - 10.0.1.10:3000
      - 'mcp.example.com:3000'
    labels:
      environment: production
      version: 2.10
      canary: yes
      __scheme__: https
  - targets: ['[2001:db8::1]:3000']
files: [static/*.yml]
`)
	for _, err := range o.Validate() {
		t.Error(err)
	}
	if l := o.Targets[0].Labels; l["version"] != "2.10" || l["canary"] != "yes" {
		t.Errorf("labels are not what was written: %v", l)
	}
}

// Each mistake is an error with its place (contract §3).
func TestValidate(t *testing.T) {
	for text, want := range map[string]string{
		"{}":             "targets: nothing to list",
		"files: []":      "targets: nothing to list",
		"targets: []":    "",
		"files: [a.yml]": "",
		"files: ['a/*.JSON', /b/x-*.yaml, 'a/*b*.yml', 'a[1]/?.yml']": "",
		"files: [a.txt]":                   "files[0]: ",
		"files: [a.yml, '*/a.yml']":        "files[1]: ",
		"files: ['']":                      "files[0]: ",
		"files: ['[a.yml']":                "files[0]: ",
		"targets: [{targets: [10.0.0.1]}]": "targets[0].targets[0]: ",
		"targets: [{targets: [a:1]}, {targets: [b:1, '::1']}]": "targets[1].targets[1]: ",
		"targets: [{targets: ['http://a:1/metrics']}]":         "targets[0].targets[0]: ",
		"targets: [{targets: ['169.254.169.254:80']}]":         "link-local",
		"targets: [{targets: ['127.0.0.1:80']}]":               "",
		"targets: [{targets: [], labels: {a-b: c}}]":           "targets[0].labels.a-b: ",
		"targets: [{targets: [], labels: {a: '%{HOME}'}}]":     "targets[0].labels.a: ",
		"targets: [{targets: [], labels: {a: ''}}]":            "",
		"targets: [{labels: {__unix_socket__: /run/x}}]":       "targets[0].labels.__unix_socket__: reserved label",
		"targets: [{labels: {__address__: 'a:1'}}]":            "targets[0].labels.__address__: reserved label",
		"targets: [{labels: {__meta_mcp_sd_health: up}}]":      "targets[0].labels.__meta_mcp_sd_health: reserved label",
		"targets: [{labels: {__scheme__: ftp}}]":               "targets[0].labels.__scheme__: ",
		"targets: [{labels: {job: a, __param_x: b}}]":          "",
		"targets: [{labels: {environment: ../../etc/passwd}}]": "",
	} {
		var got []string
		for _, err := range decode(t, text).Validate() {
			got = append(got, err.Error())
		}
		all := strings.Join(got, "; ")
		if want == "" && all != "" || !strings.Contains(all, want) || len(got) > 1 {
			t.Errorf("%s: got %q, want %q", text, all, want)
		}
	}
}

// An address may be mended by relabel_configs: those errors can be told apart.
func TestAddressErrorsAreMarked(t *testing.T) {
	for _, err := range decode(t, "targets: [{targets: [host, '169.254.169.254:80', 'a:0']}]").Validate() {
		if !errors.Is(err, target.ErrAddress) {
			t.Errorf("%v is not marked", err)
		}
	}
}

// Contract §6: the fingerprint changes when, and only when, what is listed may.
func TestFingerprint(t *testing.T) {
	same := decode(t, "targets: [{targets: [a:1], labels: {x: '1', y: '2'}}]\nfiles: [a.yml]").Fingerprint()
	if got := decode(t, "files: ['a.yml']\ntargets: [{labels: {y: 2, x: 1}, targets: ['a:1']}]").Fingerprint(); got != same {
		t.Error("another way of writing the same has another fingerprint")
	}
	for _, other := range []string{
		"targets: [{targets: [a:1], labels: {x: '1', y: '3'}}]\nfiles: [a.yml]",
		"targets: [{targets: [a:2], labels: {x: '1', y: '2'}}]\nfiles: [a.yml]",
		"targets: [{targets: [a:1], labels: {x: '1', y: '2'}}]\nfiles: [b.yml]",
		"targets: [{targets: [a:1], labels: {x: '1', y: '2'}}]",
	} {
		if decode(t, other).Fingerprint() == same {
			t.Errorf("%s: the same fingerprint", other)
		}
	}
}
