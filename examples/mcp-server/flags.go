package main

import (
	"fmt"
	"strconv"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/promslog"
	promslogflag "github.com/prometheus/common/promslog/flag"

	"github.com/mcp-sd/mcp-sd/examples/mcp-server/server"
	"github.com/mcp-sd/mcp-sd/examples/mcp-server/traffic"
)

type flags struct {
	listen      string
	secret      string
	memoryRatio float64
	server      server.Options
	users       traffic.Options
	log         promslog.Config
}

func parse(args []string) *flags {
	f := &flags{}
	app := kingpin.New("mcp-server", "An instrumented MCP server: tools at /mcp, metrics at /metrics.")
	app.HelpFlag.Short('h')
	app.Flag("web.listen-address", "Where to listen. Port 0 takes a free one; the address is printed on standard output.").
		Default("127.0.0.1:3000").StringVar(&f.listen)
	app.Flag("server.version", "The version that it reports to clients and in mcp_build_info.").
		Default("v1.0.0").StringVar(&f.server.Version)
	app.Flag("server.secret", "Signs users' tokens (HS256 with sub, tier and exp). By default one that nobody knows, so that only the traffic is authenticated.").
		Envar("MCP_SERVER_SECRET").StringVar(&f.secret)
	app.Flag("traffic.rate", "Use the server this many times a second, so that every metric moves; 0: never.").
		Default("0").SetValue(upTo(&f.users.Rate, 1000))
	f.faults(app)
	promslogflag.AddFlags(app, &f.log)
	kingpin.MustParse(app.Parse(args))
	return f
}

// faults says what may be wrong; the package comment lists it.
func (f *flags) faults(app *kingpin.Application) {
	fault := &f.server.Faults
	app.Flag("fault.error-rate", "Share of tool calls that fail, 0 to 1.").Default("0").SetValue(upTo(&fault.ErrorRate, 1))
	app.Flag("fault.latency", "How much longer each tool call takes.").Default("0s").DurationVar(&fault.Latency)
	app.Flag("fault.db-latency", "How much longer each database query takes.").Default("0s").DurationVar(&fault.DBLatency)
	app.Flag("fault.no-widget-renders", "Widgets are asked for and not rendered.").BoolVar(&fault.NoWidgetRenders)
	app.Flag("fault.metrics", "Answer 500 on /metrics, as an unhealthy server does.").BoolVar(&fault.Metrics)
	app.Flag("fault.memory-ratio", "Hold this share of machine_memory_bytes, the cgroup's limit or the machine's memory, 0 to 0.95.").
		Default("0").SetValue(upTo(&f.memoryRatio, 0.95))
	app.Flag("fault.auth-failure-rate", "Share of the traffic's authentications that fail, 0 to 1.").
		Default("0.02").SetValue(upTo(&f.users.AuthFailureRate, 1))
	app.Flag("fault.auth-attempts", "Further authentications per second, beside those of --traffic.rate.").
		Default("0").SetValue(upTo(&f.users.AuthAttempts, 10000))
	app.Flag("fault.connections", "Further clients that hold a connection open.").Default("0").IntVar(&f.users.Connections)
}

// between is a number with bounds.
type between struct {
	value *float64
	most  float64
}

// upTo takes numbers from 0 to most.
func upTo(value *float64, most float64) kingpin.Value { return between{value, most} }

// Set is kingpin.Value's.
func (b between) Set(s string) error {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || !(x >= 0 && x <= b.most) {
		return fmt.Errorf("%q is no number from 0 to %v", s, b.most)
	}
	*b.value = x
	return nil
}

// String is kingpin.Value's.
func (b between) String() string { return strconv.FormatFloat(*b.value, 'g', -1, 64) }
