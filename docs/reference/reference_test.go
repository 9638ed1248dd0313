package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v3"

	"github.com/mcp-sd/mcp-sd/config"
)

// The files in docs are those that the program makes now. After a change:
// go run ./docs/reference
func TestUpToDate(t *testing.T) {
	t.Chdir("../..")
	files, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("docs", name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(got), string(want)); diff != "" {
			t.Errorf("docs/%s is not up to date; go run ./docs/reference (-is +should be):\n%s", name, diff)
		}
	}
}

// Every key says what it is for.
func TestEveryKeyIsDescribed(t *testing.T) {
	r := &reference{keys: config.Outline(), comments: newComments(), limits: limits(), used: map[string]bool{}}
	rows, err := r.rows("", r.keys, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row.text == "" && !strings.Contains(row.path, "http_client.") { // Prometheus' words, or none
			t.Errorf("%s has no comment in the source", row.path)
		}
	}
	if len(rows) < 100 {
		t.Errorf("%d keys were found", len(rows))
	}
}

// schema reads one of the schemas as an editor does, with those beside it.
func schema(t *testing.T, name string) *jsonschema.Resolved {
	t.Helper()
	read := func(at *url.URL) (*jsonschema.Schema, error) {
		text, err := os.ReadFile(filepath.Join("..", at.Path))
		if err != nil {
			return nil, err
		}
		var s jsonschema.Schema
		return &s, json.Unmarshal(text, &s)
	}
	s, err := read(&url.URL{Path: name})
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve(&jsonschema.ResolveOptions{BaseURI: "file:///" + name, Loader: read})
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}

// asJSON reads YAML as an editor does; false where it is none.
func asJSON(text []byte) (any, bool) {
	var v any
	if yaml.Unmarshal(text, &v) != nil {
		return nil, false
	}
	return plain(v), true
}

func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	case map[any]any:
		m := map[string]any{}
		for k := range v {
			m[fmt.Sprint(k)] = plain(v[k])
		}
		return m
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case time.Time:
		return v.Format(time.DateOnly)
	case int:
		return float64(v)
	}
	return v
}

func configurations(t *testing.T, roots ...string) []string {
	t.Helper()
	var found []string
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(path, ".yml") {
				found = append(found, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// What mcp-sd takes, the schema takes: every example and every good test file
// (contract §3).
func TestGoodConfigurations(t *testing.T) {
	s, judged := schema(t, mainSchema), 0
	for _, path := range configurations(t, "../../examples", "../../packaging", "../../config/testdata/good") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := config.Parse(path, text, filepath.Dir(path)); err != nil {
			continue // no configuration, or one for a folder of its own
		}
		v, ok := asJSON(text)
		if !ok {
			t.Errorf("%s is good, but no YAML to an editor", path)
			continue
		}
		judged++
		if err := s.Validate(v); err != nil {
			t.Errorf("%s is good, but the schema refuses it: %v", path, err)
		}
	}
	if judged < 10 {
		t.Errorf("only %d configurations were judged", judged)
	}
}

// What mcp-sd refuses, the schema refuses, but for what no schema can see.
func TestBadConfigurations(t *testing.T) {
	beyond := beyondSchemas()
	s := schema(t, mainSchema)
	for _, path := range configurations(t, "../../config/testdata/bad") {
		if strings.Contains(path, "/more/") {
			continue // parts of others
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		v, ok := asJSON(text)
		if !ok {
			continue // no YAML: the editor says so by itself
		}
		name := strings.TrimSuffix(filepath.Base(path), ".yml")
		refused := s.Validate(v) != nil
		switch why, excused := beyond[name]; {
		case !refused && !excused:
			t.Errorf("%s is bad, but the schema takes it", path)
		case refused && excused:
			t.Errorf("the schema refuses %s, which it is excused from: %s", path, why)
		}
		delete(beyond, name)
	}
	for name := range beyond {
		t.Errorf("%s.yml is excused, but it is not there, or no YAML", name)
	}
}

// beyondSchemas are bad configurations that a schema can't know to be bad.
func beyondSchemas() map[string]string {
	const (
		machine = "this machine's files are at fault"
		meaning = "each value is fine by itself"
		syntax  = "a schema knows no language inside a text"
	)
	return map[string]string{
		"bad-certificate":   machine,
		"missing-secret":    machine,
		"output-directory":  machine,
		"source-files":      machine,
		"no-sources":        machine, // the pattern matches none
		"duplicate-source":  meaning,
		"http-client-twice": meaning,
		"version-by-nobody": meaning,
		"bad-regexp":        syntax,
	}
}
