package static

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mcp-sd/mcp-sd/sources/sourcetest"
	"github.com/mcp-sd/mcp-sd/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// put writes a file in place; replace does so as configuration management does.
func put(tb testing.TB, path, content string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		tb.Fatal(err)
	}
}

func replace(tb testing.TB, path, content string) {
	tb.Helper()
	draft := path + ".draft"
	put(tb, draft, content)
	rename(tb, draft, path)
}

func rename(tb testing.TB, from, to string) {
	tb.Helper()
	if err := os.Rename(from, to); err != nil {
		tb.Fatal(err)
	}
}

func mkdir(tb testing.TB, dir string) string {
	tb.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	return dir
}

func remove(tb testing.TB, path string) {
	tb.Helper()
	if err := os.Remove(path); err != nil {
		tb.Fatal(err)
	}
}

// newSource validates and builds, as main does.
func newSource(tb testing.TB, o Options, dir string) *source {
	tb.Helper()
	for _, err := range o.Validate() {
		tb.Fatal(err)
	}
	s, err := o.New(target.Env{
		Source: sourcetest.SourceName, Dir: dir, RefreshInterval: 50 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s.(*source)
}

const (
	oneYAML  = "- targets: [10.0.0.1:3000, 10.0.0.2:3000]\n  labels: {environment: production}\n"
	twoJSON  = `[{"targets": ["10.0.1.1:3000"], "labels": {"job": "mcp"}}]`
	moreYAML = oneYAML + "- targets: [10.0.0.3:3000]\n"
)

// TestConformance holds files and inline targets against what every mechanism
// promises (contract §4).
func TestConformance(t *testing.T) {
	sourcetest.Run(t, func(tb testing.TB) sourcetest.Backend {
		dir := tb.TempDir()
		sub := mkdir(tb, filepath.Join(dir, "sub"))
		one, two := filepath.Join(sub, "one.yml"), filepath.Join(dir, "two.json")
		put(tb, one, oneYAML)
		put(tb, two, twoJSON)
		o := Options{Targets: []Group{{Targets: []string{"10.0.2.1:3000"}}}, Files: []string{"sub/*.yml", two}}
		// Other faults of files are those of TestFailures.
		return sourcetest.Backend{
			New:      func() target.Source { return newSource(tb, o, dir) },
			Interval: 50 * time.Millisecond,
			Operator: true,
			Change:   func() { replace(tb, one, moreYAML) },
			Faults: []sourcetest.Fault{
				{Name: "empty", Break: func() { put(tb, one, "") }, Mend: func() { put(tb, one, oneYAML) }},
				{Name: "cut off", Break: func() { put(tb, two, twoJSON[:30]) }, Mend: func() { put(tb, two, twoJSON) }},
				{Name: "missing", Break: func() { rename(tb, two, two+"~") }, Mend: func() { rename(tb, two+"~", two) }},
				{Name: "no directory", Break: func() { rename(tb, sub, sub+"~") }, Mend: func() { rename(tb, sub+"~", sub) }},
				{Name: "no file", Break: func() { remove(tb, one); mkdir(tb, one) }, Mend: func() { remove(tb, one); put(tb, one, oneYAML) }},
			},
		}
	})
}

// TestConformanceEmpty: a source of files alone can be empty.
func TestConformanceEmpty(t *testing.T) {
	for name, empty := range map[string]func(testing.TB, string){
		"list":    func(tb testing.TB, path string) { replace(tb, path, "[]") },
		"deleted": func(tb testing.TB, path string) { remove(tb, path) },
	} {
		t.Run(name, func(t *testing.T) {
			sourcetest.Run(t, func(tb testing.TB) sourcetest.Backend {
				dir := tb.TempDir()
				one := filepath.Join(dir, "one.yaml")
				put(tb, one, oneYAML)
				return sourcetest.Backend{
					New:      func() target.Source { return newSource(tb, Options{Files: []string{"*.yaml"}}, dir) },
					Interval: 50 * time.Millisecond,
					Operator: true,
					Empty:    func() { empty(tb, one) },
				}
			})
		})
	}
}

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
