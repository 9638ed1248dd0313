package docs

import (
	"path/filepath"
	"strings"
	"testing"
)

// Each mechanism that is linked has been weighed (go run ./sources/prometheus/weigh),
// and none that is not.
func TestMechanismsAreWeighed(t *testing.T) {
	files, err := filepath.Glob("../sources/prometheus/mechanisms/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v: %v", files, err)
	}
	text := read(t, "mechanisms.md")
	rows := strings.Count(text, "\n| `")
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".go")
		if name == "doc" || strings.HasSuffix(name, "_test") {
			continue
		}
		rows--
		if !strings.Contains(text, "\n| `"+name+"` |") {
			t.Errorf("mechanisms.md has no row for %s", name)
		}
	}
	if rows != 0 {
		t.Errorf("mechanisms.md has %d rows more than there are mechanisms", rows)
	}
}
