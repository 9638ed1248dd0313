package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/mcp-sd/mcp-sd/sources"
)

func parseFile(t *testing.T, path string) *Config {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(path, data, filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// tb is what *testing.T and *rapid.T share.
type tb interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

func marshal(t tb, c *Config) string {
	t.Helper()
	out, err := c.Marshal()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return string(out)
}

// again reads what Marshal wrote.
func again(t tb, text string) *Config {
	t.Helper()
	c, err := Parse("again.yml", []byte(text), "/elsewhere")
	if err != nil {
		t.Fatalf("the effective configuration does not load: %v\n%s", err, text)
	}
	return c
}

func withoutPlaces(text string) string {
	return regexp.MustCompile(`(?m)^ *(- )?# from .*\n`).ReplaceAllString(text, "")
}

// Contract §9, /config: each testdata/good/X.yml has its effective configuration
// in X.effective and what check-config says of it in X.summary; UPDATE=1 writes
// them anew. Read back, it means the same.
func TestGoodFiles(t *testing.T) {
	paths, err := filepath.Glob("testdata/good/*.yml")
	if err != nil || len(paths) == 0 {
		t.Fatal("no files:", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c := parseFile(t, path)
			text := marshal(t, c)
			golden(t, strings.TrimSuffix(path, ".yml")+".effective", text)
			golden(t, strings.TrimSuffix(path, ".yml")+".summary", c.Summary())
			back := again(t, text)
			sameConfig(t, c, back)
			sameFingerprints(t, c, back)
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	got = sameEverywhere(t, got)
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
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// sameConfig compares by meaning: secrets are hidden in both.
func sameConfig(t tb, a, b *Config) {
	t.Helper()
	if diff := cmp.Diff(withoutPlaces(marshal(t, a)), withoutPlaces(marshal(t, b))); diff != "" {
		t.Errorf("read back it differs (-first +again):\n%s", diff)
	}
	if a.HealthEndpoint != b.HealthEndpoint || len(a.Sources) != len(b.Sources) {
		t.Fatalf("read back: endpoint %t and %t, %d and %d sources", a.HealthEndpoint, b.HealthEndpoint, len(a.Sources), len(b.Sources))
	}
	for i, s := range a.Sources {
		if o := b.Sources[i]; s.HealthEndpoint != o.HealthEndpoint || s.RefreshInterval != o.RefreshInterval {
			t.Errorf("read back, source %s differs: endpoint %t and %t, refresh %s and %s", s.Name, s.HealthEndpoint, o.HealthEndpoint, s.RefreshInterval, o.RefreshInterval)
		}
	}
}

// sameFingerprints: reading the effective configuration instead frees no
// source from the guard (contract §6).
func sameFingerprints(t tb, a, b *Config) {
	t.Helper()
	for i, s := range a.Sources {
		if s.Fingerprint() != b.Sources[i].Fingerprint() {
			t.Errorf("read back, source %s has another fingerprint", s.Name)
		}
	}
}

// full.yml must have every key that the option structs have, but for those that
// need a secret manager.
func TestFullHasEveryKey(t *testing.T) {
	var root yaml.Node
	data, err := os.ReadFile("testdata/good/full.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	keysOf(&root, written)
	types := []reflect.Type{reflect.TypeFor[mainFile](), reflect.TypeFor[sourceKeys]()}
	for _, m := range sources.Mechanisms() {
		if !written[m.Name] {
			t.Errorf("no source with %s", m.Name)
		}
		if m.Name == "prometheus" {
			continue // its keys are those of Prometheus' library
		}
		types = append(types, reflect.TypeOf(m.Options()))
	}
	legal := map[string]bool{}
	for _, typ := range types {
		legalKeys(typ, legal)
	}
	for key := range legal {
		if !written[key] && !strings.HasSuffix(key, "_ref") {
			t.Errorf("no %s in full.yml", key)
		}
	}
}

func keysOf(n *yaml.Node, keys map[string]bool) {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			keys[c.Value] = true
		}
		keysOf(c, keys)
	}
}

func legalKeys(t reflect.Type, keys map[string]bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		legalKeys(t.Elem(), keys)
	case reflect.Struct:
		if typeWords(t) != "" || t == reflect.TypeFor[yaml.Node]() {
			return
		}
		for i := range t.NumField() {
			f := t.Field(i)
			name, inline, skip := yamlName(f)
			if skip {
				continue
			}
			if !inline {
				keys[name] = true
			}
			legalKeys(f.Type, keys)
		}
	}
}

func TestSourceFilesOrder(t *testing.T) { // contract §3: the order decides between duplicates
	c := parseFile(t, "testdata/good/full.yml")
	var names []string
	for _, s := range c.Sources {
		names = append(names, s.Name)
	}
	n := len(names)
	if want := []string{"from-first-file", "from-second-file"}; n < 3 || !slices.Equal(names[n-2:], want) {
		t.Errorf("sources %v, want %v last and in that order", names, want)
	}
	here, err := filepath.Abs("testdata/good/more")
	if err != nil {
		t.Fatal(err)
	}
	if s := c.Sources[n-1]; s.Dir != here || s.File != "testdata/good/more/20-second.yml" || s.Line != 2 {
		t.Errorf("dir %s, place %s:%d", s.Dir, s.File, s.Line)
	}
}

func TestMerging(t *testing.T) { // contract §3: any health or guard key may be overridden per source
	c := parseFile(t, "testdata/good/overrides.yml")
	plain, same, faster, empty := c.Sources[0], c.Sources[1], c.Sources[2], c.Sources[3]
	if c.HealthEndpoint || plain.HealthEndpoint || faster.HealthEndpoint || empty.HealthEndpoint || !same.HealthEndpoint {
		t.Error("only same-words writes where to ask")
	}
	if got := time.Duration(faster.Health.Interval); got != 5*time.Second || faster.Health.Rise != 1 || faster.Health.Fall != c.Health.Fall {
		t.Errorf("faster has interval %s, rise %d, fall %d", got, faster.Health.Rise, faster.Health.Fall)
	}
	if time.Duration(plain.Health.Interval) != 15*time.Second || c.Health.Rise != 2 {
		t.Error("a source's own health reached the others")
	}
	if faster.Guard.MinRemoved != 5 || time.Duration(faster.Guard.Window) != time.Hour || time.Duration(c.Guard.Window) != 10*time.Minute {
		t.Errorf("guard of faster %+v, global %+v", faster.Guard, c.Guard)
	}
	if empty.Guard != c.Guard || !reflect.DeepEqual(empty.Health, c.Health) {
		t.Error("an empty block changed something")
	}
	if empty.RefreshInterval != 60*time.Second || empty.Timeout != 30*time.Second {
		t.Errorf("global defaults: %s, %s", empty.RefreshInterval, empty.Timeout)
	}
}

// Contract §3: a refresh_interval inside the mechanism's block means what it
// means in prometheus.yml; the source's own wins over it.
func TestRefreshInterval(t *testing.T) {
	c, err := parseText(t, `
sources:
  - {name: a, consul: {refresh_interval: 2m}}
  - {name: b, consul: {refresh_interval: 2m}, refresh_interval: 3m}
  - {name: c, consul: {}}
outputs: [{path: mcp.json}]
`)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []time.Duration{2 * time.Minute, 3 * time.Minute, time.Minute} {
		if got := c.Sources[i].RefreshInterval; got != want {
			t.Errorf("source %s: %s, want %s", c.Sources[i].Name, got, want)
		}
	}
}

func TestLabelsOfSourceAndGlobal(t *testing.T) { // contract §3
	c := parseFile(t, "testdata/good/full.yml")
	want := map[string]string{"environment": "production", "team": "data", "__scrape_interval__": "15s"}
	if diff := cmp.Diff(want, c.Sources[0].Labels); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(c.Global.Labels, c.Sources[1].Labels); diff != "" {
		t.Error(diff)
	}
}

func TestPathsStartAtTheFile(t *testing.T) {
	c := parseFile(t, "testdata/good/full.yml")
	here, err := filepath.Abs("testdata/good")
	if err != nil {
		t.Fatal(err)
	}
	text := marshal(t, c)
	for _, want := range []string{
		"token_file: " + here + "/secrets/token", "password_file: " + here + "/secrets/password",
		"ca_file: " + here + "/secrets/ca.pem", "credentials_file: " + here + "/secrets/credentials",
		"- " + here + "/secrets/header", "path: " + here + "/mcp-{environment}-{shard}.json",
		"bearer_token_file: " + here + "/secrets/bearer", "client_certificate_key_file: " + here + "/secrets/jwt.pem",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
