package static

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// show writes a listing down: one word per part, without the directory.
func show(dir string, parts []target.Part) string {
	var all []string
	for _, p := range parts {
		word := strings.TrimPrefix(p.Name, dir+"/") + "="
		switch {
		case p.Err != nil:
			word += "failed"
		case p.Unchanged:
			word += "unchanged"
		default:
			for _, r := range p.Raw {
				word += strings.TrimSuffix(r.Labels.Get(target.AddressLabel), ":3000") + ","
			}
		}
		all = append(all, strings.TrimSuffix(word, ","))
	}
	return strings.Join(all, " ")
}

func discover(s *source) target.Listing { return s.Discover(context.Background()) }

// expectList asks once more, and compares.
func expectList(t *testing.T, s *source, dir, want string) {
	t.Helper()
	if got := show(dir, discover(s).Parts); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestLabels: what is given, and where from.
func TestLabels(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yml")
	put(t, path, `
- targets: ['[2001:db8::1]:3000', mcp:3000]
  labels: {environment: production, Zone: a, empty: "", __address__: other:1, __meta_filepath: x, job: mcp}
`)
	s := newSource(t, Options{
		Targets: []Group{{Targets: []string{"a:1"}, Labels: map[string]string{"version": "v1", "__scheme__": "https", "empty": ""}}},
		Files:   []string{"a.yml"},
	}, dir)
	var got []string
	for _, p := range discover(s).Parts {
		for _, r := range p.Raw {
			got = append(got, fmt.Sprint(p.Inline, " ", r.Identity, r.Labels))
		}
	}
	want := []string{
		`true {__address__="a:1", __scheme__="https", version="v1"}`,
		`false {Zone="a", __address__="[2001:db8::1]:3000", __meta_filepath="` + path + `", environment="production", job="mcp"}`,
		`false {Zone="a", __address__="mcp:3000", __meta_filepath="` + path + `", environment="production", job="mcp"}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Contract §4: each state of a directory, and what it means.
func TestFiles(t *testing.T) {
	for name, tc := range map[string]struct {
		files   []string
		prepare func(dir string)
		want    string
	}{
		"patterns and paths, each file once": {
			[]string{"b.json", "*.yml", "*.json", "one.yml"},
			func(dir string) { put(t, dir+"/b.json", twoJSON) },
			"b.json=10.0.1.1 one.yml=10.0.0.1,10.0.0.2",
		},
		"hidden files are drafts": {
			[]string{"*.yml"},
			func(dir string) { put(t, dir+"/.one.yml", moreYAML) },
			"one.yml=10.0.0.1,10.0.0.2",
		},
		"unless they are asked for": {
			[]string{".*.yml"},
			func(dir string) { put(t, dir+"/.one.yml", twoJSON) },
			".one.yml=10.0.1.1",
		},
		"other endings do not match": {
			[]string{"*.yml"},
			func(dir string) {
				put(t, dir+"/x.yml~", "x")
				put(t, dir+"/x.yml.swp", "x")
				put(t, dir+"/x.json", "x")
			},
			"one.yml=10.0.0.1,10.0.0.2",
		},
		"no match is no failure": {
			[]string{"x*.yml", "one.yml"},
			func(string) {},
			"one.yml=10.0.0.1,10.0.0.2 x*.yml=",
		},
		"a missing path is a failure":      {[]string{"two.yml"}, func(string) {}, "two.yml=failed"},
		"a missing directory is a failure": {[]string{"sub/*.yml"}, func(string) {}, "sub/*.yml=failed"},
		"a file for a directory":           {[]string{"one.yml/*.yml"}, func(string) {}, "one.yml/*.yml=failed"},
		"a broken file fails alone": {
			[]string{"*.yml"},
			func(dir string) { put(t, dir+"/bad.yml", "- targets: [") },
			"bad.yml=failed one.yml=10.0.0.1,10.0.0.2",
		},
		"0 bytes":              {[]string{"one.yml"}, func(dir string) { put(t, dir+"/one.yml", "") }, "one.yml=failed"},
		"none":                 {[]string{"one.yml"}, func(dir string) { put(t, dir+"/one.yml", "[]") }, "one.yml="},
		"a directory":          {[]string{"*.yml"}, func(dir string) { mkdir(t, dir+"/d.yml") }, "d.yml=failed one.yml=10.0.0.1,10.0.0.2"},
		"a dangling link":      {[]string{"*.yml"}, func(dir string) { link(t, "nowhere", dir+"/l.yml") }, "l.yml=failed one.yml=10.0.0.1,10.0.0.2"},
		"a link":               {[]string{"l.yml"}, func(dir string) { link(t, "one.yml", dir+"/l.yml") }, "l.yml=10.0.0.1,10.0.0.2"},
		"a pipe makes no wait": {[]string{"*.yml"}, func(dir string) { pipe(t, dir+"/p.yml") }, "one.yml=10.0.0.1,10.0.0.2 p.yml=failed"},
		"a device has no end":  {[]string{"l.yml"}, func(dir string) { link(t, "/dev/zero", dir+"/l.yml") }, "l.yml=failed"},
		"names that are no names": {
			[]string{"*.yml"},
			func(dir string) { rename(t, dir+"/one.yml", dir+"/a\nb\xff.yml") },
			`"DIR/a\nb\xff.yml"=10.0.0.1,10.0.0.2`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir+"/one.yml", oneYAML)
			tc.prepare(dir)
			expectList(t, newSource(t, Options{Files: tc.files}, dir), dir, strings.ReplaceAll(tc.want, "DIR", dir))
		})
	}
}

// TestIrregularFiles are not read at all: a device may have no end.
func TestIrregularFiles(t *testing.T) {
	dir := t.TempDir()
	link(t, "/dev/zero", dir+"/a.yml")
	pipe(t, dir+"/b.yml")
	for _, p := range discover(newSource(t, Options{Files: []string{"*.yml"}}, dir)).Parts {
		if p.Err == nil || !strings.Contains(p.Err.Error(), "no regular file") {
			t.Errorf("%s: %v", p.Name, p.Err)
		}
	}
}

func link(tb testing.TB, to, path string) {
	tb.Helper()
	if err := os.Symlink(to, path); err != nil {
		tb.Fatal(err)
	}
}

func pipe(tb testing.TB, path string) {
	tb.Helper()
	if err := syscall.Mkfifo(path, 0o644); err != nil {
		tb.Fatal(err)
	}
}

// TestUnchangedFilesAreNotRead: a look at a file that is as it was is enough.
func TestUnchangedFilesAreNotRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yml")
	put(t, path, oneYAML)
	old := time.Now().Add(-time.Hour)
	chtimes(t, path, old)
	s := newSource(t, Options{Files: []string{"a.yml"}}, dir)
	discover(s)
	// Same size, same time, same inode: only reading would tell.
	put(t, path, strings.ReplaceAll(oneYAML, "10.0.0.1", "10.0.0.9"))
	chtimes(t, path, old)
	expectList(t, s, dir, "a.yml=10.0.0.1,10.0.0.2")
	if got := show(dir, partsOf(s.list(context.Background(), map[string]bool{path: true}))); got != "a.yml=10.0.0.9,10.0.0.2" {
		t.Errorf("a file that an event named was not read: %s", got)
	}
	// Written so lately that its time proves nothing.
	chtimes(t, path, time.Now())
	discover(s)
	put(t, path, oneYAML)
	chtimes(t, path, s.files[path].info.ModTime())
	expectList(t, s, dir, "a.yml=10.0.0.1,10.0.0.2")
}

func partsOf(parts []part) []target.Part {
	var all []target.Part
	for _, p := range parts {
		all = append(all, p.Part)
	}
	return all
}

func chtimes(tb testing.TB, path string, at time.Time) {
	tb.Helper()
	if err := os.Chtimes(path, at, at); err != nil {
		tb.Fatal(err)
	}
}

// TestHalfWrittenFile: a file that keeps growing is not believed, although each
// of its states is valid YAML; one that stops growing is.
func TestHalfWrittenFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f, err := os.Create(dir + "/a.yml")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		ctx, cancel := context.WithCancel(t.Context())
		grow := func() {
			fmt.Fprintln(f, "- targets: [a:3000]")
			chtimes(t, f.Name(), time.Now()) // the file system has no virtual time
		}
		grow()
		go func() {
			for wait(ctx, settle/3) == nil { // never at the moment of a look: growing takes two calls
				grow()
			}
		}()
		s := newSource(t, Options{Files: []string{"a.yml"}}, dir)
		got := s.Discover(t.Context())
		if show(dir, got.Parts) != "a.yml=failed" || !strings.Contains(got.Parts[0].Err.Error(), "being written") {
			t.Errorf("got %s (%v)", show(dir, got.Parts), got.Parts[0].Err)
		}
		cancel()
		synctest.Wait()
		put(t, dir+"/a.yml", oneYAML)
		expectList(t, s, dir, "a.yml=10.0.0.1,10.0.0.2")
	})
}

// TestFutureFiles: a time far in the future, as archives have it, costs no wait
// and no second reading.
func TestFutureFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir+"/a.yml", oneYAML) // virtual time is long ago
		s := newSource(t, Options{Files: []string{"*.yml"}}, dir)
		first := discover(s)
		if first.Took != 0 || first.Failed() {
			t.Errorf("it took %s: %s", first.Took, show(dir, first.Parts))
		}
		known := s.files[dir+"/a.yml"]
		if discover(s); s.files[dir+"/a.yml"] != known {
			t.Error("it was read again")
		}
	})
}

// TestRelativePaths are relative to the configuration file, and parts have the
// same names wherever mcp-sd was started.
func TestRelativePaths(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/a.yml", oneYAML)
	t.Chdir(dir)
	expectList(t, newSource(t, Options{Files: []string{"./a.yml"}}, "."), dir, "a.yml=10.0.0.1,10.0.0.2")
}

// BenchmarkDiscover: a file that did not change costs a look, not its size.
// BenchmarkDiscover shows what looking at a large file costs: nothing changed,
// one group of a JSON file did, and everything is new, as JSON and as YAML.
func BenchmarkDiscover(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		for _, groups := range []int{100, n} {
			benchmarkDiscover(b, n, groups)
		}
	}
}

func benchmarkDiscover(b *testing.B, n, groups int) {
	write := func(name string, team int) string {
		dir := b.TempDir()
		var text strings.Builder
		for g := range groups {
			fmt.Fprintf(&text, "%c{\"targets\": [", ",["[btoi(g == 0)])
			for i := g; i < n; i += groups {
				fmt.Fprintf(&text, "%.*s\"10.%d.%d.%d:3000\"", btoi(i > g), ",", i>>16, i>>8&255, i&255)
			}
			fmt.Fprintf(&text, "], \"labels\": {\"environment\": \"production\", \"rack\": \"r%d\", \"region\": \"eu\", \"team\": \"t%d\"}}\n", g, team*btoi(g == groups/2))
		}
		put(b, dir+"/"+name, text.String()+"]")
		chtimes(b, dir+"/"+name, time.Now().Add(-time.Hour))
		return dir
	}
	run := func(name, file string, do func(b *testing.B, dir, ext string)) {
		dir := write(file, 0)
		b.Run(fmt.Sprintf("%s/targets=%d/groups=%d", name, n, groups), func(b *testing.B) {
			b.ReportAllocs()
			do(b, dir, file[2:])
		})
	}
	run("unchanged", "a.json", func(b *testing.B, dir, ext string) {
		s := newSource(b, Options{Files: []string{"*." + ext}}, dir)
		discover(s)
		for b.Loop() {
			discover(s)
		}
	})
	run("one_changed", "a.json", func(b *testing.B, dir, ext string) {
		s := newSource(b, Options{Files: []string{"*." + ext}}, dir)
		discover(s)
		other := write("b.json", 1)
		for b.Loop() { // the two files change places
			for _, move := range [][2]string{{dir + "/a.json", other + "/a.json"}, {other + "/b.json", dir + "/a.json"}, {other + "/a.json", other + "/b.json"}} {
				if err := os.Rename(move[0], move[1]); err != nil {
					b.Fatal(err)
				}
			}
			discover(s)
		}
	})
	for _, name := range []string{"a.json", "a.yml"} {
		run("new_"+name[2:], name, func(b *testing.B, dir, ext string) {
			for b.Loop() {
				discover(newSource(b, Options{Files: []string{"*." + ext}}, dir))
			}
		})
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
