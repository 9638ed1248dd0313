package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// views are what an engine would show.
type views struct {
	view      *discovery.View
	inventory *discovery.Inventory
	explained discovery.Explanation
	busy      bool
}

func (v *views) View() *discovery.View { return v.view }

func (v *views) Inventory(context.Context) *discovery.Inventory { return v.inventory }

func (v *views) Explain(_ context.Context, address string) (discovery.Explanation, error) {
	if v.busy {
		return discovery.Explanation{}, errors.New("busy")
	}
	x := v.explained
	x.Address = address
	return x, nil
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// fleet is n targets of one source.
func fleet(n int) *views {
	v := &views{
		view: &discovery.View{
			At: noon, Decided: true,
			Sources: []discovery.SourceView{{
				Name: "racks", Type: "static", Up: true, Listed: noon, Succeeded: noon.Add(-time.Minute),
				Parts: []discovery.PartView{{Name: "a.yml", Targets: n, Rejected: 2, At: noon}},
			}},
			Tallies: []discovery.Tally{{
				Source: "racks", Standing: map[discovery.Standing]int{discovery.Published: n},
				Health: map[health.Verdict]int{health.Up: n},
			}},
		},
		inventory: &discovery.Inventory{At: noon},
	}
	for i := range n {
		v.inventory.Targets = append(v.inventory.Targets, published(fmt.Sprintf("10.0.%d.%d:3000", i/250, i%250)))
	}
	return v
}

func published(address string) discovery.TargetView {
	return discovery.TargetView{
		URL: "http://" + address + "/metrics", Address: address, Source: "racks",
		State: discovery.Published, Health: health.Up, Rule: discovery.RuleListed,
		Labels:      labels.FromStrings(target.EnvironmentName, "production", target.RegionName, "us-east-1", target.VersionName, "v1"),
		HealthSince: noon.Add(-90 * time.Minute), LastProbe: noon.Add(-4 * time.Second), ProbeSeconds: 0.0123,
	}
}

// handler serves views and files.
func handler(t testing.TB, v *views, files func() []File) http.Handler {
	t.Helper()
	if files == nil {
		files = func() []File { return []File{} }
	}
	h, err := Handler(Options{
		Registry: prometheus.NewRegistry(), Views: v, Files: files, Version: "1.2.3",
		Ready:  func() error { return nil },
		Config: func() []byte { return []byte("global: {labels: {a: '<b>'}}\n") },
		Now:    func() time.Time { return noon },
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func ask(h http.Handler, method, path string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func get(h http.Handler, path string) *httptest.ResponseRecorder { return ask(h, "GET", path, nil) }
