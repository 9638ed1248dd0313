package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// rollingDeploy: one instance after the other makes way for a new one at the
// same address. None is missing at any time, and none is held in the end.
func rollingDeploy(t *testing.T, g *guarded) {
	const fleet = 6
	g.health = "fall: 3" // the default: between the old one and the new one there may be a moment
	g.begins(t, fleet)
	all := g.addresses(1, fleet)
	for i := 1; i <= fleet; i++ {
		g.goes(t, i, i, "a")
		g.comes(t, i, "b", "v2")
		g.keeping(t, all, func() error { return fileLabel(g.file(), g.fleet.address(g.ip(i)), "version", "v2") })
	}
	g.keeping(t, all, func() error { return errors.Join(g.has(all), g.are("published", all)) })
}

// scaleIn: six of ten leave at once, which is too many: all six are held, and
// leave when every listing over confirm_after lacked them.
func scaleIn(t *testing.T, g *guarded) {
	g.onNode(t, "stays", 1, 4, nil)
	g.onNode(t, "goes", 5, 10, nil)
	g.follows(t, 10)
	all, gone := g.addresses(1, 10), g.addresses(5, 10)
	for i := 5; i <= 10; i++ {
		g.fleet.set(g.ip(i), off)
	}
	began := time.Now()
	g.nodeGoes(t, "goes")
	g.keeping(t, all, func() error { return g.are("held", gone) })
	eventually(t, soon, func() error { return g.daemon.metric(`mcp_sd_targets{source="consul",state="held"}`, "6") })
	// Additions never wait.
	g.comes(t, 11, "a", "v1")
	added := g.addresses(11, 11)
	g.keeping(t, all, func() error { return atLeast(g.file(), added...) })
	eventually(t, retried, func() error { return g.has(append(added, g.addresses(1, 4)...)) })
	if stayed := time.Since(began); stayed < g.confirm {
		t.Errorf("they left after %s, before confirm_after (%s) was over", stayed.Round(time.Millisecond), g.confirm)
	}
}

// scaleInOfLiving: what was delisted but answers waits for a person, for all
// of whom it is six targets that leave, and no more. One probe that is late does
// not make a silent one of them.
func scaleInOfLiving(t *testing.T, g *guarded) {
	g.probes, g.health = "interval: 3s, timeout: 3s", "fall: 3, linger: 1s"
	g.onNode(t, "stays", 1, 4, nil)
	g.onNode(t, "goes", 5, 10, nil)
	g.follows(t, 10)
	all, gone := g.addresses(1, 10), g.addresses(5, 10)
	g.nodeGoes(t, "goes")
	g.keeping(t, all, func() error { return g.are("held", gone) })
	g.restarts(t)
	holds(t, g.confirm+2*time.Second, func() error { return g.has(all) })
	if err := g.are("held", gone); err != nil {
		t.Error(err)
	}

	got := g.call(t, "accept", "consul")
	got.expect(t, 0)
	if n := strings.Count(got.stdout, "let through"); n != len(gone) {
		t.Errorf("mcp-sd accept let %d targets through, want %d:\n%s", n, len(gone), got.stdout)
	}
	eventually(t, soon, func() error { return g.has(g.addresses(1, 4)) })
	why := g.call(t, "explain", gone[0])
	if !strings.Contains(why.stdout, "accepted by") {
		t.Errorf("mcp-sd explain does not say who accepted it:\n%s", why.stdout)
	}
}

// restarts kills mcp-sd and starts it again.
func (g *guarded) restarts(t *testing.T) {
	t.Helper()
	g.daemon.kill()
	g.daemon = g.start(t)
}

// blueGreen: all five instances are replaced at once by five at other
// addresses. The new ones don't wait, and make up for the old ones: never do
// more leave than have come, but for the two that always may.
func blueGreen(t *testing.T, g *guarded) {
	g.begins(t, 5)
	green := g.addresses(6, 10)
	for i := 6; i <= 10; i++ {
		g.comes(t, i, "b", "v2")
	}
	g.goes(t, 1, 5, "a")
	const minRemoved = 2 // guard.min_removed
	eventually(t, soon, func() error {
		if n, err := g.published(); err != nil || n < 5-minRemoved {
			t.Fatalf("only %d are published: %v", n, err)
		}
		return atLeast(g.file(), green...)
	})
	g.keeping(t, green, func() error { return g.has(green) })
}

