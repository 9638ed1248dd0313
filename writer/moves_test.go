package writer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// failing makes renames to these names fail until it is called again.
func (b *bench) failing(names ...string) {
	real := osFS()
	b.fs.rename = func(from, to string) error {
		if slices.Contains(names, filepath.Base(to)) {
			return syscall.EIO
		}
		return real.rename(from, to)
	}
}

// order records the names of the files in the order of their writing.
func (b *bench) order() *[]string {
	var names []string
	real := osFS()
	b.fs.rename = func(from, to string) error {
		if filepath.Base(to) != manifestName {
			names = append(names, filepath.Base(to))
		}
		return real.rename(from, to)
	}
	return &names
}

// Contract §7: a target that moves between files is added to the new one
// before it leaves the old.
func TestMoveAddsBeforeItTakesAway(t *testing.T) {
	for _, way := range [][2]string{{"a", "b"}, {"b", "a"}} {
		b := newBench(t)
		b.open(b.out("mcp-{environment}.json", interval(0)))
		b.publish(in(way[0], "x:1"), in(way[0], "stays:1"))
		order := b.order()
		p := b.publish(in(way[1], "x:1"), in(way[0], "stays:1"))
		same(t, "order", *order, []string{"mcp-" + way[1] + ".json", "mcp-" + way[0] + ".json"})
		same(t, "behind", p.Behind == nil, true)
		same(t, "old", b.addresses("mcp-"+way[0]+".json"), []string{"stays:1"})
	}
}

// Contract §7: if the new file can't be written, the old is not touched.
func TestMoveWaitsForTheNewFile(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json", interval(0)))
	b.publish(in("a", "x:1"), in("a", "stays:1"))
	b.failing("mcp-b.json")
	p, err := b.refused(in("b", "x:1"), in("a", "stays:1"))
	says(t, err, "mcp-b.json")
	same(t, "written", written(p), []string{})
	same(t, "behind", behind(p), []string{"x:1"})
	same(t, "old", b.addresses("mcp-a.json"), []string{"stays:1", "x:1"})

	// Other changes of the old file go on; a target that simply left, leaves.
	p = b.publish(in("b", "x:1"), in("a", "new:1"))
	same(t, "written", written(p), []string{"mcp-a.json"})
	same(t, "old", b.addresses("mcp-a.json"), []string{"new:1", "x:1"})
	same(t, "behind", behind(p), []string{"x:1"})

	b.failing()
	b.clock.now = p.NextAt
	p = b.publish(in("b", "x:1"), in("a", "new:1"))
	same(t, "written", written(p), []string{"mcp-a.json", "mcp-b.json"})
	same(t, "old", b.addresses("mcp-a.json"), []string{"new:1"})
	same(t, "next", p.NextAt.IsZero(), true)
}

// A file that only waits for another asks for no pass of its own, whatever
// failed before.
func TestMoveThatWaitsDoesNotSpin(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json", interval(0)))
	b.publish(in("a", "x:1"))
	b.failing("mcp-a.json", "mcp-b.json")
	b.refused(in("a", "x:1"), in("a", "y:1"))
	b.clock.step(5 * time.Second)
	p, _ := b.refused(in("b", "x:1"))
	same(t, "next", p.NextAt, b.clock.now.Add(time.Second))
}

// Once the new file is there, the old one's own interval decides.
func TestMoveEndsAfterTheInterval(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json"))
	b.publish(in("a", "x:1"), in("b", "y:1"))
	b.clock.step(time.Minute)
	b.failing("mcp-b.json")
	want := []target.Target{in("b", "x:1"), in("a", "new:1"), in("b", "y:1")}
	p, _ := b.refused(want...)
	same(t, "written", written(p), []string{"mcp-a.json"})
	b.failing()
	b.clock.now = p.NextAt // a second later: too early for mcp-a.json
	p = b.publish(want...)
	same(t, "written", written(p), []string{"mcp-b.json"})
	same(t, "behind", behind(p), []string{"x:1"})
	same(t, "next", p.NextAt, b.clock.now.Add(time.Second))
	b.clock.now = p.NextAt
	same(t, "written", written(b.publish(want...)), []string{"mcp-a.json"})
}

