package relabel

import (
	"strings"
	"testing"

	"github.com/mcp-sd/mcp-sd/target"
)

// Contract §7: discovered metadata can never set a label starting with __, nor
// job or instance; the configuration can.
func TestDiscoveredLabels(t *testing.T) {
	hostile := raw("10.0.0.1:80",
		"job", "node", "instance", "other", "__scheme__", "https", "__param_target", "http://169.254.169.254",
		"__unix_socket__", "/run/docker.sock", "__metrics_path__", "/admin", "__tmp_x", "1",
		"__meta_mcp_sd_health", "up", "version", "v1", "__meta_ok", "yes")
	var o Options
	expect(t, explain(o, hostile), outcome{
		url:    "http://10.0.0.1:80/metrics",
		labels: map[string]string{"version": "v1"},
		rejected: "__meta_mcp_sd_health:reserved_label __metrics_path__:reserved_label __param_target:reserved_label __scheme__:reserved_label " +
			"__tmp_x:reserved_label __unix_socket__:reserved_label instance:reserved_label job:reserved_label",
	})
	o.Labels = map[string]string{"job": "mcp", "__scheme__": "https", "__scrape_interval__": "1m"}
	o.Configs = rules(t, `[{source_labels: [version], target_label: instance}, {target_label: __param_module, replacement: mcp}]`)
	expect(t, explain(o, raw("10.0.0.1:80", "version", "v1")), outcome{
		url: "https://10.0.0.1:80/metrics?module=mcp",
		labels: map[string]string{
			"version": "v1", "job": "mcp", "instance": "v1", "__scheme__": "https",
			"__scrape_interval__": "1m", "__param_module": "mcp",
		},
	})
}

// Contract §7: the operator's own words.
func TestOperatorLabels(t *testing.T) {
	expect(t, explain(Options{Operator: true}, raw("10.0.0.1:80",
		"job", "a", "instance", "b", "__scheme__", "https", "__metrics_path__", "/m", "__param_x", "y",
		"__scrape_interval__", "10s", "__scrape_timeout__", "5s", "__meta_x", "z", "__tmp", "t", "__port", "80",
		"__unix_socket__", "/run/x", "__metric_path__", "/typo", "__scheme", "typo", "__param_", "none", "__meta_mcp_sd_state", "held",
	)), outcome{
		url: "https://10.0.0.1:80/m?x=y",
		labels: map[string]string{
			"job": "a", "instance": "b", "__scheme__": "https", "__metrics_path__": "/m", "__param_x": "y",
			"__scrape_interval__": "10s", "__scrape_timeout__": "5s",
		},
		rejected: "__meta_mcp_sd_state:reserved_label __metric_path__:reserved_label __param_:reserved_label __scheme:reserved_label __unix_socket__:reserved_label",
	})
}

// Contract §7: nothing but the source's own address and relabel_configs sets
// __address__, and relabel_configs never set __unix_socket__ or mcp-sd's own.
func TestRulesSetInternalLabels(t *testing.T) {
	o := Options{
		Labels: map[string]string{"__address__": "10.9.9.9:80", "__unix_socket__": "/run/x"},
		Configs: rules(t, `
- {source_labels: [__meta_ip], target_label: __address__, replacement: "$1:8080"}
- {target_label: __unix_socket__, replacement: /run/y}
- {target_label: __meta_mcp_sd_health, replacement: up}
`),
	}
	expect(t, explain(o, raw("10.0.0.1:80", "__meta_ip", "10.0.0.2")), outcome{
		url:      "http://10.0.0.2:8080/metrics",
		rejected: "__meta_mcp_sd_health:reserved_label __unix_socket__:reserved_label",
	})
	expect(t, explain(Options{Labels: o.Labels}, raw("")), outcome{rejected: ":" + BadAddress})
}

