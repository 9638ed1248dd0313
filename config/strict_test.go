package config

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

func parseText(t *testing.T, text string) (*Config, error) {
	t.Helper()
	return Parse("x.yml", []byte(text), t.TempDir())
}

func TestNearest(t *testing.T) {
	words := []string{"server", "servers", "services", "tags", "token", "token_file", "refresh_interval"}
	for got, want := range map[string]string{
		"sever": "server", "sevrer": "server", "tag": "tags", "Token": "token", "token-file": "token_file",
		"refreshInterval": "refresh_interval", "refresh_intervall": "refresh_interval",
		"frobnicate": "", "x": "", strings.Repeat("a", 100): "",
	} {
		if is := nearest(got, words); is != want {
			t.Errorf("nearest to %s is %q, want %q", got, is, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"abc", "abc", 0},
		{"abc", "", 3},
		{"abc", "acb", 1},
		{"abc", "abd", 1},
		{"abc", "ab", 1},
		{"kitten", "sitting", 3},
		{"ca", "abc", 3},
	} {
		if got := distance(c.a, c.b); got != c.want || distance(c.b, c.a) != c.want {
			t.Errorf("distance of %s and %s is %d and %d, want %d", c.a, c.b, got, distance(c.b, c.a), c.want)
		}
	}
}

// A document of a few hundred bytes must not unfold to millions of nodes.
func TestAliasBomb(t *testing.T) {
	bombs := map[string]string{"lists": "a0: &a0 {}\n", "merges": "a0: &a0 {x: 1}\n"}
	for i := 1; i < 30; i++ {
		bombs["lists"] += fmt.Sprintf("a%d: &a%d {l: *a%d, r: *a%d}\n", i, i, i-1, i-1)
		bombs["merges"] += fmt.Sprintf("a%d: &a%d {<<: [*a%d, *a%d]}\n", i, i, i-1, i-1)
	}
	bombs["merges"] += "global: {labels: *a29}\n"
	bombs["lists"] += "health: {http_client: {oauth2: {claims: {x: *a29}}}}\n"
	bombs["many"] = "global: {labels: &l {a: b}}\nsources:\n" + strings.Repeat("  - {name: x, labels: *l}\n", maxExpanded/2)
	for name, text := range bombs {
		_, err := parseText(t, text)
		if err == nil || !strings.Contains(err.Error(), "aliases") && !strings.Contains(err.Error(), "excessive aliasing") {
			t.Errorf("%s: %.500v", name, err)
		}
	}
}

func TestMergeLoop(t *testing.T) {
	_, err := parseText(t, "global:\n  labels: &l\n    <<: *l\n    a: b\n")
	if err == nil || !strings.Contains(err.Error(), "x.yml:2: global.labels: an anchor that contains itself") {
		t.Error(err)
	}
}

func TestTooLarge(t *testing.T) {
	_, err := parseText(t, "#"+strings.Repeat(" ", maxFileSize))
	if err == nil || !strings.Contains(err.Error(), "is larger than 16 MiB") {
		t.Error(err)
	}
}

func TestUnreadableConfiguration(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		dir + "/none.yml":    "none.yml: no such file: name the configuration with --config.file",
		dir:                  ": is a directory: name the file in it",
		dir + "/none.yml/x":  "no such file",
		"/proc/self/mem":     "can't be read: ",
		"testdata/bad/.none": "no such file",
	} {
		_, err := Load(path)
		var all *Errors
		if !errors.As(err, &all) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	if _, err := Load(dir + "/none.yml"); !errors.Is(err, os.ErrNotExist) {
		t.Error("the chain does not end in os.ErrNotExist:", err)
	}
}

func TestPermissionDenied(t *testing.T) { // root reads everything, so the error is made by hand
	err := readError("strict_test.go", &os.PathError{Op: "open", Path: "strict_test.go", Err: os.ErrPermission})
	for _, want := range []string{"permission denied for user ", "uid ", "; the file has mode 0", " belongs to uid ", "let that user or its group read it"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

// A pipe that a pattern matches must not block the start.
func TestSourceFilesAreRegular(t *testing.T) {
	_, err := parseText(t, "source_files: [/dev/null]\noutputs: [{path: mcp.json}]\n")
	if err == nil || !strings.Contains(err.Error(), "/dev/null: is no regular file") {
		t.Error(err)
	}
}

func TestErrorsAreOrderedAndUnwrap(t *testing.T) {
	var l errorList
	boom := errors.New("boom")
	for _, e := range []Error{{"b", 1, "x", boom}, {"a", 10, "x", boom}, {"a", 2, "y", boom}, {"a", 2, "x", boom}, {"a", 0, "", boom}} {
		l.add(e)
	}
	err := l.err()
	want := "a: boom\na:2: x: boom\na:2: y: boom\na:10: x: boom\nb:1: x: boom"
	if err.Error() != want || !errors.Is(err, boom) {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	var one Error
	if !errors.As(err, &one) || one.File != "a" {
		t.Errorf("the first is %v", one)
	}
}

// Values that YAML reads in several ways.
func TestScalars(t *testing.T) {
	_, err := parseText(t, `
global:
  labels: {version: 1.10, on: on, big: 0x10, date: 2026-01-01, none: , tilde: ~, bin: !!binary aGVsbG8=, "9": x}
sources: [{name: a, static: {files: [a.yml]}}]
health: {enabled: off, rise: 0x2, fall: 1_0, body_limit: 1KiB}
guard: {allow_empty: Yes, max_removed_ratio: 1, window: 0.5}
outputs: [{path: mcp.json, mode: 0640}]
`)
	if err == nil {
		t.Fatal("0.5 is no duration, 9 no label name")
	}
	if got := err.Error(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `x.yml:3: global.labels.9: "9" is no label name`) || !strings.Contains(got, `x.yml:6: guard.window: "0.5" is no duration`) {
		t.Fatal(err)
	}
	c, err := parseText(t, `
global:
  labels: {version: 1.10, on: on, big: 0x10, date: 2026-01-01, none: , tilde: ~, bin: !!binary aGVsbG8=}
sources: [{name: a, static: {files: [a.yml]}}]
health: {enabled: off, rise: 0x2, fall: 1_0, body_limit: 1KiB}
guard: {allow_empty: Yes, max_removed_ratio: 1}
outputs: [{path: mcp.json, mode: 0640}]
`)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(c.Global.Labels, c.Health.Enabled, c.Health.Rise, c.Health.Fall, int64(c.Health.BodyLimit), c.Guard.AllowEmpty, c.Guard.MaxRemovedRatio, c.Outputs[0].Mode)
	if want := "map[big:0x10 bin:hello date:2026-01-01 none: on:on tilde: version:1.10] false 2 10 1024 true 1 0640\n"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestNumbersMustBeFinite(t *testing.T) {
	for _, v := range []string{".nan", ".inf", "-.inf", "1e999"} {
		_, err := parseText(t, "sources: [{name: a, static: {files: [a.yml]}}]\nguard: {max_removed_ratio: "+v+"}\noutputs: [{path: mcp.json}]\n")
		if err == nil || !strings.Contains(err.Error(), "x.yml:2: guard.max_removed_ratio: ") {
			t.Errorf("%s: %v", v, err)
		}
	}
}
