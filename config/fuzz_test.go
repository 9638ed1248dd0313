package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever the bytes: no panic, every error has a file and no negative line,
// and what loads can be printed and read back as the same configuration.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yml", "testdata/good/*.yml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Contains(string(data), "source_files") {
			data = []byte(strings.ReplaceAll(string(data), "source_files", "source_file_")) // no reading of other files
		}
		c, err := Parse("fuzz.yml", data, "/nonexistent")
		if err == nil {
			readBack(t, c)
			return
		}
		var all *Errors
		if !errors.As(err, &all) || len(all.List) == 0 {
			t.Fatalf("%T: %v", err, err)
		}
		for _, e := range all.List {
			if e.File != "fuzz.yml" || e.Line < 0 || e.Err.Error() == "" {
				t.Errorf("%#v", e)
			}
		}
	})
}

func readBack(t tb, c *Config) {
	text := marshal(t, c)
	if strings.Contains(text, "<secret>") {
		return
	}
	sameConfig(t, c, again(t, text))
}
