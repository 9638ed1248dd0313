package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestOneOfManyDaemons: of several that start at the same moment one works and
// the others say why they don't. The lock dies with its holder, however it ends.
func TestOneOfManyDaemons(t *testing.T) {
	t.Parallel()
	r := newRack(t)
	r.run(t).expectSilence(t)
	vigil := keepVigil(t, r.file(), r.addresses(1, 2, 3)...)
	for round := range 4 {
		var all []*daemon
		for range 4 {
			all = append(all, r.launch(t))
		}
		holder := theOneLeft(t, all)
		holder.getsReady(t)
		r.lists(t, fmt.Sprintf("v%d", round), 1, 2, 3)
		eventually(t, soon, r.written)
		holder.kill()
	}
	vigil.ends(t)
}

func theOneLeft(t *testing.T, all []*daemon) *daemon {
	t.Helper()
	var left *daemon
	eventually(t, soon, func() error {
		running := 0
		for _, d := range all {
			if d.running() == nil {
				left = d
				running++
			}
		}
		if running != 1 {
			return fmt.Errorf("%d daemons run on one output", running)
		}
		return nil
	})
	for _, d := range all {
		if d == left {
			continue
		}
		if code := d.cmd.ProcessState.ExitCode(); code != 4 {
			t.Errorf("a daemon without the lock ended with exit status %d", code)
		}
		if err := d.says("another mcp-sd "); err != nil {
			t.Error(err)
		}
	}
	return left
}

// TestOnceBesideBusyDaemon: single passes that meet a daemon at work change
// nothing and sweep nothing away from under its hands.
func TestOnceBesideBusyDaemon(t *testing.T) {
	t.Parallel()
	r := newRack(t)
	daemon := r.start(t)
	eventually(t, soon, r.written)
	vigil := keepVigil(t, r.file(), r.addresses(1, 2, 3)...)
	staged := stale(t, r)
	elsewhere := *r // as if it had a state of its own
	elsewhere.workspace = &workspace{config: r.config, state: t.TempDir()}
	for i := range 10 {
		r.lists(t, fmt.Sprintf("v%d", i), 1, 2, 3)
		r.run(t).expect(t, 4, "another mcp-sd uses the state directory")
		elsewhere.run(t).expect(t, 4, "another mcp-sd holds the output")
		eventually(t, soon, r.written)
	}
	for _, path := range staged {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("what the daemon may be at work on was swept: %v", err)
		}
	}
	if err := daemon.metric(`mcp_sd_writes_total{outcome="failure"}`, "0"); err != nil {
		t.Error(err)
	}
	vigil.ends(t)
	daemon.stops(t)
}

// TestSharedState: two configurations with one state directory. Beside each
// other the second is refused; one after the other, what the first has written
// is none of the second's business.
func TestSharedState(t *testing.T) {
	t.Parallel()
	first, second := newRack(t), newRack(t)
	second.state = first.state
	daemon := first.start(t)
	eventually(t, soon, first.written)
	second.run(t).expect(t, 4, "another mcp-sd uses the state directory", "--state.path")
	daemon.stops(t)
	got := second.run(t)
	if got.code != 0 || !strings.Contains(got.stderr, "last used with another configuration") {
		t.Errorf("exit status %d, stderr:\n%s", got.code, got.stderr)
	}
	for _, r := range []*rack{first, second} {
		if err := r.written(); err != nil {
			t.Error(err)
		}
	}
}

// TestManyOnce: of single passes at the same time some may find the output
// taken, and whoever has it does a whole pass.
func TestManyOnce(t *testing.T) {
	t.Parallel()
	r := newRack(t)
	r.run(t).expectSilence(t)
	vigil := keepVigil(t, r.file(), r.addresses(1, 2, 3)...)
	r.lists(t, "v2", 1, 2, 3, 4)
	codes := map[int]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			got := r.run(t)
			mu.Lock()
			defer mu.Unlock()
			codes[got.code]++
		})
	}
	all.Wait()
	if codes[0] == 0 || codes[0]+codes[4] != 8 {
		t.Errorf("the exit statuses were %v, want only 0 and 4", codes)
	}
	if err := r.written(); err != nil {
		t.Error(err)
	}
	vigil.ends(t)
}

// stale leaves what a killed mcp-sd leaves.
func stale(t *testing.T, r *rack) []string {
	t.Helper()
	staged := []string{
		filepath.Join(r.targets, ".mcp-sd", "stage-123"),
		filepath.Join(r.state, ".state.json.123.tmp"),
		filepath.Join(r.state, "listings", ".racks.json.123.tmp"),
	}
	for _, path := range staged {
		if err := os.WriteFile(path, []byte("[{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return staged
}

// TestStaleStagingFiles are swept by the next that holds the lock; what
// somebody else put beside them is not.
func TestStaleStagingFiles(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(*testing.T, *rack){
		"once": func(t *testing.T, r *rack) { r.run(t).expectSilence(t) },
		"daemon": func(t *testing.T, r *rack) {
			daemon := r.start(t)
			daemon.stops(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRack(t)
			r.run(t).expectSilence(t)
			staging := filepath.Join(r.targets, ".mcp-sd")
			calm := append(namesIn(t, staging), "notes.txt")
			stale(t, r)
			if err := os.WriteFile(filepath.Join(staging, "notes.txt"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			before := tree(t, r.dir)
			r.run(t, "--dry-run").expect(t, 0)
			if after := tree(t, r.dir); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("a dry run changed files from\n%v\nto\n%v", before, after)
			}
			next(t, r)
			onlyIn(t, staging, calm...)
			onlyIn(t, filepath.Join(r.state, "listings"), "racks.json")
			if _, err := os.Stat(filepath.Join(r.state, ".state.json.123.tmp")); err == nil {
				t.Error("a half-written state was not swept")
			}
		})
	}
}
