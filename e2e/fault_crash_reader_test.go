package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A fileReader reads the file of TestCrash as fast as it can and remembers what
// was wrong with any version of it.
type fileReader struct {
	path   string
	seen   atomic.Int64 // the generation last read
	reads  atomic.Int64
	cancel context.CancelFunc
	done   chan struct{}
	err    error // to be read after done
}

func watchFile(t *testing.T, path string) *fileReader {
	ctx, cancel := context.WithCancel(t.Context())
	r := &fileReader{path: path, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for r.err == nil && ctx.Err() == nil {
			r.err = r.read()
			<-tick.C
		}
	}()
	return r
}

// read accepts nothing but the whole fleet of one generation, and guests.
func (r *fileReader) read() error {
	targets, err := readTargets(r.path)
	if err != nil {
		return err
	}
	version := targets[crashAddresses()[0]]["version"]
	for _, address := range crashAddresses() {
		l, ok := targets[address]
		if !ok {
			return fmt.Errorf("%s has lost %s; it has %d targets", r.path, address, len(targets))
		}
		if l["version"] != version {
			return fmt.Errorf("%s is of generation %s, others of %s", address, l["version"], version)
		}
	}
	var generation int64
	if _, err := fmt.Sscanf(version, "v%d", &generation); err != nil {
		return fmt.Errorf("version %q: %w", version, err)
	}
	if generation < r.seen.Load() {
		return fmt.Errorf("generation %d after %d", generation, r.seen.Load())
	}
	r.seen.Store(generation)
	r.reads.Add(1)
	return nil
}

func (r *fileReader) has(generation int) error {
	select {
	case <-r.done:
		return fmt.Errorf("the reader has ended: %w", r.err)
	default:
	}
	if seen := r.seen.Load(); seen != int64(generation) {
		return fmt.Errorf("generation %d was read last, want %d", seen, generation)
	}
	return nil
}

func (r *fileReader) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	<-r.done
	if r.err != nil {
		t.Errorf("a reader saw: %v", r.err)
	}
	t.Logf("read %d times, up to generation %d", r.reads.Load(), r.seen.Load())
}

// A prometheusVigil asks a Prometheus again and again whether it still has all
// targets that must stay.
type prometheusVigil struct {
	*prometheusServer
	must   []string
	cancel context.CancelFunc
	done   chan struct{}
	asked  atomic.Int64
	err    error // to be read after done
}

// watchPrometheus waits until Prometheus has read all of the file. It scrapes
// so rarely that it costs nothing.
func watchPrometheus(t testing.TB, version prometheusVersion, file string, must ...string) *prometheusVigil {
	t.Helper()
	p := &prometheusVigil{must: must, done: make(chan struct{})}
	p.prometheusServer = version.start(t, fmt.Sprintf(
		"- {job_name: mcp, scrape_interval: 1h, file_sd_configs: [{files: ['%s']}]}\n", file))
	eventually(t, inStep, p.complete)
	var ctx context.Context
	ctx, p.cancel = context.WithCancel(t.Context())
	go func() {
		defer close(p.done)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for p.err == nil && ctx.Err() == nil {
			p.err = p.complete()
			p.asked.Add(1)
			<-tick.C
		}
	}()
	return p
}

func (p *prometheusVigil) complete() error {
	targets, err := p.targets()
	if err != nil {
		return err
	}
	has := make(map[string]bool, len(targets))
	for _, target := range targets {
		has[target.DiscoveredLabels["__address__"]] = true
	}
	missing := slices.DeleteFunc(slices.Clone(p.must), func(a string) bool { return has[a] })
	if len(missing) > 0 {
		return fmt.Errorf("%s has lost %d targets: %s", p.name, len(missing), strings.Join(missing, " "))
	}
	return nil
}

// ends reports what was lost, and what could not be read.
func (p *prometheusVigil) ends(t testing.TB) {
	t.Helper()
	p.cancel()
	<-p.done
	if p.err != nil {
		t.Errorf("Prometheus: %v", p.err)
	}
	t.Logf("%s was asked %d times", p.name, p.asked.Load())
	if err := (&daemon{url: p.url}).metric("prometheus_sd_file_read_errors_total", "0"); err != nil {
		t.Errorf("%s: %v", p.name, err)
	}
}
