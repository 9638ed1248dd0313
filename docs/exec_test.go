package docs

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-sd/mcp-sd/config"
)

// The ten lines that the README shows are the example's, and a source: what
// they list is what the inventory has, and a line that they do not understand
// is a failure.
func TestExecExample(t *testing.T) {
	all := blocks(t, execProgram)
	if len(all) != 1 || all[0].text != read(t, "../examples/exec/inventory") {
		t.Errorf("README.md does not show examples/exec/inventory: %+v", all)
	}
	c, err := config.Load("../examples/exec/mcp-sd.yml")
	if err != nil {
		t.Fatal(err)
	}
	src, err := c.Sources[0].Mechanism.New(c.Sources[0].Env(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	part := src.Discover(t.Context()).Parts[0]
	var got []string
	for _, raw := range part.Raw {
		got = append(got, raw.Labels.String())
	}
	want := []string{
		`{__address__="10.0.1.10:3000", environment="production", region="us-east-1"}`,
		`{__address__="10.0.1.11:3000", environment="production", region="us-east-1"}`,
		`{__address__="mcp.staging.example.com:8080", environment="staging", region="eu-west-1"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" || part.Err != nil {
		t.Errorf("%v (-want +got):\n%s", part.Err, diff)
	}
	if lines := strings.Count(read(t, "../examples/exec/inventory"), "\n"); lines != 10 {
		t.Errorf("the example has %d lines, the README says ten", lines)
	}
	if n := strings.Count(read(t, "../README.md"), "ten lines in any language"); n != 1 {
		t.Errorf("the README says %d times that a source takes ten lines", n)
	}
}

// A damaged inventory lists nothing, and says which line it is.
func TestExecExampleFails(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"inventory":     read(t, "../examples/exec/inventory"),
		"inventory.csv": "10.0.1.10,3000,production,us-east-1\n10.0.1.11,3000\",production\n",
		"mcp-sd.yml":    strings.ReplaceAll(read(t, "../examples/exec/mcp-sd.yml"), "[./inventory]", "[/bin/sh, inventory]"),
	} {
		write(t, dir+"/"+name, text)
	}
	c, err := config.Load(dir + "/mcp-sd.yml")
	if err != nil {
		t.Fatal(err)
	}
	src, err := c.Sources[0].Mechanism.New(c.Sources[0].Env(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Discover(t.Context()).Parts[0].Err; err == nil || !strings.Contains(err.Error(), "exit status 1; it said: line 2 is not understood") {
		t.Error(err)
	}
}
