package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-sd/mcp-sd/cli"
	"github.com/mcp-sd/mcp-sd/discovery"
)

// told is an engine that says what it was asked.
type told struct{ asked string }

func (e *told) Targets(context.Context) ([]discovery.TargetView, error) {
	return []discovery.TargetView{{Address: "10.0.0.1:80"}}, nil
}

func (e *told) Explain(_ context.Context, address string) (discovery.Explanation, error) {
	return discovery.Explanation{Address: address}, nil
}

func (e *told) Accept(_ context.Context, source, by string) ([]discovery.KeptTarget, error) {
	e.asked = "accept " + source + " by " + by
	return nil, nil
}

func (e *told) Remove(_ context.Context, address, _ string) ([]discovery.KeptTarget, error) {
	return nil, errors.New(address + " stays")
}

// The client of the command line and the control socket understand each other.
func TestControl(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	engine := &told{}
	srv := &http.Server{Handler: Control(engine)}
	go srv.Serve(l) //nolint:errcheck // ends with the test
	defer srv.Close()
	c, ctx := cli.NewClient(path), t.Context()

	ts, err := c.Targets(ctx)
	if err != nil || len(ts) != 1 || ts[0].Address != "10.0.0.1:80" {
		t.Errorf("targets: %v, %v", ts, err)
	}
	x, err := c.Explain(ctx, "10.0.0.1:80&x=y")
	if err != nil || x.Address != "10.0.0.1:80&x=y" {
		t.Errorf("explain: %v, %v", x, err)
	}
	if _, err := c.Accept(ctx, "racks", "me & you"); err != nil || engine.asked != "accept racks by me & you" {
		t.Errorf("accept: asked %q, %v", engine.asked, err)
	}
	if _, err := c.Remove(ctx, "10.0.0.1:80", "me"); err == nil || !strings.Contains(err.Error(), "10.0.0.1:80 stays") {
		t.Errorf("remove: %v", err)
	}
	_, err = cli.NewClient(path + "x").Targets(ctx)
	if !errors.Is(err, cli.ErrNoDaemon) {
		t.Errorf("nobody listens: %v", err)
	}
}
