package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mcp-sd/mcp-sd/bench/fleet"
	"github.com/mcp-sd/mcp-sd/bench/stage"
	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// The roles that this program plays as a process of its own, so that they are
// measured as the peers are.
const (
	bareConsul = "bare-consul" // follows a service and writes what it hears
	bareHTTP   = "bare-http"   // reads pages
	probes     = "probes"      // reads pages with mcp-sd's own sweep
)

// play plays a role; there is none of that name where ok is false.
func play(ctx context.Context, role string, args []string) (ok bool, err error) {
	switch role {
	case bareConsul:
		return true, followConsul(ctx, args[0], args[1], args[2])
	case bareHTTP:
		return true, readPages(ctx, args, bareClient)
	case probes:
		return true, readPages(ctx, args, ownSweep)
	}
	return false, nil
}

// followConsul is the least that follows a service and keeps a file of what it
// heard: it decodes nothing. Nothing that does more can be faster.
func followConsul(ctx context.Context, consul, service, out string) error {
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}} // it costs more than it spares
	index, body := "0", new(bytes.Buffer)
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+consul+"/v1/health/service/"+service+"?wait=120s&index="+index, http.NoBody)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		body.Reset()
		_, err = body.ReadFrom(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("consul answers %s", resp.Status)
		}
		index = resp.Header.Get("X-Consul-Index")
		if err := replace(out, body.Bytes()); err != nil {
			return err
		}
	}
}

// replace writes a file so that it survives a power cut whole, old or new.
func replace(path string, body []byte) error {
	f, err := os.Create(path + ".staged")
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// reading is what a role that reads pages reports.
type reading struct {
	Seconds []float64 // of each pass
	Bad     int       // pages that could not be read
	Open    int       // files and connections open at the end
	Peak    int64     // resident bytes, at most
}

// concurrency is that of mcp-sd's defaults.
const concurrency = 256

// readPages reads all pages of a fleet, several times over.
func readPages(ctx context.Context, args []string, reader func(addresses []string, keep int) (func(context.Context) int, error)) error {
	flags := flag.NewFlagSet(bareHTTP, flag.ContinueOnError)
	port := flags.Int("port", 0, "of the fleet")
	n := flags.Int("n", 0, "its size")
	passes := flags.Int("passes", 1, "how often to read it")
	keep := flags.Int("keep", 0, "connections to keep, 0 for all")
	if err := flags.Parse(args); err != nil {
		return err
	}
	addresses := make([]string, *n)
	for i := range addresses {
		addresses[i] = fleet.AddressOf(i, *port)
	}
	pass, err := reader(addresses, *keep)
	if err != nil {
		return err
	}
	var r reading
	for range *passes {
		start := time.Now()
		r.Bad += pass(ctx)
		r.Seconds = append(r.Seconds, time.Since(start).Seconds())
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	r.Open, r.Peak = len(open), stage.OwnPeak()
	return json.NewEncoder(os.Stdout).Encode(r)
}

// bareClient reads with net/http and looks at nothing. Where it keeps some of
// the connections only, it keeps always the same: with a bound over all of them
// it would find each closed just before it is needed.
func bareClient(addresses []string, keep int) (func(context.Context) int, error) {
	client := &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 1, DisableCompression: true,
		DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
	}, Timeout: 10 * time.Second}
	get := func(ctx context.Context, i int) bool {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addresses[i]+"/metrics", http.NoBody)
		if err != nil {
			return false
		}
		req.Close = keep > 0 && i >= keep
		resp, err := client.Do(req)
		if err != nil {
			return false
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return resp.Body.Close() == nil && err == nil && resp.StatusCode == http.StatusOK
	}
	return func(ctx context.Context) int {
		var mu sync.Mutex
		var wg sync.WaitGroup
		bad, next := 0, make(chan int)
		for range concurrency {
			wg.Go(func() {
				for i := range next {
					if !get(ctx, i) {
						mu.Lock()
						bad++
						mu.Unlock()
					}
				}
			})
		}
		for i := range addresses {
			next <- i
		}
		close(next)
		wg.Wait()
		return bad
	}, nil
}

// ownSweep reads as mcp-sd does: the same options, checks and bounds.
func ownSweep(addresses []string, _ int) (func(context.Context) int, error) {
	m := health.NewMetrics(prometheus.NewRegistry())
	spec, err := health.NewSpec("bench", health.DefaultOptions(), true, m)
	if err != nil {
		return nil, err
	}
	checks := make([]health.Check, len(addresses))
	for i, a := range addresses {
		checks[i] = health.Check{Key: target.Key{Scheme: target.DefaultScheme, Address: a, Path: target.DefaultPath}, Spec: spec}
	}
	sweeper := health.NewSweeper(health.NewHTTPProber(health.BodyMemory), concurrency, m)
	return func(ctx context.Context) int {
		bad := len(checks)
		for _, r := range sweeper.Once(ctx, checks) {
			if r.Class.Up() {
				bad--
			}
		}
		return bad
	}, nil
}
