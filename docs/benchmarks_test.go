package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const benchmarks = "../BENCHMARKS.md"

// The figures in the README are those of BENCHMARKS.md, word for word.
func TestFiguresAreThoseOfTheBenchmarks(t *testing.T) {
	_, block, begins := strings.Cut(read(t, readme), "<!-- figures of BENCHMARKS.md,")
	block, _, ends := strings.Cut(block, "<!-- end of figures -->")
	if !begins || !ends {
		t.Fatal("README.md has no place for figures")
	}
	measured := slices.Collect(strings.Lines(read(t, benchmarks)))
	rows := 0
	for line := range strings.Lines(block) {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		rows++
		if !slices.Contains(measured, line) {
			t.Errorf("README.md has a row that BENCHMARKS.md has not: %s`go -C bench run .` writes both", line)
		}
	}
	if rows < 2+4 {
		t.Errorf("%d rows were found", rows)
	}
}

// What a person wrote about the profiles is in BENCHMARKS.md as it is in
// bench/profiles.md, from where the next run takes it.
func TestProfilesAreInTheBenchmarks(t *testing.T) {
	prose := strings.TrimSpace(read(t, "../bench/profiles.md"))
	if !strings.HasSuffix(strings.TrimSpace(read(t, benchmarks)), prose) {
		t.Error("BENCHMARKS.md does not end with bench/profiles.md")
	}
}

// Each plot in BENCHMARKS.md is there, and each plot that is there is shown.
func TestPlots(t *testing.T) {
	var shown []string
	for _, m := range regexp.MustCompile(`\]\(docs/benchmarks/([^)]+)\)`).FindAllStringSubmatch(read(t, benchmarks), -1) {
		shown = append(shown, m[1])
	}
	files, err := filepath.Glob("benchmarks/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no plots: %v", err)
	}
	for _, f := range files {
		if !slices.Contains(shown, filepath.Base(f)) {
			t.Errorf("BENCHMARKS.md does not show %s", f)
		}
	}
	for _, name := range shown {
		if _, err := os.Stat(filepath.Join("benchmarks", name)); err != nil {
			t.Errorf("BENCHMARKS.md shows a plot that is not there: %v", err)
		}
	}
}
