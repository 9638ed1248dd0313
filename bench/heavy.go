package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/mcp-sd/mcp-sd/bench/fleet"
	"github.com/mcp-sd/mcp-sd/bench/stage"
	"github.com/mcp-sd/mcp-sd/house/ports"
)

// weight is the resident memory of a daemon, in bytes.
type weight struct {
	size      int // targets
	now, peak int64
	files     int
}

// probed weighs a daemon that probes what it publishes.
func probed(ctx context.Context, b *bench, s *stage.Stage, size int) (*weight, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // a fleet of that size keeps its connections until then
	port, err := ports.Next()
	if err != nil {
		return nil, err
	}
	if _, err := fleet.Start(ctx, port, fleet.Options{Size: size, Body: 2 << 10}); err != nil {
		return nil, err
	}
	in, out, err := files(s)
	if err != nil {
		return nil, err
	}
	address := func(i int) string { return fleet.AddressOf(i, port) }
	if err := stage.Write(in, racks(address, size, 100, "v1.0.0")); err != nil {
		return nil, err
	}
	d, err := s.MCPSD(fmt.Sprintf(relabelled, in, out), memoryLimit)
	if err != nil {
		return nil, err
	}
	defer d.Kill()
	err = stage.Await(ctx, 200*time.Millisecond, 5*time.Minute, func() error {
		n, err := published(ctx, d)
		if err == nil && n < size {
			err = fmt.Errorf("%d of %d targets are published", n, size)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	stage.Pause(ctx, time.Duration(b.sized(65, 1))*time.Second) // two intervals
	w := &weight{size: size}
	if w.now, w.peak, err = d.Memory(); err != nil {
		return nil, err
	}
	w.files, err = d.Files()
	return w, err
}

// files are a file of targets that a source reads, and one that is written.
func files(s *stage.Stage) (in, out string, err error) {
	from, err := s.Path("growth")
	if err != nil {
		return "", "", err
	}
	to, err := s.Path("targets")
	return filepath.Join(from, "racks.json"), filepath.Join(to, "targets.json"), err
}

// elsewhere are addresses that nobody asks.
func elsewhere(i int) string {
	if i == 0 {
		return "first-one:3000"
	}
	return fmt.Sprintf("10.%d.%d.%d:3000", i>>16, i>>8&255, i&255)
}

// racks is a file of targets, one group for each label set but for the first
// target, whose version changes.
func racks(address func(i int) string, size, sets int, version string) []byte {
	type group struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels"`
	}
	labels := func(set int, version string) map[string]string {
		return map[string]string{
			"environment": "production", "region": fmt.Sprintf("region-%d", set%10),
			"rack": fmt.Sprintf("r%d", set), "version": version,
		}
	}
	groups := []group{{Targets: []string{address(0)}, Labels: labels(0, version)}}
	for set := range sets {
		g := group{Labels: labels(set, "v1.0.0")}
		for i := set + 1; i < size; i += sets {
			g.Targets = append(g.Targets, address(i))
		}
		if len(g.Targets) > 0 {
			groups = append(groups, g)
		}
	}
	b, err := json.Marshal(groups)
	if err != nil {
		panic(err) // strings and maps of them
	}
	return b
}
