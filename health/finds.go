package health

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/labels"
)

// finds is what a probe looks for in a body: the metrics that must be there,
// and the version of the server.
type finds struct {
	required map[string]int // of the Spec, read only
	found    []bool
	missing  int
	version  candidate
	mcp      bool // still to be found: metrics that only an MCP server has
	hasMCP   bool // they were
}

func newFinds(required map[string]int) *finds {
	f := &finds{required: required, missing: len(required)}
	if f.missing > 0 {
		f.found = make([]bool, f.missing)
	}
	return f
}

// absent names the first few metrics that did not show up.
func (f *finds) absent() string {
	var names []string
	for name, i := range f.required {
		if !f.found[i] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if more := len(names) - 3; more > 0 {
		names = append(names[:3], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// witness is in the name of every metric that is a witness of a version; its f
// is what a page has least of.
var witness = []byte("_info")

const witnessRare = 3

// onlyWitness says that no other line is of interest any more, so that nearly
// all lines of nearly all pages can be left out.
func (f *finds) onlyWitness() bool { return f.missing == 0 && !f.mcp }

func (f *finds) line(line []byte, openMetrics bool) {
	if f.onlyWitness() && !bytes.Contains(line, witness) {
		return
	}
	name, typed := nameOf(line)
	if len(name) == 0 {
		return
	}
	f.name(name, openMetrics)
	f.recognise(name)
	if typed {
		return
	}
	if rank, label := versionIn(name); rank > 0 {
		f.version.offer(rank, string(name), versionTold(line, openMetrics, label))
	}
}

// versionTold is the value of the label in a line, if that is a sample.
func versionTold(line []byte, openMetrics bool, label string) string {
	if v, plain := plainSample(line, label); plain {
		return string(v)
	}
	l, ok := sampleLabels(line, openMetrics)
	if !ok {
		return ""
	}
	return versionOf(l, label)
}

// name notes a name as that of a sample and of its family: a histogram is
// there with any of its series, an OpenMetrics counter with its _total.
func (f *finds) name(name []byte, openMetrics bool) {
	if f.missing == 0 {
		return
	}
	f.see(name)
	i := bytes.LastIndexByte(name, '_')
	if i < 0 {
		return
	}
	switch string(name[i:]) {
	case "_bucket", "_count", "_sum":
		f.see(name[:i])
	case "_total", "_info":
		if openMetrics {
			f.see(name[:i])
		}
	}
}

// recognise notes a name that only an MCP server gives its metrics, by
// OpenTelemetry's conventions or after the protocol. mcp-sd is none itself.
func (f *finds) recognise(name []byte) {
	if !f.mcp || len(name) < 5 || string(name[:3]) != "mcp" || name[3] != '_' && name[3] != '.' {
		return
	}
	if !bytes.HasPrefix(name, []byte("mcp_sd_")) {
		f.mcp, f.hasMCP = false, true
	}
}

func (f *finds) see(name []byte) {
	if i, ok := f.required[string(name)]; ok && !f.found[i] {
		f.found[i] = true
		f.missing--
	}
}

// candidate is the best version seen so far. Lower ranks are better; among
// equals the first by name, then by value, whatever the order in the body.
type candidate struct {
	rank    int
	name    string
	version string
}

func (c *candidate) offer(rank int, name, version string) {
	if !presentable(version) {
		return
	}
	o := candidate{rank, name, version}
	if c.rank == 0 || c.compare(o) > 0 {
		*c = o
	}
}

func (c candidate) compare(o candidate) int {
	if c.rank != o.rank {
		return c.rank - o.rank
	}
	if n := strings.Compare(c.name, o.name); n != 0 {
		return n
	}
	return strings.Compare(c.version, o.version)
}

const (
	targetInfo = "target_info"
	buildInfo  = "_build_info"
	goBuild    = "go_build_info"
)

// versionIn ranks a metric as a witness of the server's version (contract §5):
// OpenTelemetry's target_info, then a build info that calls itself MCP's, then
// any other that is not known to speak of something else. 0 is none.
func versionIn(name []byte) (rank int, label string) {
	switch {
	case string(name) == targetInfo:
		return 1, "service_version"
	case !bytes.HasSuffix(name, []byte(buildInfo)), foreign(name):
		return 0, ""
	case bytes.Contains(name, []byte("mcp")):
		return 2, "version"
	}
	return 3, "version"
}

// foreign tells build infos of run-times, libraries, agents and exporters that
// share a page with the server's own metrics.
func foreign(name []byte) bool {
	if bytes.HasSuffix(name, []byte("_exporter"+buildInfo)) {
		return true
	}
	switch string(name) {
	case goBuild, "prometheus_build_info", "promhttp_build_info", "promtail_build_info",
		"process_build_info", "python_build_info", "nodejs_build_info", "jvm_build_info",
		"dotnet_build_info", "rust_build_info", "ruby_build_info", "php_build_info",
		"grpc_build_info", "otelcol_build_info", "otel_build_info", "opentelemetry_build_info",
		"alloy_build_info", "agent_build_info", "vmagent_build_info", "envoy_build_info",
		"traefik_build_info", "caddy_build_info", "nginx_build_info", "haproxy_build_info",
		"kubernetes_build_info", "jmx_build_info", "jmx_prometheus_build_info":
		return true
	}
	return false
}

// versionOf takes OpenTelemetry's own spelling too, which servers may use
// where the scraper accepts UTF-8 names.
func versionOf(l labels.Labels, label string) string {
	if v := l.Get(label); v != "" || label == "version" {
		return v
	}
	return l.Get("service.version")
}

// presentable reports whether a value may become a label: contract §7.
func presentable(v string) bool {
	return v != "" && len(v) <= 1024 && utf8.ValidString(v) &&
		!strings.Contains(v, "%{") && !strings.ContainsFunc(v, unicode.IsControl)
}
