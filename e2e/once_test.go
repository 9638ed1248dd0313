package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A onceCase is a small fleet in static lists, for calls of mcp-sd --once.
type onceCase struct {
	*workspace
	fleet *fleet
	want  map[string]labels
}

const onceOutputs = "\noutputs: [{path: $TARGETS/mcp.json}]\n"

func newOnce(t *testing.T) *onceCase {
	o := &onceCase{workspace: newWorkspace(t), fleet: newFleet(t), want: map[string]labels{}}
	o.fleet.add("127.0.7.1", "v1")
	o.fleet.add("127.0.7.2", "v1")
	for _, ip := range []string{"127.0.7.1", "127.0.7.2"} {
		o.want[o.fleet.address(ip)] = labels{"environment": "production", "version": "v1"}
	}
	o.configure(t, "%s", o.racks("production")+onceOutputs)
	return o
}

// racks is the beginning of a configuration: the healthy source.
func (o *onceCase) racks(environment string) string {
	return fmt.Sprintf(`
health: {timeout: 2s, fall: 2}
sources:
  - name: racks
    static: {targets: [{targets: [%q, %q], labels: {environment: %q}}]}
`, o.fleet.address("127.0.7.1"), o.fleet.address("127.0.7.2"), environment)
}

// TestOnceTellsRejectionsOnce: cron sends a mail for whatever is printed. A target
// that can't be one is told once, and counted once; told anew where another appears.
func TestOnceTellsRejectionsOnce(t *testing.T) {
	t.Parallel()
	o := newOnce(t)
	list := func(addresses string) {
		replaceFile(t, filepath.Join(o.static, "more.json"), `[{"targets": [`+addresses+`]}]`)
	}
	o.configure(t, "%s", o.racks("production")+"  - {name: more, static: {files: [$STATIC/*.json]}}\n"+onceOutputs)
	metrics := filepath.Join(o.dir, "mcp-sd.prom")
	pass := func() result { return o.once(t, "--metrics.textfile="+metrics) }
	counts := func(want string) {
		t.Helper()
		content, err := os.ReadFile(metrics)
		if line := `mcp_sd_rejected_total{reason="bad_address",source="more"} ` + want + "\n"; err != nil || !strings.Contains(string(content), line) {
			t.Errorf("%v: no %q in\n%s", err, line, content)
		}
	}
	list(`"no address"`)
	pass().expect(t, 0, "no address")
	counts("1")
	for range 2 {
		pass().expectSilence(t)
	}
	counts("1")
	list(`"no address", "nor this"`)
	got := pass()
	got.expect(t, 0, "nor this")
	if strings.Contains(got.stderr, "no address") {
		t.Errorf("told again: %s", got.stderr)
	}
	counts("2")
}

func (o *onceCase) content(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(o.output("mcp.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// expect checks how a call ended.
func (r result) expect(t *testing.T, code int, inStderr ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit status %d, want %d; stderr:\n%s", r.code, code, r.stderr)
	}
	for _, part := range inStderr {
		if !strings.Contains(r.stderr, part) {
			t.Errorf("stderr lacks %q:\n%s", part, r.stderr)
		}
	}
}

func (r result) expectSilence(t *testing.T) {
	t.Helper()
	r.expect(t, 0)
	if r.stdout != "" || r.stderr != "" {
		t.Errorf("a good pass is not silent; stdout:\n%s\nstderr:\n%s", r.stdout, r.stderr)
	}
}

// TestOnceAsDaemon: one pass writes, byte for byte, the file that the daemon
// does.
func TestOnceAsDaemon(t *testing.T) {
	t.Parallel()
	o := newOnce(t)
	o.once(t).expectSilence(t)
	if err := fileHas(o.output("mcp.json"), o.want); err != nil {
		t.Fatal(err)
	}
	daemons := newWorkspace(t)
	daemons.configure(t, "%s", o.racks("production")+onceOutputs)
	daemons.start(t)
	eventually(t, soon, func() error {
		got, err := os.ReadFile(daemons.output("mcp.json"))
		if err == nil && string(got) != o.content(t) {
			err = fmt.Errorf("the daemon wrote\n%s\nbut --once\n%s", got, o.content(t))
		}
		return err
	})
	o.once(t).expectSilence(t)
}

// TestOnceDryRun shows as a diff what the next pass will write.
func TestOnceDryRun(t *testing.T) {
	t.Parallel()
	o := newOnce(t)
	got := o.once(t, "--dry-run")
	got.expect(t, 0)
	onlyIn(t, o.targets)
	onlyIn(t, o.state)

	o.once(t).expectSilence(t)
	if added := diffLines(got.stdout, "+"); added != o.content(t) {
		t.Errorf("the dry run announced\n%s\nthe pass wrote\n%s", added, o.content(t))
	}

	before := tree(t, o.dir)
	o.configure(t, "%s", o.racks("staging")+onceOutputs)
	got = o.once(t, "--dry-run")
	got.expect(t, 0)
	if !strings.Contains(diffLines(got.stdout, "-"), "production") ||
		!strings.Contains(diffLines(got.stdout, "+"), "staging") {
		t.Errorf("the dry run does not show the change:\n%s", got.stdout)
	}
	replaceFile(t, o.config, before[o.config])
	if after := tree(t, o.dir); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the dry run changed files from\n%v\nto\n%v", before, after)
	}
}

// diffLines returns the lines of a unified diff with this mark, without it.
func diffLines(diff, mark string) string {
	var b strings.Builder
	hunk := false
	for line := range strings.Lines(diff) {
		hunk = hunk && !strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "@@ ")
		if rest, ok := strings.CutPrefix(line, mark); hunk && ok {
			b.WriteString(rest)
		}
	}
	return b.String()
}

// tree is every file below dir with its content.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		files[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
