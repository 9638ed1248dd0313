package writer

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"
	"pgregory.net/rapid"

	"github.com/mcp-sd/mcp-sd/target"
)

// FACTS "Prometheus file_sd": what Prometheus keeps its old targets for, what
// it silently drops them for, and what we refuse beyond that.
func TestParseRefuses(t *testing.T) {
	tests := map[string]string{
		"":                                   "0 bytes",
		" \n":                                "a list is missing: the file ends too early",
		"null":                               "null stands where a list should be",
		"{}":                                 `"{" stands where a list should be`,
		"\ufeff[]":                           "should be",
		"[] []":                              "something follows the list",
		"[]x":                                "something follows the list",
		"[]\x00":                             "something follows the list",
		"[":                                  "the file ends too early",
		"[null]":                             "null stands where an object should be",
		"[{}]":                               "a group has no targets",
		`[{"labels":{}}]`:                    "a group has no targets",
		`[{"targets":null}]`:                 "null stands where a list should be",
		`[{"targets":[null]}]`:               "null stands where an address should be",
		`[{"targets":[1]}]`:                  "should be",
		`[{"targets":[""]}]`:                 "a target has no address",
		`[{"targets":"a:1"}]`:                "should be",
		`[{"Targets":["a:1"]}]`:              `unknown key "Targets"`,
		`[{"targets":["a:1"],"label":{}}]`:   `unknown key "label": a group has targets and labels`,
		`[{"targets":["a:1"],"targets":[]}]`: `"targets" is there twice`,
		`[{"targets":[],"labels":{},"labels":{}}]`:                           `"labels" is there twice`,
		`[{"targets":["a:1"],"labels":null}]`:                                "null stands where an object should be",
		`[{"targets":["a:1"],"labels":[]}]`:                                  "should be",
		`[{"targets":["a:1"],"labels":{"a":1}}]`:                             "a label's value should be",
		`[{"targets":["a:1"],"labels":{"a":null}}]`:                          "null stands",
		`[{"targets":["a:1"],"labels":{"":"x"}}]`:                            `label name "" does not match`,
		`[{"targets":["a:1"],"labels":{"a-b":"x"}}]`:                         "does not match",
		`[{"targets":["a:1"],"labels":{"__address__":"x"}}]`:                 "the address stands in targets",
		`[{"targets":["a:1"],"labels":{"a":"x","a":"y"}}]`:                   "label a is there twice",
		`[{"targets":["a:1"],"labels":{"a":"x","a":""}}]`:                    "label a is there twice",
		`[{"targets":["a:1"],"labels":{"a":"\ud800","b":"` + "\xff" + `"}}]`: "not valid UTF-8",
		`[{"targets":["a:1",]}]`:                                             "should be",
		`[{"targets":["a:1"]},]`:                                             "should be",
		`[{"targets":["a:1"] "labels":{}}]`:                                  "a comma or",
		`[{"targets" ["a:1"]}]`:                                              "a colon should be",
		`[{"targets":["a:1"]}`:                                               "the file ends too early",
		`[{"targets":["a:1`:                                                  "a string has no end",
		`[{"targets":["a\`:                                                   "a string has no end",
		`[{"targets":["a\q"]}]`:                                              "invalid character",
		"[{\"targets\":[\"a\n\"]}]":                                          "control character",
		"[\n{\"targets\":[],\n\"x\":1}]":                                     "line 3: ",
	}
	for body, want := range tests {
		t.Run(body, func(t *testing.T) {
			ts, err := Parse([]byte(body))
			says(t, err, want)
			same(t, "targets", ts, nil)
		})
	}
}

func TestParse(t *testing.T) {
	ts, err := Parse([]byte(` [ {"labels": {"__meta_mcp_sd_source": "racks", "__scheme__": "https", "__metrics_path__": "/m", "__param_a": "b", "gone": "", "n\u0061me": "\u00fc\n"},
		"targets": ["a:1", "[::1]:2"]}, {"targets": []}, {"targets": ["c:3"]} ] `))
	ok(t, err)
	l := labels.FromStrings(target.SourceLabel, "racks", "__scheme__", "https", "__metrics_path__", "/m", "__param_a", "b", "name", "ü\n")
	want := []target.Target{
		{Key: target.Key{Scheme: "https", Address: "a:1", Path: "/m", Params: "a=b"}, Source: "racks", Labels: l},
		{Key: target.Key{Scheme: "https", Address: "[::1]:2", Path: "/m", Params: "a=b"}, Source: "racks", Labels: l},
		{Key: target.Key{Scheme: "http", Address: "c:3", Path: "/metrics"}},
	}
	if !slices.EqualFunc(ts, want, target.Target.Equal) {
		t.Fatalf("got %v", ts)
	}
}

// reads is what Prometheus' own reader makes of a file: per group and address
// the labels that are not empty.
func reads(body []byte) ([]string, error) {
	var groups []*targetgroup.Group
	if err := json.Unmarshal(body, &groups); err != nil {
		return nil, err
	}
	var ts []string
	for _, g := range groups {
		if g == nil {
			return nil, fmt.Errorf("nil target group")
		}
		b := labels.NewBuilder(labels.EmptyLabels())
		for n, v := range g.Labels {
			b.Set(string(n), string(v))
		}
		for _, t := range g.Targets {
			ts = append(ts, string(t["__address__"])+b.Labels().String())
		}
	}
	return ts, nil
}

func ourRead(ts []target.Target) []string {
	var out []string
	for _, t := range ts {
		out = append(out, t.Address+t.Labels.String())
	}
	return out
}

// Whatever Parse takes, Prometheus takes, with the same meaning; and it
// survives being rendered.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"mixed.json", "none.json"} {
		body, err := os.ReadFile(filepath.Join("testdata", name))
		ok(f, err)
		f.Add(body)
	}
	for _, s := range []string{"", "null", "[{}]", `[{"targets":["a:1"],"labels":{"a":"\u00e9\ud83d\ude00\/"}}]`, `[{"targets":["a:1","a:1"]}]`, `[{"targets":["a"],"labels":{"a":"1","a":"2"}}]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		ts, err := Parse(body)
		if err != nil {
			return
		}
		theirs, err := reads(body)
		ok(t, err)
		same(t, "what Prometheus reads", theirs, ourRead(ts))

		again, err := Render(ts)
		ok(t, err)
		back, err := Parse(again)
		ok(t, err)
		same(t, "after a round", inOrder(back), inOrder(ts))
	})
}

