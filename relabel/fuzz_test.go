package relabel

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// FuzzHygiene: whatever a source says and whatever rules do with it, what comes
// out satisfies every rule of contract §7, and Prometheus' own reader loads it.
func FuzzHygiene(f *testing.F) {
	for _, s := range [][4]string{
		{"10.0.0.1:80", "environment", "production", "__meta_tag_a"},
		{"[::1]:80", "__scheme__", "ftp", "__meta_tag___address__"},
		{"a:1", "job", "a\nb", "__meta_tag_job"},
		{"169.254.169.254:80", "a-b", "%{HOME}", "__scrape_interval__"},
		{"::1:80", "__unix_socket__", "\xff", "__meta_mcp_sd_health"},
		{"x:99999", "__param_", "/metrics", "__metrics_path__"},
		{"0xa9fea9fe:80", "__meta_tag_instance", "0s", "__scrape_timeout__"},
	} {
		for _, operator := range []bool{true, false} {
			f.Add(s[0], s[1], s[2], s[3], operator)
		}
	}
	mapped := rules(f, `
- {action: labelmap, regex: "__meta_tag_(.*)"}
- {source_labels: [a], regex: "(.+)", target_label: __address__}
- {source_labels: [a, environment], regex: "(.*);(.*)", target_label: "$1", replacement: "$2"}
`)
	f.Fuzz(func(t *testing.T, address, name, value, name2 string, operator bool) {
		o := Options{Operator: operator, Configs: mapped, KeepMeta: true, Policy: target.AddressPolicy{Loopback: operator}}
		set := map[string]string{name: value, name2: value, target.AddressLabel: address}
		r := target.Raw{Identity: value, Labels: labels.FromMap(set)}
		_, _, got, ok, rej := Explain(o, r)
		if !ok {
			if len(rej) == 0 {
				t.Error("left out without a reason")
			}
			return
		}
		lawful(t, o, got)
		loads(t, got)
	})
}

// lawful restates the rules in other words than the code has.
func lawful(t *testing.T, o Options, got target.Target) {
	t.Helper()
	if target.CheckAddress(got.Address) != nil || o.Policy.CheckHostPort(got.Address) != nil {
		t.Errorf("address %q", got.Address)
	}
	got.Meta.Range(func(l labels.Label) {
		if !strings.HasPrefix(l.Name, "__meta_") || strings.HasPrefix(l.Name, "__meta_mcp_sd_") {
			t.Errorf("meta label %s", l.Name)
		}
		lawfulLabel(t, l)
	})
	got.Labels.Range(func(l labels.Label) {
		lawfulLabel(t, l)
		if !o.Operator && (l.Name == "job" || l.Name == "instance" || strings.HasPrefix(l.Name, "__")) {
			t.Errorf("discovered metadata set %s", l.Name)
		}
		if strings.HasPrefix(l.Name, "__") {
			lawfulInternal(t, l)
		}
	})
	interval, timeout := got.Labels.Get("__scrape_interval__"), got.Labels.Get("__scrape_timeout__")
	if interval != "" && timeout != "" && duration(t, timeout) > duration(t, interval) {
		t.Errorf("timeout %s, interval %s", timeout, interval)
	}
}

func lawfulLabel(t *testing.T, l labels.Label) {
	t.Helper()
	if !model.LegacyValidation.IsValidLabelName(l.Name) {
		t.Errorf("name %q", l.Name)
	}
	if l.Value == "" || len(l.Value) > 1024 || !utf8.ValidString(l.Value) || strings.Contains(l.Value, "%{") || strings.ContainsFunc(l.Value, unicode.IsControl) {
		t.Errorf("value %q", l.Value)
	}
}

func lawfulInternal(t *testing.T, l labels.Label) {
	t.Helper()
	switch l.Name {
	case "__scheme__":
		if l.Value != "http" && l.Value != "https" {
			t.Errorf("scheme %q", l.Value)
		}
	case "__metrics_path__":
		if l.Value[0] != '/' {
			t.Errorf("path %q", l.Value)
		}
	case "__scrape_interval__", "__scrape_timeout__":
		if duration(t, l.Value) <= 0 {
			t.Errorf("duration %q", l.Value)
		}
	default:
		if !strings.HasPrefix(l.Name, "__param_") {
			t.Errorf("internal label %s", l.Name)
		}
	}
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := model.ParseDuration(s)
	if err != nil {
		t.Error(err)
	}
	return time.Duration(d)
}

// loads writes a target as file_sd has it, and reads it as Prometheus does.
func loads(t *testing.T, got target.Target) {
	t.Helper()
	want := got.Labels.Map()
	for name, value := range got.Meta.Map() {
		want[name] = value
	}
	text, err := json.Marshal([]any{map[string]any{"targets": []string{got.Address}, "labels": want}})
	if err != nil {
		t.Fatal(err)
	}
	var groups []*targetgroup.Group
	if err := json.Unmarshal(text, &groups); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if groups[0].Targets[0][model.AddressLabel] != model.LabelValue(got.Address) || len(groups[0].Labels) != len(want) {
		t.Errorf("%s was read as %v", text, groups[0])
	}
	for name, value := range groups[0].Labels {
		if want[string(name)] != string(value) {
			t.Errorf("%s: %q became %q", name, want[string(name)], value)
		}
	}
}
