package traffic

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcp-sd/mcp-sd/examples/mcp-server/server"
)

// hold keeps many clients connected, each with a stream on a connection of its
// own, and connects those anew that were cut.
func (o Options) hold(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	places := make(chan struct{}, 32) // clients that are connecting
	for range o.Connections {
		all.Go(func() {
			for ctx.Err() == nil {
				if err := o.holdOne(ctx, places); err != nil && ctx.Err() == nil {
					o.Logger.Debug("Traffic: holding a connection failed", "err", err)
					pauseFor(ctx, time.Second)
				}
			}
		})
	}
}

// holdOne listens for changes of the tools, as clients do that stay for long,
// until its session or ctx ends.
func (o Options) holdOne(ctx context.Context, places chan struct{}) error {
	v := o.visitor("listener", server.TierFree, true)
	v.o.AuthFailureRate = 0
	defer v.transport.CloseIdleConnections()
	client := mcp.NewClient(&mcp.Implementation{Name: "mcp-example-listener", Version: "1"}, &mcp.ClientOptions{
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) {},
	})
	select {
	case places <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: o.URL + server.MCPPath, HTTPClient: &http.Client{Transport: v},
	}, nil)
	<-places
	if err != nil {
		return fmt.Errorf("connecting a client that stays: %w", err)
	}
	v.transport.CloseIdleConnections() // only the stream's is left
	ended := make(chan error, 1)
	go func() { ended <- session.Wait() }()
	select {
	case <-ctx.Done():
		_ = session.Close()
		o.Logger.Debug("Traffic: a client that stayed has left", "err", <-ended)
		return nil
	case err := <-ended:
		_ = session.Close()
		return err
	}
}

func pauseFor(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
