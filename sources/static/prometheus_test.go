package static

import (
	"context"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/discovery"
	promfile "github.com/prometheus/prometheus/discovery/file"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"
)

// TestSameAsPrometheus reads a directory with Prometheus' own file_sd, and
// expects the same targets with the same labels (contract §4).
func TestSameAsPrometheus(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/a.yml", moreYAML)
	put(t, dir+"/b.yml", "- targets: [a:1, b:1]\n  labels: {__address__: c:1, empty: '', n: 1.50, y: yes, __param_x: z}\n")
	put(t, dir+"/c.yml", "[]\n")
	put(t, dir+"/d.json", twoJSON)
	files := []string{dir + "/*.yml", dir + "/d.json"}
	var ours []string
	for _, p := range discover(newSource(t, Options{Files: files}, dir)).Parts {
		for _, r := range p.Raw {
			ours = append(ours, r.Labels.String())
		}
	}
	theirs := prometheusReads(t, files)
	slices.Sort(ours)
	slices.Sort(theirs)
	if !slices.Equal(ours, theirs) || len(ours) != 6 {
		t.Errorf("ours\n%q\nPrometheus'\n%q", ours, theirs)
	}
}

func prometheusReads(t *testing.T, files []string) []string {
	t.Helper()
	conf := &promfile.SDConfig{Files: files, RefreshInterval: model.Duration(1e9)}
	reg := prometheus.NewRegistry()
	metrics := conf.NewDiscovererMetrics(reg, discovery.NewRefreshMetrics(reg))
	d, err := promfile.NewDiscovery(conf, promslog.NewNopLogger(), metrics)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ch, done := make(chan []*targetgroup.Group), make(chan struct{})
	go func() {
		defer close(done)
		d.Run(ctx, ch)
	}()
	var all []string
	for range 4 { // one message per file
		for _, g := range <-ch {
			all = append(all, seenBy(g)...)
		}
	}
	cancel()
	<-done
	return all
}

// seenBy combines a group's labels as Prometheus does before it relabels.
func seenBy(g *targetgroup.Group) []string {
	var all []string
	for _, own := range g.Targets {
		b := labels.NewBuilder(labels.EmptyLabels())
		for name, value := range g.Labels {
			b.Set(string(name), string(value))
		}
		for name, value := range own {
			b.Set(string(name), string(value))
		}
		all = append(all, b.Labels().String())
	}
	return all
}
