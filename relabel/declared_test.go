package relabel

import (
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// What a source says of an instance that makes it a declared MCP server, where
// its servers are asked who they are.
func TestDeclared(t *testing.T) {
	for _, tc := range []struct {
		name, value string
		want        string
	}{
		{"mcp", "true", "declared"},
		{"mcp", "streamable", "declared"},
		{"mcp", "false", ""},
		{"__meta_consul_service_metadata_mcp", "1", "declared"},
		{"__meta_ec2_tag_MCP", "yes", "declared"},
		{"__meta_ec2_tag_mcp", "No", ""},
		{"__meta_consul_tags", ",web,mcp,", "declared"},
		{"__meta_consul_tags", ";mcp=true;", "declared"},
		{"__meta_consul_tags", ",mcp=false,", ""},
		{"__meta_consul_tags", ",mcp-old,xmcp,", ""},
		{"__meta_mcp_registry_name", "io.example/weather", "declared"},
		{"__meta_consul_service", "mcp", ""},
		{"environment", "mcp", ""},
	} {
		raw := target.Raw{Labels: labels.FromStrings("__address__", "10.0.0.1:80", tc.name, tc.value)}
		for _, asked := range []bool{true, false} {
			want := tc.want
			if !asked {
				want = ""
			}
			r := New(Options{Source: "a", MCP: asked}, NewMetrics(prometheus.NewRegistry()), slog.New(slog.DiscardHandler))
			got, _ := r.Targets(target.Part{Name: "p", Raw: []target.Raw{raw}})
			if len(got) != 1 || got[0].Labels.Get(target.MCPLabel) != want {
				t.Errorf("%s=%q, asked %v: %v, want %q", tc.name, tc.value, asked, got, want)
			}
		}
	}
}

// The label is mcp-sd's own word: no source and no rule says it.
func TestDeclaredIsNotDiscovered(t *testing.T) {
	raw := target.Raw{Labels: labels.FromStrings("__address__", "10.0.0.1:80", target.MCPLabel, "protocol")}
	r := New(Options{Source: "a", MCP: true}, NewMetrics(prometheus.NewRegistry()), slog.New(slog.DiscardHandler))
	got, rejected := r.Targets(target.Part{Name: "p", Raw: []target.Raw{raw}})
	if len(got) != 1 || got[0].Labels.Has(target.MCPLabel) || len(rejected) != 1 {
		t.Errorf("%v, rejected %v", got, rejected)
	}
}
