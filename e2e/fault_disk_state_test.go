package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestStateDiskFaults: while the state can't be written nothing is removed,
// because the removal could not be put on record first, and additions go on.
func TestStateDiskFaults(t *testing.T) {
	t.Parallel()
	t.Run("full disk", func(t *testing.T) {
		t.Parallel()
		r, view := newRack(t), newMountView(t)
		view.tmpfs(t, r.state, "256k")
		stateCantBeWritten(t, r, view, "no space left on device",
			func() { fill(t, view.see(r.state)) }, func() { empty(t, view.see(r.state)) })
	})
	t.Run("read-only mount", func(t *testing.T) {
		t.Parallel()
		r, view := newRack(t), newMountView(t)
		stateCantBeWritten(t, r, view, "read-only file system",
			func() { view.readOnly(t, r.state) }, func() { view.unmount(t, r.state) })
	})
}

func stateCantBeWritten(t *testing.T, r *rack, view *mountView, says string, begins, ends func()) {
	r.wrap = view.wrap()
	daemon := r.start(t)
	eventually(t, soon, r.written)

	begins()
	vigil := keepVigil(t, r.file(), r.addresses(1, 2, 3)...)
	r.fleet.set(rackIP(3), off)
	r.lists(t, "v1", 1, 2, 4)
	gone := r.want
	r.want = map[string]labels{r.address(3): {"release": "v1"}}
	for address, l := range gone {
		r.want[address] = l
	}
	eventually(t, soon, r.written)
	eventually(t, soon, func() error { return daemon.says("the state can't be written, so nothing is removed until it can") })
	eventually(t, soon, func() error { return daemon.says(says) })
	holds(t, time.Second, r.written)
	r.run(t).expect(t, 4)
	daemon.stops(t)
	r.run(t).expect(t, 1, says)
	daemon = r.start(t)
	holds(t, time.Second, r.written)
	vigil.ends(t)

	ends()
	r.want = gone
	eventually(t, retried, r.written)
	daemon.stops(t)
}

// TestUmask: readers can read the files all the same, and nobody else the state.
func TestUmask(t *testing.T) {
	t.Parallel()
	r := newRack(t)
	r.wrap = []string{"sh", "-c", `umask 077; exec "$@"`, "sh"}
	metrics := filepath.Join(r.dir, "mcp-sd.prom")
	modes := func(t *testing.T) {
		t.Helper()
		for path, want := range map[string]os.FileMode{
			r.file():                                 0o644,
			metrics:                                  0o644,
			filepath.Join(r.state, "state.json"):     0o600,
			filepath.Join(r.state, "listings"):       0o700,
			filepath.Join(r.targets, ".mcp-sd"):      0o700,
			filepath.Join(r.targets, ".mcp-sd/lock"): 0o600,
		} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v, want mode %o", path, info, err, want)
			}
		}
	}
	r.run(t, "--metrics.textfile="+metrics).expectSilence(t)
	modes(t)
	daemon := r.start(t)
	r.lists(t, "v2", 1, 2, 3, 4)
	eventually(t, soon, r.written)
	daemon.stops(t)
	modes(t)
}

// TestSymlinkedDirectory: the directory may be a link, and stays one.
func TestSymlinkedDirectory(t *testing.T) {
	t.Parallel()
	r := newRack(t)
	real := filepath.Join(r.dir, "real")
	if err := os.Rename(r.targets, real); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, r.targets); err != nil {
		t.Fatal(err)
	}
	daemon := r.start(t)
	eventually(t, soon, r.written)
	vigil := keepVigil(t, filepath.Join(real, "mcp.json"), r.addresses(1, 2, 3)...)
	r.lists(t, "v2", 1, 2, 3, 4)
	eventually(t, soon, r.written)
	vigil.ends(t)

	other := newRack(t) // which writes to the same directory under its real name
	other.configure(t, "%s", rackSource+fmt.Sprintf("outputs: [{path: %s/other.json}]\n", real))
	other.run(t).expect(t, 4)
	daemon.stops(t)
	onlyIn(t, real, ".mcp-sd", "mcp.json")
}
