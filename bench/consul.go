package main

import (
	"context"
	"fmt"
	"time"

	"github.com/mcp-sd/mcp-sd/bench/figures"
	"github.com/mcp-sd/mcp-sd/bench/plot"
	"github.com/mcp-sd/mcp-sd/bench/stage"
)

const service = "mcp-server"

// A contestant follows a service in Consul and keeps a file of it.
type contestant struct {
	name  string
	start func(s *stage.Stage, consul, out string) (*stage.Process, error)
}

const (
	ours         = "mcp-sd"
	bareLoop     = "bare loop"
	theTemplate  = "consul-template"
	theirConsul  = "Prometheus' consul_sd"
	mostWaited   = 20 * time.Second
	changesApart = 150 * time.Millisecond // and up to twice that
)

func contestants() []contestant {
	return []contestant{
		{bareLoop, func(s *stage.Stage, consul, out string) (*stage.Process, error) {
			return s.Role(bareConsul, consul, service, out)
		}},
		{ours, func(s *stage.Stage, consul, out string) (*stage.Process, error) {
			d, err := s.MCPSD(consulConfig(consul, out))
			if err != nil {
				return nil, err
			}
			return d.Process, nil
		}},
		{theTemplate, func(s *stage.Stage, consul, out string) (*stage.Process, error) {
			return s.ConsulTemplate(consul, template, out)
		}},
	}
}

// consulConfig follows the service as an operator would, probing included.
func consulConfig(consul, out string) string {
	return fmt.Sprintf(`
sources: [{name: consul, consul: {server: '%s', services: [%s]}}]
health: {allow_cidrs: [127.0.0.0/8]}
outputs: [{path: '%s', min_write_interval: 0s}]
`, consul, service, out)
}

// template renders the same targets and labels.
const template = `[{{ range $i, $s := service "` + service + `" }}{{ if $i }},{{ end }}
{"targets":["{{ .Address }}:{{ .Port }}"],"labels":{"environment":"{{ .ServiceMeta.environment }}","region":"{{ .ServiceMeta.region }}","version":"{{ .ServiceMeta.version }}"}}{{ end }}
]
`

// consul measures how long a change in Consul takes to be on disk.
func consul(ctx context.Context, b *bench, s *stage.Stage) (*figures.Section, error) {
	section := &figures.Section{
		Title: "Consul: from a change to the new file",
		Text: "The metadata of one instance changes in Consul, a server with its data on disk; the clock stops when the new file is in place. " +
			"The *bare loop* is the least that the job takes: a blocking query, and its answer, uncompressed and undecoded, written, synced, renamed, and the directory synced. " +
			"consul-template renders the same targets and labels; it syncs nothing. " +
			"mcp-sd probes all instances meanwhile, syncs as the bare loop does, and reads back what it wrote. All three are processes that take turns in blocks; changes come 150 to 300 ms apart, " +
			"so `min_write_interval` is 0s here. (With its default, 2s, the first change is written just as fast, and those right after it are gathered.)",
		Tables: []figures.Table{{Head: []string{"instances", "", "median", "95th percentile", "ratio of medians to the bare loop"}}},
	}
	var groups []plot.Group
	for _, size := range []int{100, 1000}[:b.sized(2, 1)] {
		took, err := race(ctx, b, s, size)
		if err != nil {
			return nil, err
		}
		groups = append(groups, addRace(section, size, took))
	}
	section.Plots = []figures.Plot{{
		Name: "consul", Alt: "From a change in Consul to the new file: mcp-sd, a bare loop and consul-template at 100 and 1,000 instances",
		SVG: plot.Bars("From a change in Consul to the new file on disk: median, line to the 95th percentile", groups...),
	}}
	return section, nil
}