// The new file may be another output's.
func TestMoveBetweenOutputs(t *testing.T) {
	b := newBench(t)
	match := func(m string) func(*Output) { return func(o *Output) { o.Match, o.MinWriteInterval = m, 0 } }
	b.open(b.out("a-prod.json", match(`{environment="prod"}`)), b.out("b-rest.json", match(`{environment!="prod"}`)))
	b.publish(in("prod", "x:1"))
	b.failing("b-rest.json")
	b.refused(in("dev", "x:1"))
	same(t, "old", b.addresses("a-prod.json"), []string{"x:1"})
	b.failing()
	b.clock.step(time.Minute)
	b.publish(in("dev", "x:1"))
	same(t, "old", b.addresses("a-prod.json"), []string{})
	same(t, "new", b.addresses("b-rest.json"), []string{"x:1"})
}

// A move within one output does not wait for a file of another.
func TestMoveMindsItsOwnOutput(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json", interval(0)), b.out("r-{region}.json", interval(0)))
	b.publish(in("a", "x:1", "region", "r1"))
	b.failing("r-r2.json")
	_, err := b.refused(in("b", "x:1", "region", "r2"))
	says(t, err, "r-r2.json")
	same(t, "left", b.addresses("mcp-a.json"), []string{})
	same(t, "arrived", b.addresses("mcp-b.json"), []string{"x:1"})
	same(t, "waits", b.addresses("r-r1.json"), []string{"x:1"})
}

// Targets that change places: in one file at least at every moment.
func TestMoveInACircle(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json", interval(0)))
	b.publish(in("a", "x:1"), in("b", "y:1"), in("c", "z:1"))
	b.present("x:1", "y:1", "z:1")
	p := b.publish(in("b", "x:1"), in("c", "y:1"), in("a", "z:1"))
	same(t, "behind", p.Behind == nil, true)
	same(t, "a", b.addresses("mcp-a.json"), []string{"z:1"})
	same(t, "b", b.addresses("mcp-b.json"), []string{"x:1"})
	same(t, "c", b.addresses("mcp-c.json"), []string{"y:1"})
	same(t, "written", written(p), []string{"mcp-a.json", "mcp-b.json", "mcp-c.json"})
}

// present checks, after every rename to come, that all these are published.
func (b *bench) present(addresses ...string) {
	real := osFS()
	b.fs.rename = func(from, to string) error {
		err := real.rename(from, to)
		there := b.everything()
		for _, a := range addresses {
			if !there[a] {
				b.t.Errorf("after the write of %s, %s is in no file", filepath.Base(to), a)
			}
		}
		return err
	}
}

// everything is what a reader of all files sees.
func (b *bench) everything() map[string]bool {
	all := map[string]bool{}
	files, err := filepath.Glob(b.path("*.json"))
	ok(b.t, err)
	for _, f := range files {
		body, err := os.ReadFile(f)
		ok(b.t, err)
		ts, err := Parse(body)
		ok(b.t, err)
		for _, t := range ts {
			all[t.Address] = true
		}
	}
	return all
}

// Contract §7: after a change of path all new files are written before an old
// one loses targets; the old ones are emptied and deleted a day later.
func TestChangeOfPath(t *testing.T) {
	b := newBench(t)
	b.open(b.out("a-{environment}.json"))
	want := []target.Target{in("p", "x:1"), in("q", "y:1")}
	b.publish(want...)
	b.open(b.out("z-{environment}.json"))
	b.failing("z-q.json")
	p, _ := b.refused(want...)
	same(t, "written", written(p), []string{"z-p.json"})
	same(t, "old", b.addresses("a-p.json"), []string{"x:1"})
	same(t, "behind", behind(p), []string{"x:1", "y:1"})

	b.clock.now = p.NextAt
	order := b.order()
	p = b.publish(want...)
	same(t, "order", *order, []string{"z-q.json", "a-p.json", "a-q.json"})
	same(t, "old", b.read("a-p.json")+b.read("a-q.json"), "[]\n[]\n")
	b.clock.now = p.NextAt
	same(t, "removed", len(b.publish(want...).Removed), 2)
}

