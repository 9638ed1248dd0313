package writer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/discovery"
	promfile "github.com/prometheus/prometheus/discovery/file"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"go.uber.org/goleak"

	"github.com/mcp-sd/mcp-sd/target"
)

// events watches a directory as Prometheus does and returns what do causes
// there. A file made afterwards marks the end: events come in order.
func events(t *testing.T, dir string, do func()) []string {
	t.Helper()
	w, err := fsnotify.NewWatcher()
	ok(t, err)
	ok(t, w.Add(dir))
	do()
	end := filepath.Join(dir, "end")
	ok(t, os.WriteFile(end, nil, 0o600))
	var seen []string
	for e := range w.Events {
		if e.Name == end {
			break
		}
		seen = append(seen, e.Op.String()+" "+filepath.Base(e.Name))
	}
	ok(t, w.Close())
	ok(t, os.Remove(end))
	return seen
}

// Contract §7: one directory event per write, and a refreshed modification
// time is none that a reader cares for.
func TestOneEventPerWrite(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json", interval(0)))
	first := events(t, b.dir, func() { b.publish(tgt("a:1")) })
	same(t, "first write", first, []string{"CREATE mcp.json"})
	second := events(t, b.dir, func() { b.publish(tgt("b:1")) })
	same(t, "second write", second, []string{"CREATE mcp.json"})
	none := events(t, b.dir, func() { b.publish(tgt("b:1")) })
	same(t, "no write", none, nil)
	b.clock.step(time.Hour)
	touched := events(t, b.dir, func() { ok(t, b.Touch(map[string]bool{"s": true})) })
	same(t, "touch", slices.Compact(touched), []string{"CHMOD mcp.json"})
}

// prometheus is Prometheus' own discovery over the files of a directory.
type prometheusReader struct {
	reg    *prometheus.Registry
	groups chan []*targetgroup.Group
}

func readWithPrometheus(t *testing.T, dir string) prometheusReader {
	t.Helper()
	r := prometheusReader{prometheus.NewRegistry(), make(chan []*targetgroup.Group)}
	conf := &promfile.SDConfig{Files: []string{filepath.Join(dir, "*.json")}, RefreshInterval: model.Duration(time.Hour)}
	m := conf.NewDiscovererMetrics(r.reg, discovery.NewRefreshMetrics(r.reg))
	ok(t, m.Register())
	d, err := promfile.NewDiscovery(conf, promslog.NewNopLogger(), m)
	ok(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.Run(ctx, r.groups)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		m.Unregister()
	})
	return r
}

// file receives one file's groups and renders them as address and labels.
func (r prometheusReader) file() []string {
	seen := []string{}
	for _, g := range <-r.groups {
		b := labels.NewBuilder(labels.EmptyLabels())
		for n, v := range g.Labels {
			if n != "__meta_filepath" {
				b.Set(string(n), string(v))
			}
		}
		for _, t := range g.Targets {
			seen = append(seen, string(t["__address__"])+b.Labels().String())
		}
	}
	slices.Sort(seen)
	return seen
}

