package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// A diskFault is something that keeps mcp-sd from writing its output.
type diskFault struct {
	name    string
	prepare func(t *testing.T, d *diskCase)
	begins  func(t *testing.T, d *diskCase)
	ends    func(t *testing.T, d *diskCase)
	says    string // what the error tells to do
	starts  bool   // a daemon can be started while it lasts
}

var diskFaults = []diskFault{
	{
		name:    "full disk",
		prepare: func(t *testing.T, d *diskCase) { d.view.tmpfs(t, d.targets, "256k") },
		begins:  func(t *testing.T, d *diskCase) { fill(t, d.kept) },
		ends:    func(t *testing.T, d *diskCase) { empty(t, d.kept) },
		says:    "no space left on device: free space on the file system of",
		starts:  true,
	},
	{
		name:   "read-only mount",
		begins: func(t *testing.T, d *diskCase) { d.view.readOnly(t, d.targets) },
		ends:   func(t *testing.T, d *diskCase) { d.view.unmount(t, d.targets) },
		says:   "read-only file system: remount the file system of",
	},
	{
		name:    "read-only directory",
		prepare: func(t *testing.T, d *diskCase) { d.asNobody(t) },
		begins:  func(t *testing.T, d *diskCase) { d.chmod(t, 0o555) },
		ends:    func(t *testing.T, d *diskCase) { d.chmod(t, 0o755) },
		says:    "permission denied: let the user that mcp-sd runs as write to",
	},
	{
		name: "lost mount",
		prepare: func(t *testing.T, d *diskCase) {
			d.kept = filepath.Join(d.dir, "volume") // which Prometheus has mounted as well
			if err := os.Mkdir(d.kept, 0o755); err != nil {
				t.Fatal(err)
			}
			d.view.bind(t, d.kept, d.targets)
		},
		begins: func(t *testing.T, d *diskCase) { d.view.unmount(t, d.targets) },
		ends: func(t *testing.T, d *diskCase) {
			onlyIn(t, d.targets) // nothing was written to where the volume is not
			d.view.bind(t, d.kept, d.targets)
		},
		says: "or is no longer mounted",
	},
	{
		name:   "bind-mounted file",
		begins: func(t *testing.T, d *diskCase) { d.view.bind(t, d.file(), d.file()) },
		ends:   func(t *testing.T, d *diskCase) { d.view.unmount(t, d.file()) },
		says:   "a file that is a mount point can't be replaced: mount the directory",
		starts: true,
	},
	{
		name:   "symlinked file",
		begins: func(t *testing.T, d *diskCase) { d.linkFile(t) },
		ends:   func(t *testing.T, d *diskCase) { d.unlinkFile(t) },
		says:   "a symbolic link, which a rename would replace: remove the link",
		starts: true,
	},
}

// TestDiskFaults: whatever keeps mcp-sd from writing, the old file stays, the
// log says what to do, and the daemon goes on by itself afterwards.
func TestDiskFaults(t *testing.T) {
	t.Parallel()
	for _, fault := range diskFaults {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			d := newDiskCase(t, fault)
			d.lasts(t)
			d.passes(t)
		})
	}
}

// A diskCase is one of the faults happening to a rack.
type diskCase struct {
	*rack
	fault  diskFault
	view   *mountView
	kept   string // the directory that Prometheus reads
	daemon *daemon
	vigil  *vigil
}

func newDiskCase(t *testing.T, fault diskFault) *diskCase {
	d := &diskCase{rack: newRack(t), fault: fault, view: newMountView(t)}
	d.wrap = d.view.wrap()
	d.kept = d.view.see(d.targets)
	if fault.prepare != nil {
		fault.prepare(t, d)
	}
	d.daemon = d.start(t)
	eventually(t, soon, d.read)
	d.vigil = keepVigil(t, filepath.Join(d.kept, "mcp.json"), d.addresses(1, 2, 3)...)
	return d
}

// read checks that Prometheus can read all that is listed.
func (d *diskCase) read() error { return fileHas(filepath.Join(d.kept, "mcp.json"), d.want) }

// asNobody lets mcp-sd run as a user whom modes concern.
func (d *diskCase) asNobody(t *testing.T) {
	const nobody = 65534
	d.path = filepath.Join(d.dir, "mcp-sd")
	copyProgram(t, mcpSD, d.path)
	for _, dir := range []string{filepath.Dir(d.dir), d.dir} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{d.targets, d.state} {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	d.wrap = []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"}
}

// chmod concerns the directory and the staging folder in it.
func (d *diskCase) chmod(t *testing.T, mode os.FileMode) {
	for _, dir := range []string{d.targets, filepath.Join(d.targets, ".mcp-sd")} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
	}
}

// linkFile puts a link to the same content in the file's place, at once.
func (d *diskCase) linkFile(t *testing.T) {
	elsewhere := filepath.Join(d.dir, "elsewhere.json")
	copyFile(t, d.file(), elsewhere)
	link := filepath.Join(d.dir, "link")
	if err := os.Symlink(elsewhere, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link, d.file()); err != nil {
		t.Fatal(err)
	}
}

// unlinkFile puts back what the link leads to, which nobody has written to.
func (d *diskCase) unlinkFile(t *testing.T) {
	if err := os.Rename(filepath.Join(d.dir, "elsewhere.json"), d.file()); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// copyProgram has another process do it. A child that is forked while this one
// writes a file has it open for writing, too, until it has become its program,
// and for so long the file cannot be run.
func copyProgram(t testing.TB, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "--", from, to).CombinedOutput(); err != nil {
		t.Fatalf("copying %s: %v\n%s", from, err, out)
	}
	if err := os.Chmod(to, 0o755); err != nil {
		t.Fatal(err)
	}
}

// lasts is the time of the fault: a change can't be written, and a restart
// makes it no worse.
func (d *diskCase) lasts(t *testing.T) {
	d.fault.begins(t, d)
	before := d.want
	d.lists(t, "v2", 1, 2, 3, 4)
	d.fails(t)
	wanted := d.want
	d.want = before
	holds(t, time.Second, d.read)
	d.want = wanted
	switch {
	case d.fault.starts:
		d.daemon.stops(t)
		d.run(t).expect(t, 1, d.fault.says)
		d.daemon = d.start(t)
		d.fails(t)
	case d.fault.name != "lost mount": // which can't be told from an empty directory at the start
		d.daemon.stops(t)
		d.run(t).expect(t, 1, "is not writable")
		refused := d.launch(t)
		eventually(t, soon, refused.ended)
		d.fault.ends(t, d)
		d.daemon = d.start(t)
		eventually(t, soon, d.read)
		d.fault.begins(t, d)
		d.lists(t, "v3", 1, 2, 3, 4)
		d.fails(t)
	}
}

// fails waits for a write that fails and says what to do.
func (d *diskCase) fails(t *testing.T) {
	t.Helper()
	eventually(t, soon, func() error {
		failures, err := d.daemon.sample(`mcp_sd_writes_total{outcome="failure"}`)
		if err == nil && failures == 0 {
			err = errors.New("no write has failed")
		}
		return err
	})
	eventually(t, soon, func() error { return d.daemon.says(d.fault.says) })
}

// passes is the time after the fault: nobody has to do anything.
func (d *diskCase) passes(t *testing.T) {
	d.fault.ends(t, d)
	eventually(t, retried, d.read)
	d.lists(t, "v4", 1, 2, 3, 4)
	eventually(t, soon, d.read)
	d.vigil.ends(t)
	d.daemon.stops(t)
}
