package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestShorten(t *testing.T) {
	const rules = `groups:
  - name: g
    rules:
      # why
      - alert: A
        expr: |
          sum by (a) (rate(x[5m] offset 1w)) / sum by (a) (rate(y[5m])) > 300 and on () hour() >= 9
        for: 10m
        labels: {severity: warning}
        annotations: {summary: 'within 5m'}
      - record: r
        expr: max_over_time(rate(z[1h])[1d:1h])
`
	got, err := shorten([]byte(rules), 60)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`rate(x[5s] offset 2h48m)`, `rate(y[5s])`, `> 300 and on () hour() >= 9`, "for: 10s",
		`max_over_time(rate(z[1m])[24m:1m])`, "summary: 'within 5m'", "severity: warning",
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// A factor of one is the shipped file: nothing but the way it is written may
// differ.
func TestShippedRulesComeThrough(t *testing.T) {
	files, err := filepath.Glob("../../../examples/prometheus/mcp*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, ".test.yml") {
			continue
		}
		var whole, again bytes.Buffer
		if err := run([]string{"1", path}, &whole); err != nil {
			t.Error(err)
		}
		copied := filepath.Join(t.TempDir(), "rules.yml")
		if err := os.WriteFile(copied, whole.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := run([]string{"1", copied}, &again); err != nil || again.String() != whole.String() {
			t.Errorf("%s: %v: it reads differently the second time:\n%s\n%s", path, err, &whole, &again)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct{ rules, want string }{
		{"groups: []", "no rule"},
		{"groups: [{rules: [{alert: A, expr: 'rate('}]}]", "line 1"},
		{"groups: [{rules: [{alert: A, expr: up, for: soon}]}]", "soon"},
		{"groups: [", "yaml"},
	} {
		if _, err := shorten([]byte(c.rules), 60); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.rules, err, c.want)
		}
	}
	for _, args := range [][]string{{"60"}, {"0", "x"}, {"x", "y"}, {"60", "nowhere.yml"}} {
		if run(args, &bytes.Buffer{}) == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
