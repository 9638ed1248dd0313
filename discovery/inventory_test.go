package discovery

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Readers share one inventory until something is decided or a second passes;
// while the engine hangs, the latest one stands in; and what nobody asks for
// is let go.
func TestInventory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(one, two)
		r.start(t)
		r.expect(t, "all answer at once", one, two)
		first := r.engine.Inventory(t.Context())
		if len(first.Targets) != 2 || first.Targets[0].Address != one || first.Targets[0].State != Published {
			t.Fatalf("the inventory is %+v", first)
		}
		if got := first.Targets[0]; got.LastProbe.IsZero() || got.HealthSince.IsZero() {
			t.Errorf("it is not said when the target was probed and since when it is up: %+v", got)
		}
		elapse(inventoryFresh / 2)
		writes, decided := r.written(), r.engine.lastStep
		if second := r.engine.Inventory(t.Context()); second != first {
			t.Error("two readers at once cost two inventories")
		}
		elapse(2 * inventoryFresh)
		third := r.engine.Inventory(t.Context())
		if third == first || !third.At.After(first.At) {
			t.Error("an old inventory was shown as new")
		}
		synctest.Wait()
		if r.written() != writes || r.engine.lastStep != decided {
			t.Error("a reader made the engine decide")
		}

		elapse(2 * inventoryFresh)
		block := make(chan struct{})
		go r.engine.do(t.Context(), func() { <-block }) //nolint:errcheck // ends with the test
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := r.engine.Inventory(ctx); got != third {
			t.Errorf("while the engine hangs, %+v is shown", got)
		}
		close(block)

		elapse(2 * inventoryKept)
		if r.engine.roll.latest.Load() != nil {
			t.Error("an inventory is kept that nobody asked for in a minute")
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func (d *disk) written() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.writes
}

func TestNearest(t *testing.T) {
	w := newWorld(t, "a")
	w.list("a", "10.0.0.1:3000", "10.0.0.2:3000", "10.0.0.12:3000", "mcp-1.example.com:8080", "[2001:db8::1]:9090")
	for _, c := range []struct {
		asked string
		want  []string
	}{
		{"10.0.0.1:300", []string{"10.0.0.1:3000", "10.0.0.12:3000", "10.0.0.2:3000"}},
		{"10.0.0.1", []string{"10.0.0.1:3000", "10.0.0.12:3000", "10.0.0.2:3000"}},
		{"mcp-1.exmaple.com:8080", []string{"mcp-1.example.com:8080"}},
		{"2001:db8::1:9090", []string{"[2001:db8::1]:9090"}},
		{"something else entirely", nil},
		{"", nil},
	} {
		if got := w.state.nearest(c.asked); !slices.Equal(got, c.want) {
			t.Errorf("nearest to %q: %q, want %q", c.asked, got, c.want)
		}
	}
}

// Whoever asks may have copied the URL from Prometheus.
func TestAddressOf(t *testing.T) {
	for asked, want := range map[string]string{
		"10.0.0.1:3000":                       "10.0.0.1:3000",
		"http://10.0.0.1:3000/metrics?a=b":    "10.0.0.1:3000",
		"https://[2001:db8::1]:9090/metrics":  "[2001:db8::1]:9090",
		"http://":                             "http://",
		"://":                                 "://",
		"http://user:pass@mcp.example.com:80": "mcp.example.com:80",
	} {
		if got := addressOf(asked); got != want {
			t.Errorf("addressOf(%q) is %q, want %q", asked, got, want)
		}
	}
}
