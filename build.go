package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/mcp-sd/mcp-sd/config"
	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/relabel"
	mcptarget "github.com/mcp-sd/mcp-sd/target"
	"github.com/mcp-sd/mcp-sd/writer"
)

type target = mcptarget.Target // short, because the command targets has the package's name

// setup builds everything that a configuration names. What it opened is closed
// again where something fails, and the running setup is not touched.
func (a *app) setup(c *config.Config) (discovery.Setup, error) {
	var opened closers
	s := discovery.Setup{Version: c.Version, Interval: interval(c)}
	for _, in := range c.Sources {
		src, err := a.source(c, in, &opened)
		if err != nil {
			return discovery.Setup{}, errors.Join(err, opened.Close())
		}
		s.Sources = append(s.Sources, src)
	}
	unclaimed, err := a.policy("", c.Health, c.Guard, false, nil, &opened)
	if err != nil {
		return discovery.Setup{}, errors.Join(err, opened.Close())
	}
	unclaimed.Guard.AllowEmpty = true // it is no source that could be wiped
	s.Unclaimed = unclaimed
	w, err := a.open(c)
	if err != nil {
		return discovery.Setup{}, errors.Join(err, opened.Close())
	}
	opened = append(opened, w.Close)
	if err := a.shown.take(c, w); err != nil {
		return discovery.Setup{}, errors.Join(err, opened.Close())
	}
	a.writer, s.Publisher = w, &publisher{Writer: w, folder: a.folder(), logger: a.logger, shown: &a.shown, config: a.configPath()}
	s.Release = func() {
		if err := opened.Close(); err != nil {
			a.logger.Warn("letting go of the previous configuration", "err", err)
		}
	}
	return s, nil
}

// open opens the outputs, sharing the locks with a writer that still runs.
func (a *app) open(c *config.Config) (*writer.Writer, error) {
	if a.writer != nil {
		return a.writer.Reopen(a.writerOptions(c))
	}
	return writer.Open(a.writerOptions(c))
}

// source builds one source with all that goes with it.
func (a *app) source(c *config.Config, in config.Source, opened *closers) (discovery.SourceSetup, error) {
	src, err := in.Mechanism.New(in.Env(a.logger))
	if err != nil {
		return discovery.SourceSetup{}, fmt.Errorf("%s:%d: source %s: %w", in.File, in.Line, in.Name, err)
	}
	if closer, ok := src.(io.Closer); ok {
		*opened = append(*opened, closer.Close)
	}
	policy, err := a.policy(in.Name, in.Health, in.Guard, in.Operator, in.MCP, opened)
	if err != nil {
		return discovery.SourceSetup{}, fmt.Errorf("%s:%d: source %s: %w", in.File, in.Line, in.Name, err)
	}
	rules, logger := relabelOptions(c, in), a.logger.With("from", in.Name)
	if a.flags.command != "" { // explain says what was left out where it is asked
		logger = slog.New(slog.DiscardHandler)
	}
	return discovery.SourceSetup{
		Name: in.Name, Type: in.Type, Source: src, Policy: policy,
		Relabeler: relabel.New(rules, a.metrics.relabel, logger),
		Explain: func(raw mcptarget.Raw) (before, after mcptarget.Labels, t target) {
			before, after, t, _, _ = relabel.Explain(rules, raw)
			return before, after, t
		},
		RefreshInterval: in.RefreshInterval,
		Timeout:         in.Timeout,
		Fingerprint:     in.Fingerprint(),
	}, nil
}

func relabelOptions(c *config.Config, in config.Source) relabel.Options {
	return relabel.Options{
		Source: in.Name, Operator: in.Operator, Labels: in.Labels, Configs: in.RelabelConfigs,
		Scheme: in.Health.Scheme, Path: in.Health.Path, Endpoint: in.HealthEndpoint,
		Policy:   in.Health.Policy(in.Operator),
		MCP:      in.MCP != nil,
		KeepMeta: slices.ContainsFunc(c.Outputs, writer.Output.KeepsMeta),
	}
}

func (a *app) policy(name string, h health.Options, g discovery.GuardOptions, operator bool, mcp *health.MCPOptions, opened *closers) (discovery.SourcePolicy, error) {
	spec, err := health.NewSpec(name, h, operator, a.metrics.health, health.WithMCP(mcp))
	if err != nil {
		return discovery.SourcePolicy{}, fmt.Errorf("health.http_client: %w", err)
	}
	*opened = append(*opened, func() error { spec.Close(); return nil })
	return discovery.SourcePolicy{Health: h, Spec: spec, Guard: g, MCP: mcp}, nil
}

// interval is the longest time between two passes that counts across a restart.
func interval(c *config.Config) time.Duration {
	longest := time.Duration(c.Global.RefreshInterval)
	for _, s := range c.Sources {
		longest = max(longest, s.RefreshInterval)
	}
	return longest
}

// closers close in the reverse order, all of them whatever happens.
type closers []func() error

// Close closes all.
func (c closers) Close() error {
	var errs []error
	for _, close := range slices.Backward(c) {
		errs = append(errs, close())
	}
	return errors.Join(errs...)
}