// environmentLost: the node's metadata lose the environment of all its
// instances at once. Labels and file stay as they were for confirm_after, and
// no instance is ever in neither file.
func environmentLost(t *testing.T, g *guarded) {
	g.output = "mcp-{environment}.json"
	g.configures(t)
	g.onNode(t, "rack", 1, 4, map[string]string{"environment": "production"})
	g.daemon = g.start(t)
	all := g.addresses(1, 4)
	production := &guarded{workspace: g.workspace, output: "mcp-production.json"}
	unknown := &guarded{workspace: g.workspace, output: "mcp-unknown.json"}
	eventually(t, soon, func() error { return production.has(all) })

	began := time.Now()
	g.onNode(t, "rack", 1, 1, map[string]string{})
	production.keeping(t, all, func() error { return production.are("held", all) })
	if err := fileLabel(production.file(), all[0], "environment", "production"); err != nil {
		t.Error(err)
	}
	eventually(t, retried, func() error {
		moved := unknown.has(all)
		if err := atLeast(production.file(), all...); err != nil && unknown.has(all) != nil {
			t.Fatalf("not all are in %s, and %v", unknown.file(), err)
		}
		return moved
	})
	if stayed := time.Since(began); stayed < g.confirm {
		t.Errorf("the labels changed after %s, before confirm_after (%s) was over", stayed.Round(time.Millisecond), g.confirm)
	}
	unknown.keeping(t, all, func() error { return production.has(nil) })
}

// relabelTypo: a reload with a rule that keeps nothing, while nobody answers,
// looks as if all were gone, and is none of it. Undoing it mends everything.
func relabelTypo(t *testing.T, g *guarded) {
	g.begins(t, 4)
	all := g.addresses(1, 4)
	g.relabel = "{source_labels: [__meta_consul_service], regex: relable-typo, action: keep}"
	g.reloads(t)
	for i := 1; i <= 4; i++ {
		g.fleet.set(g.ip(i), off)
	}
	g.keeping(t, all, func() error { return g.are("held", all) })
	holds(t, g.confirm+2*time.Second, func() error { return g.has(all) })

	g.relabel = ""
	g.reloads(t)
	g.keeping(t, all, func() error { return errors.Join(g.has(all), g.are("published", all)) })
}

// reloads by SIGHUP, and waits until that was taken in.
func (g *guarded) reloads(t *testing.T) {
	t.Helper()
	before, err := g.daemon.value("mcp_sd_config_last_reload_success_timestamp_seconds")
	if err != nil {
		t.Fatal(err)
	}
	g.configures(t)
	g.daemon.signal(t, syscall.SIGHUP)
	eventually(t, soon, func() error {
		if now, err := g.daemon.value("mcp_sd_config_last_reload_success_timestamp_seconds"); err != nil || now == before {
			return fmt.Errorf("not reloaded: %w", err)
		}
		return g.daemon.metric("mcp_sd_config_last_reload_successful", "1")
	})
}

// flapping: two failures between two answers are less than fall (contract §5,
// hysteresis): such an endpoint is never down while it is listed, and when it
// is not, it is no silent one either. An answer that is late would be a third
// failure, so it has some time.
func flapping(t *testing.T, g *guarded) {
	g.probes, g.health = "interval: 3s, timeout: 3s", "fall: 3, rise: 2"
	g.begins(t, 4)
	var asked atomic.Int64
	metrics := instanceMetrics("")
	g.fleet.play(g.ip(1), func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1)%3 != 0 {
			http.Error(w, "out of order", http.StatusInternalServerError)
			return
		}
		metrics.ServeHTTP(w, r)
	})
	address := g.fleet.address(g.ip(1))
	eventually(t, retried, func() error {
		if n := asked.Load(); n < 9 {
			return fmt.Errorf("probed %d times, want 9", n)
		}
		return nil
	})
	if down, err := g.daemon.value(`mcp_sd_target_health{health="down",source="consul"}`); err != nil || down != "0" {
		t.Errorf("%s down, want none: %v", down, err)
	}

	g.delisted(t, 1, "a")
	before := asked.Load() // it goes on counting: another beginning could add two failures to two
	g.keeping(t, []string{address}, func() error { return g.are("lingering", []string{address}) })
	g.keepingFor(t, retried, []string{address}, func() error { // every 5 s, from the moment of its leaving
		if n := asked.Load() - before; n < 4 {
			return fmt.Errorf("probed %d times, want 4", n)
		}
		return nil
	})
	g.fleet.set(g.ip(1), off)
	eventually(t, retried, func() error { return g.has(g.addresses(2, 4)) })
}
