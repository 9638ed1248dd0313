package writer

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

const foreign = `[{"targets": ["x:1"], "labels": {"environment": "prod"}}]`

// Contract §7: a file that is not in the manifest is never overwritten,
// emptied or deleted: an error says to move it or to adopt it.
func TestForeignFileIsUntouched(t *testing.T) {
	b := newBench(t)
	b.put("mcp-prod.json", foreign)
	b.put("other.json", foreign)
	b.open(b.out("mcp-{environment}.json"))
	p, err := b.refused(in("prod", "a:1"), in("dev", "b:1"))
	says(t, err, b.path("mcp-prod.json")+" exists but was not written by mcp-sd: move it away, or take it over with `mcp-sd adopt "+b.path("mcp-prod.json")+"`")
	same(t, "the others are written", written(p), []string{"mcp-dev.json"})
	same(t, "behind", behind(p), []string{"a:1"})
	same(t, "next", p.NextAt, b.clock.now.Add(time.Second))
	b.clock.step(48 * time.Hour)
	p, err = b.Publish(context.Background(), nil)
	ok(t, err)
	same(t, "file", b.read("mcp-prod.json"), foreign)
	same(t, "other file", b.read("other.json"), foreign)
	published, err := b.Load()
	ok(t, err)
	if published[b.path("mcp-prod.json")] != nil || published[b.path("other.json")] != nil {
		t.Fatal(published)
	}
	same(t, "next", p.NextAt, b.clock.now.Add(24*time.Hour))
}

// A foreign file that is moved away makes room.
func TestForeignFileMovedAway(t *testing.T) {
	b := newBench(t)
	b.put("mcp.json", foreign)
	b.open(b.out("mcp.json"))
	p, _ := b.refused(tgt("a:1"))
	ok(t, os.Remove(b.path("mcp.json")))
	b.clock.now = p.NextAt
	same(t, "written", written(b.publish(tgt("a:1"))), []string{"mcp.json"})
}

// One that appears while our first write fails is foreign too.
func TestForeignFileInTheGap(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json"))
	real := osFS()
	b.fs.rename = func(from, to string) error {
		if to == b.path("mcp.json") {
			return os.ErrPermission
		}
		return real.rename(from, to)
	}
	p, _ := b.refused(tgt("a:1"))
	b.fs = real
	b.put("mcp.json", foreign)
	b.clock.now = p.NextAt
	_, err := b.refused(tgt("a:1"))
	says(t, err, "was not written by mcp-sd")
	same(t, "file", b.read("mcp.json"), foreign)
}

// Contract §2: adopt takes over a file: its targets count as published.
func TestAdopt(t *testing.T) {
	b := newBench(t)
	b.put("mcp-prod.json", foreign)
	b.open(b.out("mcp-{environment}.json"))
	b.refused(in("prod", "a:1"))
	ok(t, b.Adopt(b.path("mcp-prod.json")))
	same(t, "trouble", b.Snapshot()[0].Err, nil)
	ok(t, b.Adopt(b.path("mcp-prod.json")))
	same(t, "as it was", b.read("mcp-prod.json"), foreign)
	published, err := b.Load()
	ok(t, err)
	want := target.Target{Key: target.Key{Scheme: "http", Address: "x:1", Path: "/metrics"}, Labels: labels.FromStrings("environment", "prod")}
	same(t, "published", published, map[string][]target.Target{b.path("mcp-prod.json"): {want}})

	b.open(b.out("mcp-{environment}.json")) // it stays adopted
	same(t, "written", written(b.publish(in("prod", "a:1"))), []string{"mcp-prod.json"})
	same(t, "addresses", b.addresses("mcp-prod.json"), []string{"a:1"})
}