// The same when the directory is another one: PreviousDirs has the old.
func TestChangeOfDirectory(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json"))
	b.publish(tgt("x:1"))
	old, dirs := b.dir, b.Dirs()
	same(t, "dirs", dirs, []string{old})

	b.dir = t.TempDir()
	b.options.PreviousDirs = append(dirs, filepath.Join(old, "gone"))
	b.open(b.out("mcp.json"))
	published, err := b.Load()
	ok(t, err)
	same(t, "still published", len(published[filepath.Join(old, "mcp.json")]), 1)
	same(t, "dirs", len(b.Dirs()), 2)
	p := b.publish(tgt("x:1"))
	same(t, "written", len(p.Written), 2)
	body, err := os.ReadFile(filepath.Join(old, "mcp.json"))
	ok(t, err)
	same(t, "old", string(body), "[]\n")
	b.clock.now = p.NextAt
	same(t, "removed", b.publish(tgt("x:1")).Removed, []string{filepath.Join(old, "mcp.json")})
	same(t, "dirs", b.Dirs(), []string{b.dir})
}

// Contract §7: likewise after a change of shards, where the names stay.
func TestChangeOfShards(t *testing.T) {
	for _, bad := range []string{"mcp-1.json", "mcp-2.json"} {
		b := newBench(t)
		ts := fleet(60, 3)
		b.open(b.out("mcp-{shard}.json", sharded(2)))
		b.publish(ts...)
		was := b.addresses("mcp-0.json")

		b.open(b.out("mcp-{shard}.json", sharded(3)))
		b.failing(bad)
		_, err := b.refused(ts...)
		says(t, err, bad)
		now := b.addresses("mcp-0.json")
		for _, a := range was {
			if !slices.Contains(now, a) {
				t.Fatalf("%s left its old file before %s was written", a, bad)
			}
		}
		b.present(addressesOf(ts)...)
		b.clock.step(time.Minute)
		p := b.publish(ts...)
		same(t, "behind", p.Behind == nil, true)
		same(t, "targets", len(b.addresses("mcp-0.json"))+len(b.addresses("mcp-1.json"))+len(b.addresses("mcp-2.json")), 60)
		same(t, "files of the new layout", strings.Count(b.read(".mcp-sd/manifest.json"), `"layout": "mcp-{shard}.json/3"`), 3)

		b.open(b.out("mcp-{shard}.json", sharded(2))) // and back
		b.present(addressesOf(ts)...)
		b.publish(ts...)
		same(t, "left over", b.addresses("mcp-2.json"), []string{})
	}
}

// While the staging folder is away with its mount, nothing is forgotten.
func TestLostMount(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json", interval(0)))
	b.publish(in("p", "x:1"), in("q", "y:1"))
	b.publish(in("p", "x:1"))
	away := b.dir + "-away"
	ok(t, os.Rename(b.dir, away))
	ok(t, os.Mkdir(b.dir, 0o700))
	p, err := b.refused(in("p", "x:1"))
	says(t, err, "was removed or is no longer mounted")
	same(t, "behind", behind(p), []string{"x:1"})
	same(t, "in the mount point", list(t, b.dir), []string{})
	ok(t, os.Remove(b.dir))
	ok(t, os.Rename(away, b.dir))
	b.clock.now = p.NextAt
	p = b.publish(in("p", "x:1"))
	same(t, "behind", p.Behind == nil, true)
	same(t, "file", b.addresses("mcp-p.json"), []string{"x:1"})
	same(t, "empty one", b.addresses("mcp-q.json"), []string{})
	if m := b.read(".mcp-sd/manifest.json"); !strings.Contains(m, "mcp-q.json") {
		t.Fatal(m)
	}
}
