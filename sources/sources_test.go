package sources

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTable: names are unique, sorted and usable as YAML keys, and every line
// of the table yields fresh defaults.
func TestTable(t *testing.T) {
	var names []string
	for _, m := range Mechanisms() {
		names = append(names, m.Name)
		if !regexp.MustCompile(`^[a-z][a-z0-9_]*$`).MatchString(m.Name) {
			t.Errorf("%q is no name for a YAML key", m.Name)
		}
		if m.Doc == "" || strings.HasSuffix(m.Doc, ".") {
			t.Errorf("%s: Doc %q is not one line for a list", m.Name, m.Doc)
		}
		if m.Options() == m.Options() {
			t.Errorf("%s: two sources would share one option struct", m.Name)
		}
		if m.Options().Fingerprint() != m.Options().Fingerprint() {
			t.Errorf("%s: equal options have different fingerprints", m.Name)
		}
		if got, ok := Lookup(m.Name); !ok || got.Name != m.Name {
			t.Errorf("Lookup(%q) = %q, %t", m.Name, got.Name, ok)
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("the table is not sorted by name, or holds one twice: %q", names)
	}
	if _, ok := Lookup("zookeeper"); ok {
		t.Error("Lookup finds what is not there")
	}
}

// TestEveryMechanismIsDocumented: a row in the README's table and an example
// that uses it.
func TestEveryMechanismIsDocumented(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Error(err)
	}
	examples := exampleText(t)
	for _, m := range Mechanisms() {
		if !strings.Contains(string(readme), "\n| `"+m.Name+"` |") {
			t.Errorf("README.md has no row \"| `%s` | …\"", m.Name)
		}
		if !regexp.MustCompile(`(?m)^\s+(- )?` + m.Name + `:`).MatchString(examples) {
			t.Errorf("no example below examples/ has a source with %s:", m.Name)
		}
	}
}

func exampleText(t *testing.T) string {
	var all strings.Builder
	err := filepath.WalkDir("../examples", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yml" {
			return err
		}
		b, err := os.ReadFile(path)
		all.Write(b)
		all.WriteByte('\n')
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return all.String()
}