// Contract §7: a rule that takes names from discovered metadata does not let
// that metadata set what it never may.
func TestNamesFromTheData(t *testing.T) {
	hostile := []string{
		"__meta_tag___address__", "169.254.169.254:80", "__meta_tag_job", "node", "__meta_tag___scheme__", "https",
		"__meta_tag_instance", "x", "__meta_tag_team", "a", "__meta_tag___meta_mcp_sd_state", "held",
	}
	mapped := `[{target_label: job, replacement: mcp}, {action: labelmap, regex: "__meta_tag_(.+)"}]`
	taken := "__address__:reserved_label __meta_mcp_sd_state:reserved_label __scheme__:reserved_label instance:reserved_label job:reserved_label"
	expect(t, explain(Options{Configs: rules(t, mapped)}, raw("10.0.0.1:80", hostile...)), outcome{
		url:      "http://10.0.0.1:80/metrics",
		labels:   map[string]string{"team": "a", "job": "mcp"},
		rejected: taken,
	})
	// In an operator's own file they are the operator's words.
	expect(t, explain(Options{Operator: true, Configs: rules(t, mapped)}, raw("10.0.0.1:80", "__meta_tag_job", "node", "__meta_tag___scheme__", "https")), outcome{
		url:    "https://10.0.0.1:80/metrics",
		labels: map[string]string{"job": "node", "__scheme__": "https"},
	})
	for name, tc := range map[string]struct {
		rule, rejected, label string
	}{
		"target_label from the data":     {`{source_labels: [__meta_k], target_label: "$1", replacement: v}`, "job:reserved_label", ""},
		"deletion":                       {`{source_labels: [__meta_k], target_label: "$1", replacement: ""}`, "job:reserved_label", ""},
		"bare underscores":               {`{source_labels: [__meta_s], target_label: "__$1", replacement: https}`, "__scheme__:reserved_label", ""},
		"the operator spells the prefix": {`{action: labelmap, regex: "__meta_(p.*)", replacement: "__param_$1"}`, "", "__param_p"},
		"and the suffix":                 {`{source_labels: [__meta_i], target_label: "__scrape_${1}__", replacement: 1m}`, "", "__scrape_interval__"},
		"named":                          {`{action: labelmap, regex: "__meta_p", replacement: instance}`, "", "instance"},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Labels: map[string]string{"job": "mcp"}, Configs: rules(t, "["+tc.rule+"]")}
			r := raw("10.0.0.1:80", "__meta_k", "job", "__meta_s", "scheme__", "__meta_p", "v", "__meta_i", "interval")
			_, _, got, _, _ := Explain(o, r)
			if rej := explain(o, r).rejected; rej != tc.rejected {
				t.Errorf("rejected %q, want %q", rej, tc.rejected)
			}
			if got.Labels.Get("job") != "mcp" || tc.label != "" && !got.Labels.Has(tc.label) {
				t.Errorf("got %s, want job=mcp and %s", got.Labels, tc.label)
			}
		})
	}
}

// Contract §7: values and addresses; one bad one never costs the others.
func TestHygiene(t *testing.T) {
	o := Options{Operator: true}
	expect(t, explain(o, raw("10.0.0.1:80",
		"environment", "../../etc/cron.d/x", "ctl", "a\nb", "nul", "\x00", "exp", "%{HOME}", "utf8", "\xff",
		"long", strings.Repeat("x", 5000), "a-b", "v", "ä", "v", "empty", "", "bidi", "a\u202eb",
		"__scrape_interval__", "often", "__scrape_timeout__", "0s", "tpl", "{{ .x }} $1",
	)), outcome{
		url:    "http://10.0.0.1:80/metrics",
		labels: map[string]string{"environment": "../../etc/cron.d/x", "bidi": "a\u202eb", "tpl": "{{ .x }} $1"},
		rejected: "__scrape_interval__:bad_label_value __scrape_timeout__:bad_label_value a-b:bad_label_name ctl:bad_label_value " +
			"exp:bad_label_value long:bad_label_value nul:bad_label_value utf8:bad_label_value ä:bad_label_name",
	})
	for _, bad := range []string{"10.0.0.1", "::1:80", "a b:80", "a/b:80", "http://a:80", "a:0", "", "a:80\n", "%{H}:80", "1.2.3:80"} {
		expect(t, explain(o, raw(bad)), outcome{rejected: ":" + BadAddress})
	}
	expect(t, explain(o, raw("a:1", "__scrape_interval__", "5s", "__scrape_timeout__", "10s")), outcome{
		url: "http://a:1/metrics", labels: map[string]string{"__scrape_interval__": "5s"}, rejected: "__scrape_timeout__:bad_label_value",
	})
}

// Contract §7: literal denied addresses never get in, however they are spelt.
func TestDenied(t *testing.T) {
	for _, a := range []string{
		"169.254.169.254:80", "[::ffff:169.254.169.254]:80", "[64:ff9b::a9fe:a9fe]:80", "2852039166:80", "0xa9fea9fe:80",
		"169.254.169.254.:80", "[169.254.169.254]:80", "[fe80::1%eth0]:80", "[fd00:ec2::254]:80", "224.0.0.1:80", "0.0.0.0:80", "[::]:80", "127.0.0.1:80",
	} {
		expect(t, explain(Options{}, raw(a)), outcome{rejected: ":" + Denied})
	}
	loopback := Options{Policy: target.AddressPolicy{Loopback: true}, Operator: true}
	expect(t, explain(loopback, raw("127.0.0.1:80")), outcome{url: "http://127.0.0.1:80/metrics"})
	expect(t, explain(loopback, raw("169.254.169.254:80")), outcome{rejected: ":" + Denied})
}
