package filesd

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"go.yaml.in/yaml/v2"
)

const (
	oneYAML  = "- targets: [10.0.0.1:3000, 10.0.0.2:3000]\n  labels: {environment: production}\n"
	moreYAML = oneYAML + "- targets: [10.0.0.3:3000]\n"
	twoJSON  = `[{"targets": ["10.0.1.1:3000"], "labels": {"job": "mcp"}}]`
)

// Contract §4: a broken or empty file is a failure; [] says "none".
func TestParse(t *testing.T) {
	for _, tc := range []struct{ name, content, want string }{
		{"a.json", `[]`, ""},
		{"a.yml", `[]`, ""},
		{"a.yml", "---\n[]\n...\n", ""},
		{"a.json", `[{"targets": []}]`, ""},
		{"a.JSON", twoJSON, ""},
		{"a.yaml", moreYAML, ""},
		{"a.yml", twoJSON, ""}, // JSON is YAML
		{"a.json", "", "the file is empty (0 bytes)"},
		{"a.yml", "", "the file is empty (0 bytes)"},
		{"a.yml", " \n\n", "the file is empty"},
		{"a.yml", "# nothing here\n", "holds no list"},
		{"a.yml", "null", "holds no list"},
		{"a.yml", "---\n", "holds no list"},
		{"a.json", "null", "holds no list"},
		{"a.json", "{}", "cannot unmarshal object"},
		{"a.yml", "{}", "cannot unmarshal"},
		{"a.yml", "just text", "cannot unmarshal"},
		{"a.json", `[null]`, "group 1 is null"},
		{"a.yml", "- {targets: [a:1]}\n-\n", "group 2 is null"},
		{"a.json", `[{"targets": null}]`, "group 1 has no list"},
		{"a.yml", "- targets:\n", "group 1 has no list"},
		{"a.yml", "- labels: {a: b}\n", "group 1 has no list"},
		{"a.json", `[{"targets": ["a:1"], "label": {}}]`, `unknown field "label"`},
		{"a.yml", "- targets: [a:1]\n  label: {}\n", "field label not found"},
		{"a.yml", "- targets: [a:1]\n  targets: [b:1]\n", "already set"},
		{"a.yml", "- targets: [a:1]\n  labels: {a: b, a: c}\n", "already set"},
		{"a.json", `[{"targets": ["a:1"], "labels": {"": "x"}}]`, "not a valid label name"},
		{"a.json", `[{"targets": ["a:1"], "labels": {"a": 1}}]`, "cannot unmarshal number"},
		{"a.json", `[{"targets": ["a:1"]`, "line 1: unexpected EOF"},
		{"a.json", "[\n{\"targets\": [\"a:1\"]}\n}", "line 3: "},
		{"a.json", `[] x`, "something follows"},
		{"a.json", `[][]`, "something follows"},
		{"a.json", "\ufeff[]", "invalid character"},
		{"a.yml", "- targets: [a:1\n", "did not find expected"},
		{"a.yml", "[]\n---\n- targets: [a:1]\n", "second YAML document"},
		{"a.yml", "- targets: [a:1]\n--- x", "second YAML document"},
		{"a.yml", "- targets: \x00", "control characters"},
	} {
		_, err := Parse(tc.name, []byte(tc.content))
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%s %q: %v", tc.name, tc.content, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s %q: got %v, want an error with %q", tc.name, tc.content, err, tc.want)
		}
	}
}

// FuzzParse: what is taken is taken by Prometheus' own reader, and understood
// in the same way.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		oneYAML, moreYAML, twoJSON, "[]", "null", "- targets: [a:1]\n  labels: &l {a: b}\n- targets: []\n  labels:\n    <<: *l\n",
		"- targets: [~, 1, 0x1f, yes, 1.50]\n", "- {targets: !!set {a, b}}", "[]\n---\n[]", "\xff\xfe[\x00]\x00", "- targets: [a:1]\n  labels: {a: ~}",
		`[{"targets":["a:1"],"Targets":["b:1"],"labels":{"a":"\ud800"}}]`, "- targets: !!binary YTox\n",
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, content string, isJSON bool) {
		name, read := "a.yml", yaml.UnmarshalStrict
		if isJSON {
			name, read = "a.json", json.Unmarshal
		}
		ours, err := Parse(name, []byte(content))
		if err != nil {
			return
		}
		var theirs []*targetgroup.Group
		if err := read([]byte(content), &theirs); err != nil {
			t.Fatalf("Prometheus refuses it: %v", err)
		}
		if len(ours) != len(theirs) {
			t.Fatalf("%d groups, Prometheus reads %d", len(ours), len(theirs))
		}
		for i, g := range theirs {
			sameGroup(t, ours[i], g)
		}
	})
}

func sameGroup(t *testing.T, ours Group, theirs *targetgroup.Group) {
	t.Helper()
	if theirs == nil || len(ours.Targets) != len(theirs.Targets) {
		t.Fatalf("%v, Prometheus reads %v", ours, theirs)
	}
	for i, l := range theirs.Targets {
		if string(l[model.AddressLabel]) != ours.Targets[i] {
			t.Errorf("%v, Prometheus reads %v", ours, theirs)
		}
	}
	if !reflect.DeepEqual(ours.Labels, theirs.Labels) {
		t.Errorf("%v, Prometheus reads %v", ours, theirs)
	}
}
