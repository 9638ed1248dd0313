package loaders

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

const rulesDir = "../../examples/prometheus/"

// A ruleFile is a file of rules, as far as these tests change it.
type ruleFile struct {
	Groups []struct {
		Name  string           `yaml:"name"`
		Rules []map[string]any `yaml:"rules"`
	} `yaml:"groups"`
}

// ruleFiles are the shipped ones, tests aside.
func ruleFiles(t *testing.T) (names []string) {
	t.Helper()
	for _, path := range matching(t, "mcp*.yml") {
		if !strings.HasSuffix(path, ".test.yml") {
			names = append(names, filepath.Base(path))
		}
	}
	return names
}

func matching(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(rulesDir + pattern)
	if err != nil || len(paths) < 3 {
		t.Fatalf("%d files are %s: %v", len(paths), pattern, err)
	}
	return paths
}

func load(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// A testFile is a file of tests for promtool.
type testFile struct {
	path      string
	RuleFiles []string `yaml:"rule_files"`
	Tests     []struct {
		Alerts []struct {
			Name string `yaml:"alertname"`
			Want []any  `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	} `yaml:"tests"`
}

// tests are the files that name the alert.
func tests(t *testing.T, alert string) (found []testFile) {
	t.Helper()
	for _, path := range matching(t, "mcp*.test.yml") {
		f := testFile{path: path}
		load(t, path, &f)
		for _, test := range f.Tests {
			for _, a := range test.Alerts {
				if a.Name == alert && (len(found) == 0 || found[len(found)-1].path != path) {
					found = append(found, f)
				}
			}
		}
	}
	return found
}

// promtool runs a file of tests on rules; nil is a success.
func promtool(t *testing.T, f testFile, rules any) error {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatalf("%v\ninstall it: apt-get install --no-install-recommends prometheus", err)
	}
	text, err := yaml.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{f.RuleFiles[0]: text, "test.yml": tests} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), program, "test", "rules", filepath.Join(dir, "test.yml")).CombinedOutput()
	if err != nil && !strings.Contains(string(out), "FAILED:") {
		t.Fatalf("promtool: %v\n%s", err, out)
	}
	return err
}

// Every alert is shown firing and not firing.
func TestEveryAlertIsTestedBothWays(t *testing.T) {
	for _, name := range ruleFiles(t) {
		var rules ruleFile
		load(t, rulesDir+name, &rules)
		for _, alert := range alerts(rules) {
			firing, silent := false, false
			for _, f := range tests(t, alert) {
				for _, test := range f.Tests {
					for _, a := range test.Alerts {
						firing = firing || a.Name == alert && len(a.Want) > 0
						silent = silent || a.Name == alert && len(a.Want) == 0
					}
				}
			}
			if !firing || !silent {
				t.Errorf("%s: tested firing: %t, not firing: %t", alert, firing, silent)
			}
		}
	}
}

func alerts(rules ruleFile) (names []string) {
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if name, ok := r["alert"].(string); ok {
				names = append(names, name)
			}
		}
	}
	return names
}

// The tests are close to the thresholds: a rule that is a tenth stricter or
// more lenient, or that waits half as long, does not pass them.
func TestTestsAreCloseToTheThresholds(t *testing.T) {
	for _, name := range ruleFiles(t) {
		var rules ruleFile
		load(t, rulesDir+name, &rules)
		for g := range rules.Groups {
			for r, rule := range rules.Groups[g].Rules {
				alert, _ := rule["alert"].(string)
				for change, changed := range changes(t, rule) {
					group := rules.Groups[g]
					group.Rules = slices.Clone(group.Rules)
					group.Rules[r] = changed
					wrong := ruleFile{Groups: append(slices.Clone(rules.Groups[:g]), group)}
					wrong.Groups = append(wrong.Groups, rules.Groups[g+1:]...)
					t.Run(alert+" with "+change, func(t *testing.T) {
						t.Parallel()
						if !fails(t, alert, wrong) {
							t.Error("it passes its tests")
						}
					})
				}
			}
		}
	}
}

// fails says whether any of the alert's tests does.
func fails(t *testing.T, alert string, rules ruleFile) bool {
	t.Helper()
	return slices.ContainsFunc(tests(t, alert), func(f testFile) bool { return promtool(t, f, rules) != nil })
}

// changes are the ways in which an alert can be a little wrong.
func changes(t *testing.T, rule map[string]any) map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]any{}
	add := func(what, key, value string) {
		c := maps.Clone(rule)
		c[key] = value
		all[what] = c
	}
	// The sign-ups' tests are evaluated too seldom to tell fifteen minutes.
	if s, ok := rule["for"].(string); ok && rule["alert"] != "SignupRateDrop" {
		d, err := model.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		add("for: half of "+s, "for", (d / 2).String())
	}
	expr, isAlert := rule["expr"].(string)
	if _, ok := rule["alert"]; !ok || !isAlert {
		return all
	}
	for _, factor := range []float64{0.9, 1.1} {
		if changed, ok := threshold(t, expr, factor); ok {
			add("a threshold of "+strconv.FormatFloat(factor, 'g', -1, 64)+" times as much", "expr", changed)
		}
	}
	return all
}

// threshold multiplies the numbers that an expression compares with, hours and
// zeros aside.
func threshold(t *testing.T, expr string, factor float64) (changed string, ok bool) {
	t.Helper()
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Fatal(err)
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		b, isBinary := n.(*parser.BinaryExpr)
		if !isBinary || !slices.Contains([]parser.ItemType{parser.GTR, parser.LSS, parser.GTE}, b.Op) {
			return nil
		}
		if number, isNumber := b.RHS.(*parser.NumberLiteral); isNumber && number.Val != 0 && !strings.Contains(b.LHS.String(), "hour()") && !strings.Contains(b.LHS.String(), "day_of_week()") {
			number.Val *= factor
			ok = true
		}
		return nil
	})
	return e.String(), ok
}
