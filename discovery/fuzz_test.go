package discovery

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
)

// Whatever the state files hold, mcp-sd starts, takes nothing away before its
// sources have answered for it, and ends up with what sources and probes agree
// on (contract §8). What it could use it can also save, and use again.
func FuzzState(f *testing.F) {
	for _, c := range savedLives(f) {
		f.Add(c.files[stateFile], c.files[listingFile("a")])
	}
	f.Add([]byte(nil), []byte(nil))
	f.Add([]byte(`{"schema": 1, "ledger": null}`), []byte(`{"schema": 1, "parts": null}`))
	f.Add([]byte(`{"schema": 99}`), []byte(`{"schema": 1, "parts": [{"raw": [{"labels": {"__address__": "x"}}]}]}`))
	f.Fuzz(func(t *testing.T, state, listing []byte) {
		w := newWorld(t, "a")
		w.settle("a", one, two, three)
		c := newCabinet()
		c.files[stateFile], c.files[listingFile("a")] = state, listing
		usable := w.reborn(c, "a")
		w.step()
		if !usable {
			w.expect("nothing is remembered", one, two, three)
		}
		saved := newCabinet()
		m := memory{folder: saved, dirty: true, listings: map[string]bool{"a": true}, logger: promslog.NewNopLogger()}
		if err := m.save(w.state, w.now, true); err != nil {
			t.Fatal(err)
		}
		if !w.reborn(saved, "a") {
			t.Fatalf("what was saved can't be used: %s", saved.files[stateFile])
		}
		w.list("a", one, two, three)
		w.up(one, two, three)
		w.step()
		for _, a := range []string{one, two, three} {
			if !slices.Contains(w.published(), a) {
				t.Errorf("%s is listed and up, and not published", a)
			}
		}
	})
}

// savedLives are the state files of a fleet in several moods.
func savedLives(tb testing.TB) []*cabinet {
	var lives []*cabinet
	w := newWorld(tb, "a")
	keep := func() {
		c := newCabinet()
		m := memory{folder: c, dirty: true, listings: map[string]bool{"a": true}, logger: promslog.NewNopLogger()}
		if err := m.save(w.state, w.now, true); err != nil {
			tb.Fatal(err)
		}
		lives = append(lives, c)
	}
	w.settle("a", one, two, three)
	keep()
	w.list("a", two)
	w.step()
	keep() // lingering
	w.down(one, two, three)
	w.list("a")
	w.step()
	keep() // held
	w.wait(5 * time.Minute)
	w.list("a", one, "10.0.0.9:80")
	w.step()
	keep() // pending
	return lives
}

// reborn goes on with what the files and the folder say, with these sources, and
// reports whether the state in it was of use.
func (w *world) reborn(c *cabinet, sources ...string) (usable bool) {
	var setups []SourceSetup
	for _, name := range sources {
		setups = append(setups, SourceSetup{Name: name, Type: "test", Fingerprint: "1", Policy: w.policy.Sources["a"], Relabeler: &plainRelabeler{source: name}})
	}
	w.state = NewState()
	w.state.Configure(setups)
	w.state.Inherit(w.files(), "version")
	m := memory{folder: c, logger: promslog.NewNopLogger()}
	m.recall(w.state, Setup{Sources: setups, Interval: time.Minute}, w.now)
	w.state.Merge(w.now)
	return !slices.Contains(c.aside, stateFile)
}
