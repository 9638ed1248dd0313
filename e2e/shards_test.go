package e2e

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

const (
	shardCount   = 3
	shardTargets = 150
)

// TestShards compares the files of a sharded output with what Prometheus'
// own hashmod keeps when it reads all of them.
func TestShards(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t)
	w.configure(t, `
sources: [{name: racks, static: {files: ['$STATIC/*.json']}}]
health: {enabled: false}
outputs:
  - {path: '$TARGETS/all-{shard}.json', shards: %d}
  - {path: '$TARGETS/few-{shard}.json', shards: %[1]d, match: '{few="1"}'}
`, shardCount)
	replaceFile(t, w.static+"/a.json", shardedTargets())
	w.once(t).expectSilence(t)
	fewShards(t, w)
	for _, version := range prometheusVersions {
		prometheus := version.start(t, shardScrapeConfigs(w))
		eventually(t, inStep, func() error { return sameShards(w, prometheus) })
	}
}

func shardedTargets() string {
	addresses := []string{`"mcp-1.example.com:8080"`, `"[2001:db8::1]:9090"`}
	for i := range shardTargets - len(addresses) {
		addresses = append(addresses, fmt.Sprintf(`"127.0.9.%d:%d"`, i%250, 9000+i))
	}
	return fmt.Sprintf(`[{"targets": [%s]}, {"targets": ["127.0.10.1:80"], "labels": {"few": "1"}}]`,
		strings.Join(addresses, ", "))
}

// fewShards: every file is there, those without a target as well.
func fewShards(t *testing.T, w *workspace) {
	count := 0
	for shard := range shardCount {
		targets, err := readTargets(w.output(fmt.Sprintf("few-%d.json", shard)))
		if err != nil {
			t.Error(err)
		}
		count += len(targets)
	}
	if count != 1 {
		t.Errorf("the shards of the output with one target have %d", count)
	}
}

func shardScrapeConfigs(w *workspace) string {
	var b strings.Builder
	for shard := range shardCount {
		fmt.Fprintf(&b, `- job_name: shard-%d
  scrape_interval: 1h
  file_sd_configs: [{files: ['%s/all-*.json']}]
  relabel_configs:
  - {source_labels: [__address__], modulus: %d, target_label: __tmp_hash, action: hashmod}
  - {source_labels: [__tmp_hash], regex: "%[1]d", action: keep}
`, shard, w.targets, shardCount)
	}
	return b.String()
}

func sameShards(w *workspace, p *prometheusServer) error {
	targets, err := p.targets()
	if err != nil {
		return err
	}
	want := map[string][]string{}
	for _, target := range targets {
		want[target.ScrapePool] = append(want[target.ScrapePool], target.DiscoveredLabels["__address__"])
	}
	var failures []error
	total := 0
	for shard := range shardCount {
		got, err := readTargets(w.output(fmt.Sprintf("all-%d.json", shard)))
		failures = append(failures, err)
		total += len(got)
		pool := fmt.Sprintf("shard-%d", shard)
		slices.Sort(want[pool])
		if addresses := slices.Sorted(maps.Keys(got)); !slices.Equal(addresses, want[pool]) {
			failures = append(failures, fmt.Errorf("%s: %s keeps\n%v\nthe file has\n%v", pool, p.name, want[pool], addresses))
		}
	}
	if total != shardTargets+1 {
		failures = append(failures, fmt.Errorf("the shards have %d targets, want %d", total, shardTargets+1))
	}
	return errors.Join(failures...)
}