// An adopted file that no output writes gives its targets to those that do,
// and goes the way of any file of an earlier configuration.
func TestAdoptAnotherName(t *testing.T) {
	b := newBench(t)
	b.put("old.json", foreign)
	b.open(b.out("mcp-{environment}.json"))
	ok(t, b.Adopt(b.path("old.json")))
	same(t, "written", written(b.publish(in("prod", "x:1"))), []string{"mcp-prod.json", "old.json"})
	same(t, "old file", b.read("old.json"), "[]\n")
	b.clock.step(24 * time.Hour)
	same(t, "removed", b.publish(in("prod", "x:1")).Removed, []string{b.path("old.json")})
}

func TestAdoptRefuses(t *testing.T) {
	b := newBench(t)
	b.put("broken.json", `[{"targets":null}]`)
	b.put("list.yml", "[]")
	b.put(".hidden.json", "[]")
	ok(t, os.Symlink("list.yml", b.path("link.json")))
	ok(t, os.Mkdir(b.path("dir.json"), 0o700))
	outside := t.TempDir() + "/x.json"
	ok(t, os.WriteFile(outside, []byte("[]"), 0o600))
	b.open(b.out("mcp-{environment}.json"))
	for path, want := range map[string]string{
		b.path("broken.json"):  "null stands where a list should be",
		b.path("list.yml"):     "end in .json",
		b.path(".hidden.json"): "visible",
		b.path("link.json"):    "symbolic link",
		b.path("dir.json"):     "no regular file: move it away",
		b.path("none.json"):    "no such file",
		outside:                "it is in no output directory: give an output a path in its directory first",
	} {
		t.Run(path, func(t *testing.T) { says(t, b.Adopt(path), "adopting "+path+": ", want) })
	}
	same(t, "owned", len(b.dirs[0].manifest.owned), 0)
}

// The manifest names a file before the file is there: a crash between the two
// leaves a name without a file, which is harmless.
func TestManifestComesFirst(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json"))
	real := osFS()
	b.fs.rename = func(from, to string) error {
		if strings.HasSuffix(to, "mcp-p.json") && !strings.Contains(b.read(".mcp-sd/manifest.json"), `"mcp-p.json"`) {
			t.Error("the file comes before its claim")
		}
		return real.rename(from, to)
	}
	b.publish(in("p", "a:1"))

	ok(t, os.Remove(b.path("mcp-p.json"))) // as after a crash in between
	b.open(b.out("mcp-{environment}.json"))
	same(t, "written", written(b.publish(in("q", "a:1"))), []string{"mcp-q.json"})
	if m := b.read(".mcp-sd/manifest.json"); strings.Contains(m, "mcp-p") {
		t.Fatal(m)
	}
}

// Where the manifest can't be written, no new name is taken; the files that
// are ours already go on.
func TestManifestCannotBeWritten(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json", interval(0)))
	b.publish(in("p", "a:1"))
	real := osFS()
	b.fs.rename = func(from, to string) error {
		if strings.HasSuffix(to, manifestName) {
			return os.ErrPermission
		}
		return real.rename(from, to)
	}
	p, err := b.refused(in("p", "b:1"), in("q", "c:1"))
	says(t, err, "manifest.json", "let the user that mcp-sd runs as write to")
	same(t, "written", written(p), []string{"mcp-p.json"})
	same(t, "behind", behind(p), []string{"c:1"})
	b.clock.now = p.NextAt
	p, err = b.refused(in("p", "b:1"), in("q", "c:1"))
	says(t, err, "manifest.json")
	same(t, "there", b.exists("mcp-q.json"), false)
	b.fs = real
	b.clock.now = p.NextAt
	same(t, "written", written(b.publish(in("p", "b:1"), in("q", "c:1"))), []string{"mcp-q.json"})
}

