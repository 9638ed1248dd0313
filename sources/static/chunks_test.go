package static

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mcp-sd/mcp-sd/sources/filesd"
)

// chunksAgree checks that chunks never list anything but what filesd lists, with
// the chunks of another content at hand or without, and never take what it
// refuses.
func chunksAgree(t interface{ Fatalf(string, ...any) }, content, before []byte) {
	groups, err := filesd.Parse("a.json", content)
	known, _ := readChunks("a.json", before, chunks{})
	own, _ := readChunks("a.json", content, chunks{})
	for _, k := range []chunks{{}, known, own} {
		cs, ok := readChunks("a.json", content, k)
		switch {
		case !ok:
		case err != nil:
			t.Fatalf("%q is taken, and parse says %v", content, err)
		case !slices.Equal(cs.raws, filesd.Raws(groups)):
			t.Fatalf("%q after %q lists\n%v\nparse\n%v", content, before, cs.raws, filesd.Raws(groups))
		}
	}
}

func FuzzChunks(f *testing.F) {
	for _, text := range []string{
		`[]`, `[{}]`, `[{"targets":[]}]`, `[{"targets":["a:1"]},]`, `[,{"targets":["a:1"]}]`, `{"targets":["a:1"]}`, `[{"targets":["a:1"]}] x`,
		`[{"targets":["a:1"],"labels":{"x":"}{\"\\"}}]`, `[{"targets":["a:1"]}{"targets":["b:1"]}]`, `[null]`, `[{"targets":null}]`, `[{"targets":[1]}]`,
		`[{"targets":["a:1"],"other":1}]`, `[{"targets":["a:1"]}`, `[{"targets":[}]}]`, "\xef\xbb\xbf[]", `[{"targets":["a:1"]}]]`, `[{""}]`,
	} {
		f.Add([]byte(text), []byte(`[{"targets":["a:1"]},{"targets":["b:1"],"labels":{"x":"1"}}]`))
	}
	f.Fuzz(func(t *testing.T, content, before []byte) { chunksAgree(t, content, before) })
}

// A group that was listed before is taken over, wherever it stands now.
func TestChunks(t *testing.T) {
	one := func(i int) string { return fmt.Sprintf(`{"targets": ["10.0.0.%d:80"], "labels": {"n": "%d"}}`, i, i) }
	list := func(is []int) []byte {
		var groups []string
		for _, i := range is {
			groups = append(groups, one(i))
		}
		return []byte("[" + strings.Join(groups, ",\n ") + "]\n")
	}
	numbers := rapid.SliceOf(rapid.IntRange(0, 9))
	rapid.Check(t, func(rt *rapid.T) {
		before, now := numbers.Draw(rt, "before"), numbers.Draw(rt, "now")
		chunksAgree(rt, list(now), list(before))
	})
	known, ok := readChunks("a.json", list([]int{1, 2, 3}), chunks{})
	for i := range known.raws {
		known.raws[i].Identity = "taken over"
	}
	cs, again := readChunks("a.json", list([]int{3, 9, 1, 2}), known)
	if !ok || !again {
		t.Fatal("a plain list is not understood")
	}
	for i, want := range []string{"taken over", "", "taken over", "taken over"} {
		if cs.raws[i].Identity != want {
			t.Errorf("group %d: %q, want %q: %v", i, cs.raws[i].Identity, want, cs.raws)
		}
	}
	if cs, ok := readChunks("a.json", list([]int{7, 8}), chunks{}); !ok || len(cs.raws) != 2 || cs.raws[0] == cs.raws[1] {
		t.Errorf("new groups: %v", cs.raws)
	}
	if _, ok := readChunks("a.yml", list([]int{1}), known); ok {
		t.Error("YAML is more than lists of objects")
	}
}
