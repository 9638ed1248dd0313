package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"github.com/mcp-sd/mcp-sd/bench/figures"
	"github.com/mcp-sd/mcp-sd/bench/stage"
	"github.com/mcp-sd/mcp-sd/house/ports"
)

// gate stands in front of Consul and counts what passes.
type gate struct {
	Address string

	mu     sync.Mutex
	asked  int
	closed time.Time // when the last answer was complete
}

// newGate opens a gate to a Consul.
func newGate(s *stage.Stage, consul string) (*gate, error) {
	port, err := ports.Next()
	if err != nil {
		return nil, err
	}
	g := &gate{Address: fmt.Sprintf("127.0.0.1:%d", port)}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: consul})
	// At the end of a scenario queries are called off.
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	server := &http.Server{Addr: g.Address, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.note(true)
		proxy.ServeHTTP(w, r)
		g.note(false)
	})}
	go func() { _ = server.ListenAndServe() }()
	s.OnClose(func() { _ = server.Close() })
	return g, nil
}

func (g *gate) note(question bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if question {
		g.asked++
	} else {
		g.closed = time.Now()
	}
}

func (g *gate) counted() (asked int, lastAnswer time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked, g.closed
}

// idle measures what an mcp-sd costs whose fleet does not change.
func idle(ctx context.Context, b *bench, s *stage.Stage) (*figures.Section, error) {
	const services = 100
	c, err := s.Consul()
	if err != nil {
		return nil, err
	}
	size := b.sized(10_000, 1_000)
	for k := range services {
		n := size / services
		all := instances(fmt.Sprintf("mcp-%02d", k), (k+1)*n, 3000)[k*n:]
		if err := c.Register(ctx, k*n, all...); err != nil {
			return nil, err
		}
	}
	g, err := newGate(s, c.Address)
	if err != nil {
		return nil, err
	}
	dir, err := s.Path("targets")
	if err != nil {
		return nil, err
	}
	watch, err := s.Watch(filepath.Join(dir, "targets.json"))
	if err != nil {
		return nil, err
	}
	d, err := s.MCPSD(fmt.Sprintf("sources: [{name: consul, consul: {server: '%s', service_regex: 'mcp-.*'}}]\n"+
		"health: {enabled: false, allow_cidrs: [127.0.0.0/8]}\noutputs: [{path: '%s/targets.json'}]\n", g.Address, dir))
	if err != nil {
		return nil, err
	}
	if err := d.Ready(ctx); err != nil {
		return nil, err
	}
	stage.Pause(ctx, time.Duration(b.sized(35, 1))*time.Second) // by then the state is saved
	return rest(ctx, b, d, g, watch, size)
}

// rest watches the daemon do nothing.
func rest(ctx context.Context, b *bench, d *stage.MCPSD, g *gate, watch *stage.Watch, size int) (*figures.Section, error) {
	watched := time.Duration(b.sized(30, 3)) * time.Second
	before, err := usage(d, g)
	if err != nil {
		return nil, err
	}
	watch.Writes()
	stage.Pause(ctx, watched)
	after, err := usage(d, g)
	if err != nil {
		return nil, err
	}
	writes := watch.Writes()
	cpu := (after.cpu - before.cpu).Seconds() / watched.Seconds()
	section := &figures.Section{
		Title: "Idle",
		Text: fmt.Sprintf("%s targets in 100 services of Consul, nothing changes, no probing. For %s after the first save of the state it was counted what mcp-sd asks, writes and uses. "+
			"Each service has a standing blocking query, which Consul answers after 2 min 7 s at the latest; Prometheus' `consul_sd` has as many.", figures.Count(size), watched),
		Tables: []figures.Table{{Head: []string{"", "at the start", "at the end"}}},
		Aims: []figures.Aim{
			{What: "Idle: API calls in " + watched.String(), Got: float64(after.asked - before.asked), Format: figures.Whole, AtMost: float64(b.sized(0, 5))},
			{What: "Idle: writes into the output directory", Got: float64(writes), Format: figures.Whole, AtMost: 0, Broken: 0.5, Counted: true},
			{What: "Idle: share of a core", Got: cpu, Format: figures.Percent, AtMost: 0.01, Broken: 0.2, Shown: true},
			{What: "Idle: growth of resident memory", Got: float64(after.memory)/float64(before.memory) - 1, Format: figures.Percent, AtMost: 0.05, Broken: 1},
		},
	}
	t := &section.Tables[0]
	t.Row("API calls since its start", figures.Count(before.asked), figures.Count(after.asked))
	t.Row("CPU time since its start", figures.Time(before.cpu.Seconds()), figures.Time(after.cpu.Seconds()))
	t.Row("resident memory", figures.Bytes(float64(before.memory)), figures.Bytes(float64(after.memory)))
	return section, nil
}

type used struct {
	asked  int
	cpu    time.Duration
	memory int64
}

func usage(d *stage.MCPSD, g *gate) (u used, err error) {
	u.asked, _ = g.counted()
	if u.cpu, err = d.CPU(); err != nil {
		return u, err
	}
	u.memory, _, err = d.Memory()
	return u, err
}
