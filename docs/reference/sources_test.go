package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/mcp-sd/mcp-sd/config"
)

const sourcesSchema = "mcp-sd.sources.schema.json"

// taken reports whether mcp-sd takes a text as a file that source_files names.
func taken(t *testing.T, text []byte) bool {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sources.yml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Parse("mcp-sd.yml", []byte("source_files: [sources.yml]\noutputs: [{path: mcp.json}]\n"), dir)
	return err == nil
}

// The sources of every example and of every other file here, in a file of their
// own: the schema takes what mcp-sd takes, and refuses what it refuses.
func TestSourceFiles(t *testing.T) {
	s, beyond := schema(t, sourcesSchema), beyondSchemas()
	good, bad := 0, 0
	for _, path := range configurations(t, "../../examples", "../../packaging", "../../config/testdata/good", "../../config/testdata/bad") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		v, _ := asJSON(text)
		whole, _ := v.(map[string]any)
		if _, ok := whole["sources"].([]any); !ok {
			continue
		}
		only := map[string]any{"sources": whole["sources"]}
		if strings.Contains(path, "/more/") {
			only = whole // is one already
		}
		if text, err = yaml.Marshal(only); err != nil {
			t.Fatal(err)
		}
		takes, refused := taken(t, text), s.Validate(only)
		_, excused := beyond[strings.TrimSuffix(filepath.Base(path), ".yml")]
		switch {
		case takes && refused != nil:
			t.Errorf("mcp-sd takes the sources of %s, the schema does not: %v", path, refused)
		case !takes && refused == nil && !excused:
			t.Errorf("mcp-sd refuses the sources of %s, the schema does not", path)
		}
		if takes {
			good++
		} else {
			bad++
		}
	}
	if good < 10 || bad < 10 {
		t.Errorf("only %d good and %d bad files were judged", good, bad)
	}
}

// A file of source_files has sources, and nothing else.
func TestSourceFilesHaveSourcesOnly(t *testing.T) {
	s := schema(t, sourcesSchema)
	for _, text := range []string{"", "[]", "sources: [{name: a, static: {}}]\noutputs: [{path: a.json}]", "health: {}", "sources: 1"} {
		v, _ := asJSON([]byte(text))
		if s.Validate(v) == nil || taken(t, []byte(text)) {
			t.Errorf("%q is no file of sources", text)
		}
	}
}