// metric returns the value, or for a summary the count.
func (r prometheusReader) metric(t *testing.T, name string) float64 {
	t.Helper()
	families, err := r.reg.Gather()
	ok(t, err)
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetCounter().GetValue() + float64(m.GetSummary().GetSampleCount())
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// Contract §7: Prometheus' own reader sees what was meant, one refresh per
// write, and no error.
func TestPrometheusReadsIt(t *testing.T) {
	defer goleak.VerifyNone(t)
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json", interval(0)))
	ts := []target.Target{
		in("p", "a:1", "version", "v1", "note", `"<ü>\`), in("p", "[::1]:2", "__metrics_path__", "/m", "__scheme__", "https", "__param_x", "y"),
	}
	b.publish(ts...)
	t.Run("discovery", func(t *testing.T) {
		r := readWithPrometheus(t, b.dir)
		same(t, "first read", r.file(), inOrder(ts))
		ts = append(ts, in("p", "c:1"))
		b.publish(ts...)
		same(t, "second read", r.file(), inOrder(ts))
		b.clock.step(time.Hour)
		ok(t, b.Touch(map[string]bool{"s": true}))
		b.publish()
		same(t, "third read", r.file(), []string{})
		// Two groups before, none now: Prometheus tells of each one gone.
		for range 2 {
			<-r.groups
		}
		same(t, "refreshes", r.metric(t, "prometheus_sd_file_scan_duration_seconds") <= 3, true)
		same(t, "errors", r.metric(t, "prometheus_sd_file_read_errors_total"), 0)
	})
}

// Contract §7: shards: N writes N files by exactly Prometheus' hashmod over
// __address__; every file every time.
func TestShardsAreHashmod(t *testing.T) {
	b := newBench(t)
	for _, n := range []int{2, 3, 4, 1000} {
		o := &output{Output: b.out("x", sharded(n))}
		cfg := &relabel.Config{
			SourceLabels: model.LabelNames{"__address__"}, Separator: ";", Regex: relabel.DefaultRelabelConfig.Regex,
			Modulus: uint64(n), TargetLabel: "__tmp_hash", Replacement: "$1", Action: relabel.HashMod, NameValidationScheme: model.LegacyValidation,
		}
		for _, a := range append([]string{"10.0.0.1:9090", "mcp-1.example.com:8080", "[2001:db8::1]:9090"}, addressesOf(fleet(200, 1))...) {
			lb := labels.NewBuilder(labels.FromStrings("__address__", a))
			relabel.ProcessBuilder(lb, cfg)
			same(t, fmt.Sprintf("%s modulo %d", a, n), fmt.Sprint(o.shard(refs([]target.Target{tgt(a)})[0])), lb.Get("__tmp_hash"))
		}
	}
	facts := map[string][3]int{ // FACTS "Prometheus file_sd", modulo 2, 3, 4
		"10.0.0.1:9090": {1, 0, 1}, "10.0.0.2:9090": {1, 2, 3}, "mcp-1.example.com:8080": {0, 2, 2}, "[2001:db8::1]:9090": {0, 0, 0},
	}
	for a, want := range facts {
		for i, n := range []int{2, 3, 4} {
			o := &output{Output: b.out("x", sharded(n))}
			same(t, a, o.shard(refs([]target.Target{tgt(a)})[0]), want[i])
		}
	}
}

func addressesOf(ts []target.Target) []string {
	var as []string
	for _, t := range ts {
		as = append(as, t.Address)
	}
	return as
}

func TestEveryShardEveryTime(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{shard}.json", sharded(3), interval(0)), b.out("x-{environment}-{shard}.json", sharded(2), interval(0)))
	b.publish()
	same(t, "without targets", strings.Join(list(t, b.dir), " "), ".mcp-sd mcp-0.json mcp-1.json mcp-2.json")
	b.publish(in("p", "10.0.0.2:9090"))
	same(t, "with one", strings.Join(list(t, b.dir), " "), ".mcp-sd mcp-0.json mcp-1.json mcp-2.json x-p-0.json x-p-1.json")
	same(t, "modulo 3", b.addresses("mcp-2.json"), []string{"10.0.0.2:9090"})
	same(t, "modulo 2", b.addresses("x-p-1.json"), []string{"10.0.0.2:9090"})
	same(t, "files", b.Files(in("p", "10.0.0.2:9090")), []string{b.path("mcp-2.json"), b.path("x-p-1.json")})
	b.publish()
	b.clock.step(24 * time.Hour)
	same(t, "removed", b.publish().Removed, []string{b.path("x-p-0.json"), b.path("x-p-1.json")})
	same(t, "left", strings.Join(list(t, b.dir), " "), ".mcp-sd mcp-0.json mcp-1.json mcp-2.json")

	b.publish(in("p", "10.0.0.2:9090"))
	b.publish()
	b.clock.step(24 * time.Hour) // wanted again just when its day is over
	same(t, "removed", b.publish(in("p", "10.0.0.2:9090")).Removed, nil)
}
