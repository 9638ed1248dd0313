package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/promslog"

	"github.com/mcp-sd/mcp-sd/config"
	"github.com/mcp-sd/mcp-sd/writer"
)

// Contract §9: 503 until the published set is loaded, and never again: in the
// middle of a reload the files are those of the writer before.
func TestShown(t *testing.T) {
	dir := t.TempDir()
	load := func(name string) *config.Config {
		path := filepath.Join(dir, "mcp-sd.yml")
		text := fmt.Sprintf("sources: [{name: a, static: {targets: [{targets: ['10.0.0.1:80']}]}}]\noutputs: [{path: %s/%s}]\n", dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	options := func(c *config.Config) writer.Options {
		return writer.Options{Outputs: c.Outputs, Logger: promslog.NewNopLogger(), Metrics: writer.NewMetrics(prometheus.NewRegistry())}
	}
	var s shown
	expect := func(when, want string) {
		t.Helper()
		got := "not loaded"
		if files := s.files(); files != nil {
			got = ""
			for _, f := range files {
				got += filepath.Base(f.Path)
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}
	expect("before anything", "not loaded")
	c := load("old.json")
	old, err := writer.Open(options(c))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.take(c, old); err != nil {
		t.Fatal(err)
	}
	expect("before the first load", "not loaded")
	publish := func(w *writer.Writer) {
		t.Helper()
		if _, err := w.Publish(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		s.settle()
	}
	publish(old)
	expect("after the first pass", "old.json")

	c = load("new.json")
	next, err := old.Reopen(options(c))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.take(c, next); err != nil {
		t.Fatal(err)
	}
	expect("in the middle of a reload", "old.json")
	if got := string(s.configuration()); !strings.Contains(got, "new.json") {
		t.Errorf("the configuration in force is not shown:\n%s", got)
	}
	publish(next)
	expect("after a reload", "new.jsonold.json") // the old one is empty now, and stays for a while
	if s.latest.Load().previous != nil {
		t.Error("the previous writer is kept for ever")
	}
	for _, w := range []*writer.Writer{next, old} {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}
