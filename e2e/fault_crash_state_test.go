package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A damage is what was done to the state between two runs.
type damage struct {
	name  string
	does  func(t *testing.T, r *rack)
	aside string // the file that is found unusable, if any
	// forgets says that the guard's window is lost: it counts as spent.
	forgets bool
	warns   bool // of something else
}

var damages = []damage{
	{name: "none", does: func(*testing.T, *rack) {}},
	{name: "state deleted", does: func(t *testing.T, r *rack) { deletes(t, r.stateFile()) }, forgets: true},
	{name: "state truncated", does: func(t *testing.T, r *rack) { halves(t, r.stateFile()) }, aside: stateName, forgets: true},
	{name: "state empty", does: puts(stateName, ""), aside: stateName, forgets: true},
	{name: "state of noise", does: puts(stateName, "\x00\xff\x00"), aside: stateName, forgets: true},
	{name: "state is null", does: puts(stateName, "null"), aside: stateName, forgets: true},
	{name: "state without a ledger", does: func(t *testing.T, r *rack) {
		replacesIn(t, r.stateFile(), `"ledger":{`, `"ledger":null,"was":{`)
	}, aside: stateName, forgets: true},
	{name: "older state", does: func(t *testing.T, r *rack) {
		replacesIn(t, r.stateFile(), `"schema":2`, `"schema":0`)
	}, aside: stateName, forgets: true},
	{name: "newer state", does: func(t *testing.T, r *rack) {
		replacesIn(t, r.stateFile(), `"schema":2`, `"schema":3`)
	}, aside: stateName, forgets: true},
	{name: "listing deleted", does: func(t *testing.T, r *rack) { deletes(t, r.listing()) }},
	{name: "listing truncated", does: func(t *testing.T, r *rack) { halves(t, r.listing()) }, aside: listingName},
	{name: "listing empty", does: puts(listingName, ""), aside: listingName},
	{name: "newer listing", does: func(t *testing.T, r *rack) {
		replacesIn(t, r.listing(), `"schema":1`, `"schema":2`)
	}, aside: listingName},
	{name: "list of outputs truncated", does: func(t *testing.T, r *rack) {
		halves(t, filepath.Join(r.state, "outputs.json"))
	}, warns: true},
	{name: "all deleted", does: func(t *testing.T, r *rack) { deletes(t, r.state) }, forgets: true},
}

const (
	stateName   = "state.json"
	listingName = "listings/racks.json"
)

func (r *rack) stateFile() string { return filepath.Join(r.state, stateName) }
func (r *rack) listing() string   { return filepath.Join(r.state, listingName) }

// TestDamagedState restarts in the middle of an outage of the source. Whatever
// became of the state, no target is lost, and none that was removed comes back.
func TestDamagedState(t *testing.T) {
	t.Parallel()
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			r := newHistory(t)
			d.does(t, r)
			d.survives(t, r)
		})
	}
}

// newHistory is a rack that has been at work: 1 and 2 are up, 3 is down and
// listed, 4 was removed, and answers again although nobody lists it.
func newHistory(t *testing.T) *rack {
	t.Helper()
	r := newRack(t)
	r.lists(t, "v1", 1, 2, 3, 4)
	r.run(t).expectSilence(t)
	r.fleet.set(rackIP(3), broken)
	r.fleet.set(rackIP(4), off)
	r.lists(t, "v1", 1, 2, 3)
	r.run(t).expectSilence(t)
	r.fleet.set(rackIP(4), healthy)
	if err := r.written(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (d damage) survives(t *testing.T, r *rack) {
	vigil := &vigil{path: r.file(), must: r.addresses(1, 2, 3), gone: r.addresses(4)}
	vigil.begin(t)
	r.breaks(t)
	first := r.run(t)
	first.expect(t, 5)
	d.isTold(t, r, first.stderr)
	again := r.run(t)
	again.expect(t, 5)
	if strings.Contains(again.stderr, "set aside") {
		t.Errorf("the new state can't be used either:\n%s", again.stderr)
	}
	r.lists(t, "v1", 1, 2, 3)
	r.run(t).expect(t, 0)
	if err := r.written(); err != nil {
		t.Error(err)
	}
	vigil.ends(t)

	published := r.want
	r.lists(t, "v1", 1, 2)
	if d.forgets { // who has forgotten what left can't say that little did
		r.want = published
		r.run(t).expect(t, 3)
	} else {
		r.run(t).expect(t, 0)
	}
	if err := r.written(); err != nil {
		t.Error(err)
	}
}

// isTold checks that a loss is warned of, and that what could not be used is
// still there to be looked at.
func (d damage) isTold(t *testing.T, r *rack, stderr string) {
	t.Helper()
	warned := false
	for line := range strings.Lines(stderr) {
		warned = warned || strings.Contains(line, "level=WARN") && !strings.Contains(line, "a source failed")
	}
	if harmed := d.aside != "" || d.forgets || d.warns; harmed != warned {
		t.Errorf("warned is %t, want %t:\n%s", warned, harmed, stderr)
	}
	aside, err := filepath.Glob(filepath.Join(r.state, d.aside+".damaged-*"))
	if d.aside != "" && (len(aside) != 1 || err != nil) {
		t.Errorf("set aside were %q, %v, want one file", aside, err)
	}
}

func deletes(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func halves(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, info.Size()/2)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func puts(name, content string) func(*testing.T, *rack) {
	return func(t *testing.T, r *rack) { replaceFile(t, filepath.Join(r.state, name), content) }
}

func replacesIn(t *testing.T, path, from, to string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), from) {
		t.Fatalf("%s has no %s", path, from)
	}
	replaceFile(t, path, strings.Replace(string(content), from, to, 1))
}
