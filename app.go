package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/common/promslog"

	"github.com/mcp-sd/mcp-sd/config"
	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/relabel"
	"github.com/mcp-sd/mcp-sd/state"
	"github.com/mcp-sd/mcp-sd/systemd"
	"github.com/mcp-sd/mcp-sd/writer"
)

// app holds what lives as long as the process; setups come and go with the
// configuration.
type app struct {
	flags          *flags
	stdout, stderr io.Writer
	logger         *slog.Logger
	registry       *prometheus.Registry
	metrics        metrics
	sweeper        *health.Sweeper
	writer         *writer.Writer // of the newest setup
	shown          shown
	notify         *systemd.Notifier
}

// metrics are those of each package, made once.
type metrics struct {
	discovery *discovery.Metrics
	health    *health.Metrics
	relabel   *relabel.Metrics
	writer    *writer.Metrics
	reloaded  prometheus.Gauge
	reloadAt  prometheus.Gauge
}

func newApp(f *flags, stdout, stderr io.Writer) *app {
	f.log.Writer = stderr
	a := &app{flags: f, stdout: stdout, stderr: stderr, logger: promslog.New(&f.log)}
	a.registry = prometheus.NewRegistry()
	a.registry.MustRegister(
		versioncollector.NewCollector("mcp_sd"),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	a.metrics = newMetrics(a.registry)
	return a
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		discovery: discovery.NewMetrics(reg),
		health:    health.NewMetrics(reg),
		relabel:   relabel.NewMetrics(reg),
		writer:    writer.NewMetrics(reg),
		reloaded: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mcp_sd_config_last_reload_successful",
			Help: "Whether the last attempt to load the configuration was successful.",
		}),
		reloadAt: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mcp_sd_config_last_reload_success_timestamp_seconds",
			Help: "When the configuration was last loaded successfully.",
		}),
	}
	reg.MustRegister(m.reloaded, m.reloadAt)
	return m
}

// load reads the configuration and checks it against this machine.
func (a *app) load() (*config.Config, error) {
	c, err := config.Load(a.flags.configFile)
	if err != nil {
		return nil, err
	}
	return c, c.CheckEnvironment()
}

// engine makes the engine; the state folder follows the command line.
func (a *app) engine(folder discovery.Folder) *discovery.Engine {
	return discovery.New(discovery.Options{
		Sweeper: a.sweeper,
		Folder:  folder,
		Metrics: a.metrics.discovery,
		Logger:  a.logger,
	})
}

// checkConfig prints what the configuration says, as it was understood.
func (a *app) checkConfig() error {
	if a.flags.file != "" {
		a.flags.configFile = a.flags.file
	}
	c, err := a.load()
	if err != nil {
		return err
	}
	effective, err := c.Marshal()
	if err != nil {
		return fmt.Errorf("printing the configuration: %w", err)
	}
	fmt.Fprintf(a.stdout, "%s\n\n# The effective configuration, defaults included, secrets hidden:\n%s", c.Summary(), effective)
	return nil
}

// adopt takes over a file that something else wrote.
func (a *app) adopt() error {
	c, err := a.load()
	if err != nil {
		return err
	}
	w, err := writer.Open(a.writerOptions(c))
	if err != nil {
		return err
	}
	if err := w.Adopt(a.flags.file); err != nil {
		return errors.Join(err, w.Close())
	}
	fmt.Fprintf(a.stdout, "%s is mcp-sd's now: its targets count as published.\n", a.flags.file)
	return w.Close()
}

func (a *app) writerOptions(c *config.Config) writer.Options {
	return writer.Options{
		Outputs:   c.Outputs,
		Logger:    a.logger,
		Metrics:   a.metrics.writer,
		DryRun:    a.flags.dryRun,
		Immediate: a.flags.once,

		PreviousDirs: a.previousDirs(),
	}
}

// lockState keeps another mcp-sd from using the state directory. One that can't
// be locked for another reason can't be written either, which is no reason not
// to run.
func (a *app) lockState() (unlock func(), err error) {
	release, err := state.New(a.flags.statePath).Lock()
	switch {
	case errors.Is(err, state.ErrLocked):
		return nil, err
	case err != nil:
		a.logger.Warn("the state directory is not protected from another mcp-sd", "err", err)
		return func() {}, nil
	}
	return func() { _ = release() }, nil
}

// folder is where the state is kept.
func (a *app) folder() discovery.Folder {
	f := state.New(a.flags.statePath)
	if a.flags.dryRun {
		return state.ReadOnly{Folder: f}
	}
	return f
}
