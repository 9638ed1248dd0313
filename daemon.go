package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/common/version"
	toolkit "github.com/prometheus/exporter-toolkit/web"
	"golang.org/x/sync/errgroup"

	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/state"
	"github.com/mcp-sd/mcp-sd/systemd"
	"github.com/mcp-sd/mcp-sd/web"
)

// stopTime is how long requests in flight may take at the end: most of the 5 s
// in which the daemon has to be gone (contract §2) are for a busy machine.
const stopTime = time.Second

// daemon runs until ctx ends.
func (a *app) daemon(ctx context.Context) error {
	hup := make(chan os.Signal, 1) // before the first load: a SIGHUP must never end the program
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	a.logger.Info("starting mcp-sd", "version", version.Info())
	a.notify = systemd.New(a.logger)
	c, err := a.load()
	if err != nil {
		return err
	}
	unlock, err := a.lockState()
	if err != nil {
		return err
	}
	defer unlock()
	s, err := a.setup(c)
	if err != nil {
		return err
	}
	a.loaded()
	a.sweeper = health.NewSweeper(health.NewHTTPProber(health.BodyMemory), c.Health.Concurrency, a.metrics.health)
	state.New(a.flags.statePath).Sweep()
	engine := a.engine(a.folder())

	engine.Beat = func() { a.beat(engine.View()) }

	setups := make(chan discovery.Setup) // whoever has sent one knows that the engine has it
	reloads := make(chan chan error)
	g, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, a.notify.Stopping)()
	g.Go(func() error { return a.start(ctx, s, setups) })
	g.Go(func() error { return engine.Run(ctx, setups) })
	g.Go(func() error { return a.reloads(ctx, hup, reloads, setups) })
	g.Go(func() error { return a.control(ctx, engine) })
	if len(a.flags.listen()) > 0 {
		g.Go(func() error { return a.serve(ctx, engine, reloads) })
	}
	err = g.Wait()
	a.logger.Info("stopped")
	return err
}

func (a *app) loaded() {
	a.metrics.reloaded.Set(1)
	a.metrics.reloadAt.SetToCurrentTime()
}

// reloads turns signals and requests into new setups, one at a time.
func (a *app) reloads(ctx context.Context, hup <-chan os.Signal, requests <-chan chan error, setups chan<- discovery.Setup) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			_ = a.reload(ctx, setups) // logged there
		case answer := <-requests:
			answer <- a.reload(ctx, setups)
		}
	}
}

// start hands the first setup over.
func (a *app) start(ctx context.Context, s discovery.Setup, setups chan<- discovery.Setup) error {
	select {
	case setups <- s:
	case <-ctx.Done():
		s.Release()
	}
	return nil
}

// reload builds a new setup from the file. An invalid file changes nothing.
func (a *app) reload(ctx context.Context, setups chan<- discovery.Setup) (err error) {
	a.notify.Reloading()
	defer func() { a.notify.Reloaded(err) }()
	c, err := a.load()
	var s discovery.Setup
	if err == nil {
		s, err = a.setup(c)
	}
	if err != nil {
		a.metrics.reloaded.Set(0)
		a.logger.Error("the configuration was not reloaded; the old one stays in force", slog.Any("err", err))
		return err
	}
	select {
	case setups <- s:
	case <-ctx.Done():
		s.Release()
		return context.Cause(ctx)
	}
	a.sweeper.SetConcurrency(c.Health.Concurrency)
	a.loaded()
	a.logger.Info("the configuration was reloaded", slog.String("file", a.flags.configFile))
	return nil
}

// serve serves HTTP until ctx ends.
func (a *app) serve(ctx context.Context, engine *discovery.Engine, reloads chan<- chan error) error {
	handler, err := web.Handler(web.Options{
		Registry:  a.registry,
		Views:     engine,
		Files:     a.shown.files,
		Config:    a.shown.configuration,
		Lifecycle: a.flags.lifecycle,
		Version:   cmp.Or(version.Version, "without a version"),
		Ready:     func() error { return ready(engine.View()) },
		Accept:    engine.Accept,
		Reload: func(ctx context.Context) error {
			answer := make(chan error, 1)
			select {
			case reloads <- answer:
				return <-answer
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	})
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	addresses := a.flags.listen()
	a.flags.web.WebListenAddresses = &addresses
	go func() {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		_ = server.Shutdown(stop)
	}()
	err = toolkit.ListenAndServe(server, a.flags.web, a.logger)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving HTTP: %w; another --web.listen-address may help", err)
}

// ready says why the daemon is not ready, if so.
func ready(v *discovery.View) error {
	switch {
	case v == nil:
		return errors.New("the published targets are being loaded")
	case !v.Decided:
		return errors.New("some source has not given its first answer")
	}
	return nil
}