// A damaged manifest is set aside and made anew from the files that are
// recognisably ours.
func TestDamagedManifest(t *testing.T) {
	for name, damage := range map[string]string{
		"empty": "", "cut off": "{", "no version": `{"version":0,"files":[]}`,
		"another directory": `{"version":1,"files":[{"name":"../../etc/x.json"}]}`,
		"null":              `{"version":1,"files":[null]}`, "no JSON": `{"version":1,"files":[{"name":"x.yml"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.open(b.out("mcp-{environment}.json"), b.out("all.json"))
			b.publish(in("prod", "a:1"), in("dev", "b:1"))
			b.clock.step(time.Hour)
			b.publish(in("prod", "a:1"))
			b.put(".mcp-sd/manifest.json", damage)
			b.put("mcp-foreign.json", foreign)
			b.put("mcp-copy.json", b.read("mcp-prod.json"))

			b.open(b.out("mcp-{environment}.json"), b.out("all.json"))
			published, err := b.Load()
			ok(t, err)
			same(t, "damaged", b.read(".mcp-sd/manifest.json.damaged"), damage)
			same(t, "ours", list2(published), "all.json mcp-dev.json mcp-prod.json")
			if log := b.log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "damaged") {
				t.Fatal(log)
			}
			if m := b.read(".mcp-sd/manifest.json"); !strings.Contains(m, "mcp-prod.json") {
				t.Fatal(m)
			}
			same(t, "written", written(b.publish(in("prod", "c:1"))), []string{"all.json", "mcp-prod.json"})
			same(t, "copy", b.addresses("mcp-copy.json"), []string{"a:1"})
		})
	}
}

func list2(published map[string][]target.Target) string {
	var names []string
	for path := range published {
		names = append(names, path[strings.LastIndex(path, "/")+1:])
	}
	return strings.Join(sorted(names), " ")
}

// A manifest of a later version is not ours to judge.
func TestNewerManifest(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json"))
	b.publish(tgt("a:1"))
	newer := `{"version":2,"files":[]}`
	b.put(".mcp-sd/manifest.json", newer)
	b.open(b.out("mcp.json"))
	_, err := b.Load()
	says(t, err, "version 2", "newer mcp-sd")
	_, err = b.refused(tgt("b:1"))
	says(t, err, "newer mcp-sd")
	same(t, "manifest", b.read(".mcp-sd/manifest.json"), newer)
	same(t, "file", b.addresses("mcp.json"), []string{"a:1"})
}

// Load may be called again: what became of the files meanwhile counts.
func TestLoadAgain(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp.json"))
	b.publish(tgt("a:1"))
	ok(t, os.Remove(b.path("mcp.json")))
	ok(t, os.Remove(b.path(".mcp-sd/manifest.json")))
	published, err := b.Load()
	ok(t, err)
	same(t, "published", len(published), 0)
	b.clock.step(time.Hour)
	same(t, "written", written(b.publish(tgt("a:1"))), []string{"mcp.json"})
}

// Load gives what the files say, ours alone, with our labels and the source;
// a missing file is empty, a broken one too, loudly.
func TestLoad(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json"))
	want := in("p", "a:1", "__scheme__", "https", "__metrics_path__", "/m", "__param_x", "y")
	b.publish(want, in("q", "b:1"), in("r", "c:1"), in("s", "d:1"))
	b.clock.step(time.Hour)
	b.publish(want, in("q", "b:1"), in("r", "c:1"))
	b.put("mcp-q.json", "[{")
	ok(t, os.Remove(b.path("mcp-r.json")))

	b.open(b.out("mcp-{environment}.json"))
	published, err := b.Load()
	ok(t, err)
	same(t, "published", published, map[string][]target.Target{
		b.path("mcp-p.json"): {want}, b.path("mcp-q.json"): {}, b.path("mcp-s.json"): {},
	})
	if log := b.log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, b.path("mcp-q.json")) {
		t.Fatal(log)
	}
}

// What can't be read is an error, not an empty list.
func TestLoadCannotRead(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}.json"))
	b.publish(in("p", "a:1"), in("q", "b:1"))
	b.open(b.out("mcp-{environment}.json"))
	real := osFS()
	b.fs.read = func(path string) ([]byte, error) {
		if strings.HasSuffix(path, "mcp-p.json") {
			return nil, os.ErrPermission
		}
		return real.read(path)
	}
	published, err := b.Load()
	says(t, err, "reading "+b.path("mcp-p.json"), "let the user that mcp-sd runs as")
	same(t, "the rest", list2(published), "mcp-q.json")
}
