package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	_ "github.com/prometheus/prometheus/discovery/dns"  // of which the README has an example,
	_ "github.com/prometheus/prometheus/discovery/moby" // whatever this is built with

	"github.com/mcp-sd/mcp-sd/config"
)

// A block is a fenced block of the README. What comes after the language says
// how it is tested, and every block has to be of a known kind.
type block struct {
	kind string // the info string: "sh quickstart"
	text string
	line int
}

const (
	quickstart   = "sh quickstart"   // run; its output is the picture's
	testCommand  = "sh test"         // run by .ci/run
	install      = "sh install"      // run as root, with tag ci
	installed    = "sh installed"    // run after it
	cron         = "sh cron"         // run as cron would
	wholeConfig  = "yaml config"     // loaded as it is
	someSections = "yaml sections"   // loaded with sources and outputs added
	someOutputs  = "yaml outputs"    // loaded with sources added
	someSources  = "yaml sources"    // loaded with outputs added
	execProgram  = "sh exec"         // examples/exec/inventory, run as a source
	scrape       = "yaml prometheus" // part of examples/prometheus, which promtool checks
	rules        = "yaml rules"      // likewise
	diagram      = "mermaid"
)

const readme = "../README.md"

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// blocks returns the README's blocks of a kind, at least one; all of them
// where kind is empty.
func blocks(t *testing.T, kind string) []block {
	t.Helper()
	var found []block
	open := false
	for i, line := range strings.Split(read(t, readme), "\n") {
		info, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && !open:
			open = true
			found = append(found, block{kind: info, line: i + 1})
		case fence:
			open = false
		case open:
			found[len(found)-1].text += line + "\n"
		}
	}
	if kind != "" {
		all := found
		found = nil
		for _, b := range all {
			if b.kind == kind {
				found = append(found, b)
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("README.md has no block of the kind %q", kind)
	}
	return found
}

func TestEveryBlockIsTested(t *testing.T) {
	known := []string{quickstart, testCommand, install, installed, cron, wholeConfig, someSections, someOutputs, someSources, execProgram, scrape, rules, diagram}
	for _, b := range blocks(t, "") {
		if !strings.Contains("\n"+strings.Join(known, "\n")+"\n", "\n"+b.kind+"\n") {
			t.Errorf("README.md:%d: nothing tests a block of the kind %q", b.line, b.kind)
		}
	}
}

// The test command is run by .ci/run, which takes it from the README.
func TestTestCommand(t *testing.T) {
	all := blocks(t, testCommand)
	if len(all) != 1 || !strings.HasPrefix(all[0].text, "go test ") {
		t.Errorf("README.md should have one test command: %+v", all)
	}
	if !strings.Contains(read(t, "../.ci/run"), "```"+testCommand) {
		t.Errorf(".ci/run does not take the README's block %q", testCommand)
	}
}

// Every configuration that the README shows is one that mcp-sd takes.
func TestConfigurations(t *testing.T) {
	const (
		sources = "sources: [{name: racks, static: {targets: [{targets: ['10.0.1.10:3000']}]}}]\n"
		outputs = "outputs: [{path: /etc/prometheus/targets/mcp.json}]\n"
	)
	for kind, rest := range map[string]string{wholeConfig: "", someOutputs: sources, someSources: outputs, someSections: sources + outputs} {
		for _, b := range blocks(t, kind) {
			root := t.TempDir()
			for _, dir := range []string{"etc/mcp-sd", "etc/prometheus/targets", "etc/prometheus/shards"} {
				if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for _, secret := range []string{"password", "consul-token"} {
				if err := os.WriteFile(filepath.Join(root, "etc/mcp-sd", secret), []byte("secret"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(root, "mcp-sd.yml")
			text := strings.ReplaceAll(rest+b.text, "/etc/", root+"/etc/")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := config.Load(path); err != nil {
				t.Errorf("README.md:%d: %v", b.line, err)
			}
		}
	}
}

// Files that the README points to are there.
func TestLinks(t *testing.T) {
	examples, err := filepath.Glob("../examples/*/README.md")
	if err != nil || len(examples) == 0 {
		t.Fatalf("the examples have no README.md: %v", err)
	}
	for _, doc := range append(examples, readme, "../CHANGELOG.md", "contract.md") {
		for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(read(t, doc), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(doc), m[1])); err != nil {
				t.Errorf("%s: broken link: %v", doc, err)
			}
		}
	}
}

// Each row of "What happens when …" names a test that there is.
func TestWhatHappensIsTested(t *testing.T) {
	_, table, _ := strings.Cut(read(t, readme), "## What happens when …")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := 0
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| …") {
			continue
		}
		rows++
		tests := regexp.MustCompile(`\[(Test\w+)\]\(([^)]+)\)`).FindAllStringSubmatch(line, -1)
		if len(tests) == 0 {
			t.Errorf("no test: %s", line)
		}
		for _, m := range tests {
			if !strings.Contains(read(t, filepath.Join("..", m[2])), "func "+m[1]+"(") {
				t.Errorf("%s is not in %s", m[1], m[2])
			}
		}
	}
	if rows < 30 {
		t.Errorf("%d rows were found", rows)
	}
}

// What the README shows of Prometheus' configuration is in the examples, which
// promtool checks.
func TestPrometheusBlocksAreInTheExamples(t *testing.T) {
	for kind, example := range map[string]string{
		scrape: "../examples/prometheus/prometheus.yml",
		rules:  "../examples/prometheus/mcp-sd-alerts.yml",
	} {
		whole := read(t, example)
		for _, b := range blocks(t, kind) {
			for line := range strings.Lines(b.text) {
				if !strings.Contains(whole, line) {
					t.Errorf("README.md:%d: %s does not have the line %q", b.line, example, line)
				}
			}
		}
	}
}

// Flags, commands and metrics are in the README when, and only when, they are in the
// program.
func TestFlagsAreListed(t *testing.T) {
	text := read(t, readme)
	help, err := exec.CommandContext(t.Context(), built(t), "--help").CombinedOutput()
	if err != nil {
		t.Fatalf("mcp-sd --help: %v\n%s", err, help)
	}
	flag := regexp.MustCompile(`--[a-z][a-z.-]+[a-z]`)
	in := map[string]bool{}
	for _, f := range flag.FindAllString(strings.ReplaceAll(string(help), "--[no-]", "--"), -1) {
		in[f] = true
		if !strings.HasPrefix(f, "--help") && !strings.Contains(text, f) {
			t.Errorf("README.md does not mention the flag %s", f)
		}
	}
	_, table, found := strings.Cut(text, "| flag | default |")
	table, _, _ = strings.Cut(table, "\n\n")
	if !found {
		t.Fatal("README.md has no table of flags")
	}
	for _, f := range flag.FindAllString(table, -1) {
		if !in[f] {
			t.Errorf("README.md lists the flag %s, mcp-sd --help does not", f)
		}
	}
}

func TestCommandsAreListed(t *testing.T) {
	help, err := exec.CommandContext(t.Context(), built(t), "--help").CombinedOutput()
	if err != nil {
		t.Fatalf("mcp-sd --help: %v\n%s", err, help)
	}
	_, commands, _ := strings.Cut(string(help), "\nCommands:\n")
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `mcp-sd ([a-z-]+)").FindAllStringSubmatch(read(t, readme), -1) {
		listed[m[1]] = !strings.HasPrefix(m[1], "-")
	}
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+)`).FindAllStringSubmatch(commands, -1) {
		if !listed[m[1]] && m[1] != "help" {
			t.Errorf("README.md does not list the command %s", m[1])
		}
		delete(listed, m[1])
	}
	for c, isCommand := range listed {
		if isCommand {
			t.Errorf("README.md lists the command %s, mcp-sd --help does not", c)
		}
	}
}

