package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An edit is what somebody did to an output file.
type edit struct {
	name  string
	does  func(t *testing.T, r *rack)
	keeps []int // the instances that no version may lack from then on
}

var edits = []edit{
	{name: "target taken out", does: func(t *testing.T, r *rack) {
		replacesIn(t, r.file(), fmt.Sprintf("%q,\n", r.address(1)), "")
	}, keeps: []int{2, 3}},
	{name: "target added", does: func(t *testing.T, r *rack) {
		replacesIn(t, r.file(), fmt.Sprintf("%q,", r.address(1)), fmt.Sprintf(`%q, "10.255.0.1:9000",`, r.address(1)))
	}, keeps: []int{1, 2, 3}},
	{name: "labels changed", does: func(t *testing.T, r *rack) {
		replacesIn(t, r.file(), `"release": "v1"`, `"release": "v0"`)
	}, keeps: []int{1, 2, 3}},
	{name: "layout changed", does: func(t *testing.T, r *rack) {
		replacesIn(t, r.file(), "\n", "\n\n")
	}, keeps: []int{1, 2, 3}},
	{name: "truncated", does: func(t *testing.T, r *rack) { halves(t, r.file()) }, keeps: []int{1, 2, 3}},
	{name: "emptied", does: func(t *testing.T, r *rack) { replaceFile(t, r.file(), "") }, keeps: []int{1, 2, 3}},
	{name: "merge conflict", does: func(t *testing.T, r *rack) {
		replacesIn(t, r.file(), "[", "<<<<<<< HEAD\n[")
	}, keeps: []int{1, 2, 3}},
	{name: "deleted", does: func(t *testing.T, r *rack) { deletes(t, r.file()) }, keeps: []int{1, 2, 3}},
	{name: "mode changed", does: func(t *testing.T, r *rack) {
		if err := os.Chmod(r.file(), 0o600); err != nil {
			t.Fatal(err)
		}
	}, keeps: []int{1, 2, 3}},
	{name: "manifest damaged", does: func(t *testing.T, r *rack) {
		halves(t, filepath.Join(r.targets, ".mcp-sd", "manifest.json"))
	}, keeps: []int{1, 2, 3}},
}

// TestEditedWhileStopped: somebody changed the output by hand between two
// runs. In what Prometheus can read, no target is lacking from then on.
func TestEditedWhileStopped(t *testing.T) {
	t.Parallel()
	for _, e := range edits {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			r := newHistory(t)
			e.does(t, r)
			vigil := e.vigil(t, r)
			r.run(t)
			r.run(t).expectSilence(t)
			if err := e.mended(r); err != nil {
				t.Error(err)
			}
			vigil.ends(t)
		})
	}
}

// TestEditedWhileRunning: the same with a daemon at work, which puts the file
// back by itself.
func TestEditedWhileRunning(t *testing.T) {
	t.Parallel()
	for _, e := range edits {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			r := newHistory(t)
			daemon := r.start(t)
			e.does(t, r)
			vigil := e.vigil(t, r)
			eventually(t, soon, func() error { return e.mended(r) })
			vigil.ends(t)
			daemon.stops(t)
		})
	}
}

func (e edit) vigil(t *testing.T, r *rack) *vigil {
	v := &vigil{path: r.file(), must: r.addresses(e.keeps...), gone: r.addresses(4), edited: true}
	v.begin(t)
	return v
}

// mended checks that the file is as mcp-sd alone would have it.
func (e edit) mended(r *rack) error {
	if err := r.written(); err != nil {
		return err
	}
	info, err := os.Stat(r.file())
	if err == nil && info.Mode().Perm() != 0o644 {
		err = fmt.Errorf("%s has mode %o, want 644", r.file(), info.Mode().Perm())
	}
	return err
}

// TestEditedInAnOutage: the file is broken and the source fails. What is known
// of the last listing is what Prometheus gets.
func TestEditedInAnOutage(t *testing.T) {
	t.Parallel()
	for _, e := range edits {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			r := newHistory(t)
			e.does(t, r)
			r.breaks(t)
			vigil := e.vigil(t, r)
			r.run(t).expect(t, 5)
			r.run(t).expect(t, 5)
			r.lists(t, "v1", 1, 2, 3)
			r.run(t).expect(t, 0)
			if err := e.mended(r); err != nil {
				t.Error(err)
			}
			vigil.ends(t)
		})
	}
}

// TestManifestDeleted: mcp-sd does not touch what it does not know to be its
// own, and says how to go on.
func TestManifestDeleted(t *testing.T) {
	t.Parallel()
	r := newHistory(t)
	deletes(t, filepath.Join(r.targets, ".mcp-sd"))
	vigil := keepVigil(t, r.file(), r.addresses(1, 2, 3)...)
	r.run(t).expect(t, 1, "move it away, or take it over with `mcp-sd adopt "+r.file()+"`")
	adopted := r.calls(t, "adopt", r.file())
	adopted.expect(t, 0)
	if !strings.Contains(adopted.stdout, "its targets count as published") {
		t.Errorf("adopt says %q", adopted.stdout)
	}
	r.run(t).expectSilence(t)
	if err := r.written(); err != nil {
		t.Error(err)
	}
	vigil.ends(t)
}

// TestKilledAfterRemoval: what was removed stays so, even where the daemon is
// killed before it has saved the listing that lacked it, and finds its source
// gone when it starts again.
func TestKilledAfterRemoval(t *testing.T) {
	t.Parallel()
	r := newRack(t)
	r.run(t).expectSilence(t)
	daemon := r.start(t)
	r.fleet.set(rackIP(3), off)
	r.lists(t, "v1", 1, 2)
	eventually(t, soon, r.written)
	daemon.kill()
	r.fleet.set(rackIP(3), healthy)
	r.breaks(t)
	vigil := &vigil{path: r.file(), must: r.addresses(1, 2), gone: r.addresses(3)}
	vigil.begin(t)
	r.run(t).expect(t, 5)
	r.run(t).expect(t, 5)
	if err := r.written(); err != nil {
		t.Error(err)
	}
	vigil.ends(t)
}

// TestAllForgotten: the file is broken and the state is gone. What Prometheus
// still has in memory is not taken from it before the source has spoken.
func TestAllForgotten(t *testing.T) {
	t.Parallel()
	r := newHistory(t)
	halves(t, r.file())
	deletes(t, r.state)
	vigil := &vigil{path: r.file(), must: r.addresses(1, 2, 3), gone: r.addresses(4), edited: true}
	vigil.begin(t)
	r.breaks(t)
	r.run(t).expect(t, 5)
	r.lists(t, "v1", 1, 2, 3)
	r.run(t).expect(t, 0)
	if err := r.written(); err != nil {
		t.Error(err)
	}
	vigil.ends(t)
}
