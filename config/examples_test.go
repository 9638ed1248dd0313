package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Contract §3: a relabel_configs block of prometheus.yml keeps its meaning.
func TestPrometheusRelabelConfigs(t *testing.T) {
	rules := parseFile(t, "testdata/good/prometheus.yml").Sources[1].RelabelConfigs
	type rule struct{ labels, sep, re, target, repl, action string }
	var got []rule
	for _, r := range rules {
		got = append(got, rule{r.SourceLabels.String(), r.Separator, r.Regex.String(), r.TargetLabel, r.Replacement, string(r.Action)})
	}
	want := []rule{
		{"job, __meta_dns_name", ";", "(.*)some-[regex]", "job", "foo-${1}", "replace"},
		{"abc", ";", "(.*)", "cde", "$1", "replace"},
		{"", ";", "(.*)", "abc", "static", "replace"},
		{"", ";", "", "abc", "static", "replace"},
		{"foo", ";", "(.*)", "abc", "$1", "keepequal"},
		{"foo", ";", "(.*)", "abc", "$1", "dropequal"},
		{"__address__", ";", "(.*)", "__tmp_hash", "$1", "hashmod"},
		{"__tmp_hash", ";", "1", "", "$1", "keep"},
		{"", ";", "1", "", "$1", "labelmap"},
		{"", ";", "d", "", "$1", "labeldrop"},
		{"", ";", "(.*)", "gone", "", "replace"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(rule{})); diff != "" {
		t.Error(diff)
	}
}

// Every example loads.
func TestExamples(t *testing.T) {
	n := 0
	err := filepath.WalkDir("../examples", func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".yml" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(data, []byte("\nsources:")) || !bytes.Contains(data, []byte("\noutputs:")) {
			return err
		}
		n++
		if _, err := Parse(path, data, filepath.Dir(path)); err != nil {
			t.Error(err)
		}
		return nil
	})
	if err != nil || n == 0 {
		t.Fatalf("%d examples: %v", n, err)
	}
}

func TestFingerprint(t *testing.T) { // contract §6: of mechanism options and relabel_configs, nothing else
	base := `sources: [{name: a, consul: {server: "c:8500", services: [mcp]}, relabel_configs: [{target_label: a, replacement: b}]}]
outputs: [{path: mcp.json}]`
	of := func(text string) string {
		c, err := Parse("x.yml", []byte(text), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return c.Sources[0].Fingerprint()
	}
	for _, c := range []struct {
		old, with string
		changes   bool
	}{
		{"services: [mcp]", "services: [mcp, other]", true},
		{"replacement: b", "replacement: c", true},
		{"replacement: b", "replacement: b, regex: x", true},
		{"services: [mcp]", "services: [mcp], token: t", false},
		{"services: [mcp]", "services: [mcp], tls_config: {insecure_skip_verify: true}", false},
		{"name: a", "name: b, labels: {x: y}, refresh_interval: 5m, health: {rise: 1}, guard: {allow_empty: true}", false},
	} {
		changed := of(base) != of(strings.Replace(base, c.old, c.with, 1))
		if changed != c.changes {
			t.Errorf("%s → %s: changed is %t", c.old, c.with, changed)
		}
	}
}