func TestMetricsAreListed(t *testing.T) {
	name := regexp.MustCompile(`\bmcp_sd_[a-z_]+[a-z]\b`)
	listed, in := map[string]bool{}, map[string]bool{}
	for _, n := range name.FindAllString(read(t, readme), -1) {
		listed[n] = true
	}
	for _, room := range []string{"", "config", "discovery", "health", "relabel", "sources", "state", "web", "writer"} {
		for _, path := range goFiles(t, filepath.Join("..", room)) {
			for _, m := range regexp.MustCompile(`"(mcp_sd_[a-z_]+[a-z])"`).FindAllStringSubmatch(read(t, path), -1) {
				in[m[1]] = true
			}
		}
	}
	for n := range in {
		if !listed[n] {
			t.Errorf("README.md does not list the metric %s", n)
		}
	}
	for n := range listed {
		if !in[n] && n != "mcp_sd_build_info" { // made by Prometheus' library
			t.Errorf("README.md lists the metric %s, which nothing registers", n)
		}
	}
}

// examples/mcp-sd.yml has every key, and with its default where it has one, as
// it says; the effective configuration knows them all.
func TestTheWholeConfigurationIsWhole(t *testing.T) {
	const path = "../examples/mcp-sd.yml"
	text := read(t, path)
	example := effective(t, text)
	for _, name := range []string{"global", "health", "guard", "version", "outputs"} {
		section := example[name]
		if section.Kind == yaml.SequenceNode {
			section = *section.Content[0]
		}
		if len(section.Content) == 0 {
			t.Errorf("the effective configuration has no section %s", name)
		}
		for i := 0; i < len(section.Content); i += 2 {
			key := section.Content[i].Value
			if !regexp.MustCompile(`(?m)^\s+(- )?` + key + `:`).MatchString(text) {
				t.Errorf("%s lacks the key %s of %s", path, key, name)
			}
		}
	}
	defaults := effective(t, "sources: [{name: a, static: {targets: [{targets: ['10.0.1.10:3000']}]}}]\noutputs: [{path: /a.json}]\n")
	for _, name := range []string{"health", "guard", "version"} {
		if diff := cmp.Diff(rendered(t, defaults[name]), rendered(t, example[name])); diff != "" {
			t.Errorf("%s does not show the defaults of %s (-default +shown):\n%s", path, name, diff)
		}
	}
}

// effective is what mcp-sd makes of a configuration, by section.
func effective(t *testing.T, text string) map[string]yaml.Node {
	t.Helper()
	c, err := config.Parse("mcp-sd.yml", []byte(text), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var sections map[string]yaml.Node
	if err := yaml.Unmarshal(b, &sections); err != nil {
		t.Fatal(err)
	}
	return sections
}

func rendered(t *testing.T, n yaml.Node) string {
	t.Helper()
	b, err := yaml.Marshal(&n)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
