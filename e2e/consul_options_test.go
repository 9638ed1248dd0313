package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"time"
)

// TestConsulAsPrometheus gives the same options to mcp-sd and to Prometheus'
// own consul_sd_configs: both must find the same instances with the same
// __meta_consul_ labels. Debian builds Prometheus 2.42 without Consul.
func TestConsulAsPrometheus(t *testing.T) {
	t.Parallel()
	consul := startConsul(t, "", "")
	consul.register(t, newFleet(t), optionServices...)
	w := newWorkspace(t)
	w.configure(t, "%s", optionsConfig(consul))
	w.start(t)
	prometheus := prometheus3.start(t, optionsScrapeConfigs(consul))
	same := func() error { return samePools(w, prometheus) }
	eventually(t, inStep, same)
	holds(t, time.Second, same)
}

var optionServices = []service{
	{name: "front", ip: "127.0.2.1", tags: []string{"mcp", "canary"}, meta: map[string]string{"tier": "front", "env": "a"}},
	{name: "front", ip: "127.0.2.2", tags: []string{"mcp"}, meta: map[string]string{"tier": "front"}, status: "critical"},
	{name: "back", ip: "127.0.2.3", tags: []string{"mcp", "canary"}, meta: map[string]string{"tier": "back"}, status: "passing"},
	{name: "back", ip: "127.0.2.4", status: "warning"},
}

// consulOptions are blocks of consul_sd_configs, by a name for each.
var consulOptions = map[string]string{
	"everything":    ``,
	"services":      `services: [front]`,
	"two-services":  `services: [front, back]`,
	"no-such":       `services: [nothing-of-that-name, back]`,
	"tags":          `tags: [canary]`,
	"all-tags":      `tags: [canary, mcp]`,
	"services-tag":  `services: [back], tags: [mcp], tag_separator: ";"`,
	"node-meta":     `node_meta: {rack: r1}`,
	"other-rack":    `node_meta: {rack: r2}, services: [front]`,
	"datacenter":    `datacenter: dc1, services: [front], allow_stale: false`,
	"filter":        `filter: 'ServiceMeta.tier == "back"'`,
	"health-filter": `services: [front, back], health_filter: 'Service.Meta.tier == "front"'`,
	"both-filters":  `filter: '"canary" in ServiceTags', health_filter: '"canary" in Service.Tags'`,
}

// optionsConfig has one source and one file per block. A parameter keeps their
// targets apart, or the same instance in two sources would be one target. The
// instances need not answer here: critical ones are as good as others.
func optionsConfig(consul *consulServer) string {
	var b strings.Builder
	b.WriteString("global: {refresh_interval: 1s}\nhealth: {enabled: false, allow_cidrs: [127.0.0.0/8]}\n")
	b.WriteString("outputs: [{path: '$TARGETS/{source}.json', meta_labels: '__meta_consul_.*', min_write_interval: 100ms}]\n")
	b.WriteString("sources:\n")
	for name, block := range consulOptions {
		fmt.Fprintf(&b, "  - name: %s\n    consul: {server: %q, %s}\n", name, consul.address, block)
		fmt.Fprintf(&b, "    relabel_configs: [{target_label: __param_source, replacement: %s}]\n", name)
	}
	return b.String()
}

func optionsScrapeConfigs(consul *consulServer) string {
	var b strings.Builder
	for name, block := range consulOptions {
		fmt.Fprintf(&b, "- {job_name: %s, scrape_interval: 1h, consul_sd_configs: [{server: %q, refresh_interval: 1s, %s}]}\n",
			name, consul.address, block)
	}
	return b.String()
}

func samePools(w *workspace, p *prometheusServer) error {
	var failures []error
	for name := range consulOptions {
		failures = append(failures, samePool(w, p, name))
	}
	return errors.Join(failures...)
}

// samePool compares what both found for one block of options.
func samePool(w *workspace, p *prometheusServer, pool string) error {
	want, err := consulPool(p, pool)
	if err != nil {
		return err
	}
	got, err := readTargets(w.output(pool + ".json"))
	if err != nil && (len(want) > 0 || !errors.Is(err, fs.ErrNotExist)) {
		return err
	}
	for address, l := range got {
		got[address] = sharedWith(l, want[address])
	}
	if err := sameTargets(got, want); err != nil {
		return fmt.Errorf("source %s is not as %s has it:\n%w", pool, p.name, err)
	}
	return nil
}

// consulPool is what Prometheus discovered: __meta_consul_ labels by address.
func consulPool(p *prometheusServer, pool string) (map[string]labels, error) {
	targets, err := p.targets()
	if err != nil {
		return nil, err
	}
	found := map[string]labels{}
	for _, target := range targets {
		if target.ScrapePool == pool {
			found[target.DiscoveredLabels["__address__"]] = consulLabels(target.DiscoveredLabels)
		}
	}
	return found, nil
}

func consulLabels(l labels) labels {
	kept := maps.Clone(l)
	maps.DeleteFunc(kept, func(name, value string) bool {
		return !strings.HasPrefix(name, "__meta_consul_") || value == ""
	})
	return kept
}

// sharedWith leaves out the labels that Prometheus does not have: mcp-sd adds
// the tagged addresses of the service.
func sharedWith(l, prometheus labels) labels {
	kept := consulLabels(l)
	maps.DeleteFunc(kept, func(name, _ string) bool {
		_, known := prometheus[name]
		return !known && strings.HasPrefix(name, "__meta_consul_service_tagged_")
	})
	return kept
}
