package sourcetest

import (
	"slices"
	"strings"
	"testing"

	"github.com/mcp-sd/mcp-sd/target"
)

// TestRun passes a source and a watcher that keep every promise.
func TestRun(t *testing.T) {
	t.Run("source", func(t *testing.T) {
		Run(t, func(tb testing.TB) Backend { return newMemory("").backend(tb) })
	})
	t.Run("watcher", func(t *testing.T) { Run(t, watcherSetup("")) })
}

func watcherSetup(defect string) Setup {
	return func(tb testing.TB) Backend {
		m := newMemory(defect)
		b := m.backend(tb)
		b.New = func() target.Source { return &memoryWatcher{memorySource{m: m}} }
		return b
	}
}

// TestDefectsAreFound demands of each defect that the check which is there for
// it fails: a suite that nothing can fail proves nothing.
func TestDefectsAreFound(t *testing.T) {
	const first = "watch/first listing and heartbeat"
	for _, tc := range []struct{ defect, check, want string }{
		{"names", "lists", "two parts are named"},
		{"sets job", "lists", "for the operator to set"},
		{"own meta", "lists", "mcp-sd's own"},
		{"label name", "lists", "is not legal"},
		{"no address", "lists", "no __address__"},
		{"leak", "lists", "goroutines left behind"},
		{"unstable", "repeated calls agree", "two calls"},
		{"swaps parts", "repeated calls agree", "change places"},
		{"short when canceled", "canceled before it began", "short or wrong"},
		{"ignores cancellation", "canceled while waiting", "has not returned"},
		{"short list", "fails whole/part b", "no part failed"},
		{"error with targets", "fails whole/part b", "came with 1 targets"},
		{"first is unchanged", first, "the first listing says"},
		{"first is partial", first, "not complete"},
		{"never unchanged", first, "not marked unchanged"},
		{"no heartbeat", first, "heartbeat: no listing"},
		{"returns the context's error", first, "must return nil"},
		{"hangs at the end", first, "has not returned"},
		{"short list", "watch/fails whole/part b", "short or wrong"},
		{"short list", "watch/starts broken/part b", "no failed part"},
	} {
		t.Run(tc.defect+" in "+tc.check, func(t *testing.T) {
			t.Parallel()
			setup := watcherSetup(tc.defect)
			i := slices.IndexFunc(checks(setup(t)), func(c check) bool { return c.name == tc.check })
			if i < 0 {
				t.Fatalf("there is no check %q", tc.check)
			}
			err := ask(setup(t), checks(setup(t))[i])
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}