// inOrder are the targets of a file without repetitions, in one order.
func inOrder(ts []target.Target) []string {
	out := ourRead(ts)
	slices.Sort(out)
	return slices.Compact(out)
}

// Parse(Render(x)) == x, for targets as they are published.
func TestRoundTrip(t *testing.T) {
	address := rapid.StringMatching(`[a-d]{1,2}\.example:[1-9]`)
	value := rapid.StringMatching(`.{0,6}`)
	name := rapid.StringMatching(`[a-c_][a-c0-9]{0,2}`)
	rapid.Check(t, func(t *rapid.T) {
		var ts []target.Target
		for range rapid.IntRange(0, 30).Draw(t, "n") {
			tg := tgt(address.Draw(t, "address"))
			b := labels.NewBuilder(tg.Labels)
			for range rapid.IntRange(0, 3).Draw(t, "labels") {
				b.Set(name.Draw(t, "name"), value.Draw(t, "value"))
			}
			tg.Labels = b.Labels()
			ts = append(ts, tg)
		}
		body, err := Render(ts)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse(body)
		if err != nil {
			t.Fatal(err, string(body))
		}
		if got, want := inOrder(back), inOrder(ts); !slices.Equal(got, want) {
			t.Fatalf("got %s\nwant %s", got, want)
		}
		for _, tg := range back {
			if tg.Source != "s" || !slices.ContainsFunc(ts, func(o target.Target) bool { return o.Equal(tg) }) {
				t.Fatalf("%v was not there", tg)
			}
		}
		if theirs, err := reads(body); err != nil || strings.Join(theirs, "\n") != strings.Join(ourRead(back), "\n") {
			t.Fatal(theirs, err)
		}
	})
}
