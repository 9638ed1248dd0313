// Package traffic uses an MCP server as its users would, so that an example
// fleet has something to show, and as its enemies would, so that its alarms
// have something to ring for.
//
// Everything goes over HTTP: MCP calls through the official client, pages
// through net/http, each user with connections and credentials of their own.
// What is done follows a fixed round, so that after one of them every metric
// of the server has moved.
package traffic

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mcp-sd/mcp-sd/examples/mcp-server/server"
)

// Options say whom to call, how often, and with what faults.
type Options struct {
	URL         string             // of the server
	Credentials server.Credentials // that the server takes
	Rate        float64            // actions per second; 0: none
	Logger      *slog.Logger

	AuthFailureRate float64 // share of authentications that fail, 0 to 1
	AuthAttempts    float64 // further authentications per second
	Connections     int     // further clients that hold a connection open
}

const maxInFlight = 128 // actions that are not finished

// Run goes on until ctx ends. It never gives up on a server that fails: it
// connects anew with the next action.
func Run(ctx context.Context, o Options) {
	g := &errgroup.Group{}
	if o.Rate > 0 {
		g.Go(func() error { o.visit(ctx); return nil })
	}
	if o.AuthAttempts > 0 {
		g.Go(func() error { o.knock(ctx); return nil })
	}
	if o.Connections > 0 {
		g.Go(func() error { o.hold(ctx); return nil })
	}
	_ = g.Wait() // nobody returns an error
}

// visit lets the users act in turn.
func (o Options) visit(ctx context.Context) {
	all := o.visitors()
	defer func() {
		for _, v := range all {
			v.leave()
		}
	}()
	actions := round()
	o.each(ctx, o.Rate, func(n int) {
		v := all[n%len(all)]
		if err := v.act(ctx, actions[n%len(actions)], n/len(actions)); err != nil && ctx.Err() == nil {
			o.Logger.Debug("Traffic: an action failed", "user", v.name, "err", err)
		}
	})
}

// knock authenticates and does nothing else.
func (o Options) knock(ctx context.Context) {
	callers := o.visitors()[1:] // the first one is anonymous
	defer func() {
		for _, v := range callers {
			v.transport.CloseIdleConnections()
		}
	}()
	o.each(ctx, o.AuthAttempts, func(n int) {
		if err := callers[n%len(callers)].knock(ctx); err != nil && ctx.Err() == nil {
			o.Logger.Debug("Traffic: knocking failed", "err", err)
		}
	})
}

// each calls do at a rate per second, each call on its own, and waits for all.
// What a slow server can't take is left out.
func (o Options) each(ctx context.Context, rate float64, do func(n int)) {
	var running sync.WaitGroup
	defer running.Wait()
	places := make(chan struct{}, maxInFlight)
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		select {
		case places <- struct{}{}:
			running.Go(func() { do(n); <-places })
		default:
		}
	}
}

// visitors are the users: each tier, with tokens and with keys.
func (o Options) visitors() []*visitor {
	all := []*visitor{o.visitor("", "", false)}
	for _, tier := range []string{server.TierFree, server.TierPro, server.TierEnterprise} {
		for _, key := range []bool{false, true} {
			all = append(all, o.visitor(fmt.Sprintf("user-%s-%t", tier, key), tier, key))
		}
	}
	return all
}
