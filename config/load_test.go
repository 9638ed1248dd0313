package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// loadWhole is what check-config does: everything wrong with the file, or else
// everything wrong with the machine.
func loadWhole(path string) (*Config, error) {
	c, err := Load(path)
	if err != nil {
		return nil, err
	}
	return c, c.CheckEnvironment()
}

// sameEverywhere takes out of a text what differs from machine to machine.
func sameEverywhere(t *testing.T, text string) string {
	t.Helper()
	here, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(text, here, "$TESTDATA")
}

// Contract §3: every mistake gets an error with its file, line and field, and
// all of them at once. Each testdata/bad/X.yml has its exact messages in X.err;
// UPDATE=1 writes them anew.
func TestBadFiles(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	paths, err := filepath.Glob("testdata/bad/*.yml")
	if err != nil || len(paths) == 0 {
		t.Fatal("no files:", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, err := loadWhole(path)
			var all *Errors
			if !errors.As(err, &all) {
				t.Fatalf("got %v, want *Errors", err)
			}
			got := sameEverywhere(t, err.Error()) + "\n"
			file := strings.TrimSuffix(path, ".yml") + ".err"
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}
