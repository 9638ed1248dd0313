package writer

import (
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// mixed has what a file can have: several groups, a target in more than one,
// no labels, and values that want escaping.
func mixed() []target.Target {
	bare := tgt("plain:80")
	bare.Labels = labels.EmptyLabels()
	other := tgt("10.0.0.1:3000", "__metrics_path__", "/internal/metrics", "environment", "production")
	other.Path = "/internal/metrics"
	return []target.Target{
		in("production", "10.0.0.2:3000", "version", "v2"),
		in("production", "10.0.0.1:3000", "version", "v2"),
		in("staging", "10.0.0.3:3000", "note", "a \"quoted\" \\ <b>&amp;</b> \u2028 größe \t."),
		in("production", "[2001:db8::1]:3000", "version", "v2"),
		other, bare,
	}
}

// Contract §7: an array of {"targets", "labels"} and no other key; groups,
// targets and label names sorted.
func TestRenderGolden(t *testing.T) {
	for name, ts := range map[string][]target.Target{"mixed.json": mixed(), "none.json": nil, "one.json": mixed()[:1]} {
		got, err := Render(ts)
		ok(t, err)
		path := filepath.Join("testdata", name)
		if *update {
			ok(t, os.WriteFile(path, got, 0o600))
		}
		want, err := os.ReadFile(path)
		ok(t, err)
		same(t, name, string(got), string(want))
	}
}

// The bytes are those of encoding/json with two spaces of indentation and no
// HTML escaping.
func TestRenderLooksLikeEncodingJSON(t *testing.T) {
	type group struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels"`
	}
	got, err := Render(mixed())
	ok(t, err)
	var groups []group
	ok(t, json.Unmarshal(got, &groups))
	var want bytes.Buffer
	e := json.NewEncoder(&want)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	ok(t, e.Encode(groups))
	same(t, "layout", string(got), want.String())
}

// Contract §7: the same input gives the same bytes, in whatever order it comes.
func TestRenderIsByteStable(t *testing.T) {
	ts := slices.Concat(mixed(), fleet(50, 7))
	want, err := Render(ts)
	ok(t, err)
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		r.Shuffle(len(ts), func(i, j int) { ts[i], ts[j] = ts[j], ts[i] })
		got, err := Render(ts)
		ok(t, err)
		same(t, "bytes", string(got), string(want))
	}
}

// Contract §7: never null, always at least [].
func TestRenderNothing(t *testing.T) {
	for _, ts := range [][]target.Target{nil, {}} {
		body, err := Render(ts)
		ok(t, err)
		same(t, "body", string(body), "[]\n")
	}
	same(t, "empty body", string(emptyBody()), "[]\n")
}

// Contract §7: targets with identical labels share a group.
func TestRenderGroups(t *testing.T) {
	withEmpty := in("p", "c:1", "nothing", "x")
	withEmpty.Labels = labels.FromStrings(append(pairs(in("p", "x:1").Labels), "nothing", "")...)
	withAddress := in("p", "d:1")
	withAddress.Labels = labels.FromStrings(append(pairs(withAddress.Labels), target.AddressLabel, "d:1")...)
	body, err := Render([]target.Target{in("p", "b:1"), in("q", "e:1"), in("p", "a:1"), withEmpty, withAddress, in("p", "a:1")})
	ok(t, err)
	var groups [][]string
	ok(t, parse(string(body), func(as []string, _ target.Labels) { groups = append(groups, slices.Clone(as)) }))
	same(t, "groups", groups, [][]string{{"a:1", "b:1", "c:1", "d:1"}, {"e:1"}})
}

func pairs(l target.Labels) []string {
	var ps []string
	l.Range(func(lb labels.Label) { ps = append(ps, lb.Name, lb.Value) })
	return ps
}

// What would freeze the whole file for its readers is never rendered.
func TestRenderRefuses(t *testing.T) {
	tests := []struct {
		name string
		t    target.Target
		want string
	}{
		{"bad label name", tgt("a:1", "a-b", "x"), `target "a:1": label name "a-b" does not match`},
		{"UTF-8 label name", tgt("a:1", "größe", "x"), `label name "größe" does not match`},
		{"bad value", tgt("a:1", "a", "\xff"), `label a: value "\xff" is not valid UTF-8`},
		{"bad address", tgt("\xff:1"), `target "\xff:1" is not valid UTF-8`},
		{"no address", tgt(""), "a target has no address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body, err := Render([]target.Target{tgt("ok:1"), tt.t})
			says(t, err, tt.want)
			same(t, "body", body, nil)
		})
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\/\b\f\n\r\t\x00\x1f\x7f", "<a>&", "größe \u2028\u2029 \U0001f600"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		var want strings.Builder
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		ok(t, e.Encode(s))
		same(t, "string", string(appendString(nil, s))+"\n", want.String())
	})
}

// Contract §10: the hash is over all but the __meta_ labels.
func TestOutputHash(t *testing.T) {
	base := []target.Target{in("p", "a:1"), in("p", "b:1")}
	tests := []struct {
		name string
		ts   []target.Target
		same bool
	}{
		{"the same", base, true},
		{"another order", []target.Target{base[1], base[0]}, true},
		{"another health", []target.Target{in("p", "a:1", target.HealthLabel, "down"), base[1]}, true},
		{"another source", []target.Target{in("p", "a:1", target.SourceLabel, "x"), base[1]}, true},
		{"another label", []target.Target{in("p", "a:1", "v", "1"), base[1]}, false},
		{"another value", []target.Target{in("q", "a:1"), base[1]}, false},
		{"another address", []target.Target{in("p", "a:2"), base[1]}, false},
		{"one less", base[:1], false},
		{"one more", append(slices.Clone(base), in("p", "c:1")), false},
		{"another path", []target.Target{in("p", "a:1", "__metrics_path__", "/x"), base[1]}, false},
	}
	want := hashOf(t, base)
	if want >= 1<<48 || want == 0 {
		t.Fatalf("%x is not 48 bits", want)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { same(t, "same hash", hashOf(t, tt.ts) == want, tt.same) })
	}
	// Two targets at one address, whose order in the file turns with health.
	p, q := in("p", "a:1"), in("q", "a:1")
	same(t, "two at one address", hashOf(t, []target.Target{p, down(q)}) == hashOf(t, []target.Target{down(p), q}), true)
}

func hashOf(t *testing.T, ts []target.Target) uint64 {
	t.Helper()
	es := make([]entry, len(ts))
	for i := range ts {
		es[i] = entry{&ts[i].Key, ts[i].Labels}
	}
	r, err := render(canonical(es))
	ok(t, err)
	return r.hash
}
