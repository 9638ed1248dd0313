package relabel

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v3"

	"github.com/mcp-sd/mcp-sd/target"
)

// rules decodes relabel_configs as a configuration file would.
func rules(tb testing.TB, text string) []*relabel.Config {
	tb.Helper()
	var c []*relabel.Config
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil {
		tb.Fatal(err)
	}
	for _, err := range Validate(c) {
		tb.Fatal(err)
	}
	return c
}

// raw builds an instance; its address comes first.
func raw(address string, pairs ...string) target.Raw {
	return target.Raw{Labels: labels.FromStrings(append([]string{target.AddressLabel, address}, pairs...)...)}
}

// fixture is a Relabeler with what it counts and logs.
type fixture struct {
	*Relabeler
	reg *prometheus.Registry
	log *strings.Builder
}

func newFixture(o Options) *fixture {
	f := &fixture{reg: prometheus.NewPedanticRegistry(), log: &strings.Builder{}}
	o.Source = "s"
	f.Relabeler = New(o, NewMetrics(f.reg), slog.New(slog.NewTextHandler(f.log, nil)))
	return f
}

func (f *fixture) counted(reason string) float64 {
	return testutil.ToFloat64(f.metrics.rejected.WithLabelValues("s", reason))
}

func (f *fixture) lines() int { return strings.Count(f.log.String(), "\n") }

// outcome is what a table says about one instance.
type outcome struct {
	url      string // empty: left out
	labels   map[string]string
	rejected string // "label:reason …"
}

func explain(o Options, r target.Raw) outcome {
	_, _, t, ok, rej := Explain(o, r)
	got := outcome{labels: map[string]string{}}
	if ok {
		got.url, got.labels = t.URL(), t.Labels.Map()
	}
	for _, r := range rej {
		got.rejected += r.Label + ":" + r.Reason + " "
	}
	got.rejected = strings.TrimSpace(got.rejected)
	return got
}

func expect(t *testing.T, got, want outcome) {
	t.Helper()
	if want.labels == nil {
		want.labels = map[string]string{}
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// Contract §4: labels fill what is missing, then relabel_configs run, then
// hygiene.
func TestOrder(t *testing.T) {
	o := Options{
		Labels: map[string]string{"environment": "production", "team": "mcp", "region": "eu"},
		Configs: rules(t, `
- {source_labels: [environment, team], target_label: both}
- {source_labels: [__meta_zone], target_label: region}
- {action: labeldrop, regex: team}
`),
	}
	expect(t, explain(o, raw("10.0.0.1:80", "environment", "staging", "region", "", "__meta_zone", "us\x00")), outcome{
		url:      "http://10.0.0.1:80/metrics",
		labels:   map[string]string{"environment": "staging", "both": "staging;mcp"},
		rejected: "region:bad_label_value",
	})
}

// Contract §3: Prometheus' own semantics, by its own library.
func TestSemantics(t *testing.T) {
	in := []string{"a", "foo", "b", "bar", "c", "baz", "__meta_tag_x", "X", "__meta_tag_y", "Y"}
	for name, tc := range map[string]struct {
		rules string
		want  string // labels; empty: dropped
	}{
		"replace, joined with ;": {`[{source_labels: [a, b], regex: "(f.*);(.*)", target_label: d, replacement: "$2-$1"}]`, `{a="foo", b="bar", c="baz", d="bar-foo"}`},
		"regex is anchored":      {`[{source_labels: [a], regex: "o", target_label: d, replacement: x}]`, `{a="foo", b="bar", c="baz"}`},
		"dot matches newline":    {`[{source_labels: [a, b], separator: "\n", regex: "foo.bar", target_label: d, replacement: x}]`, `{a="foo", b="bar", c="baz", d="x"}`},
		"empty replacement":      {`[{source_labels: [a], target_label: b, replacement: ""}]`, `{a="foo", c="baz"}`},
		"no source labels":       {`[{target_label: d, replacement: static}]`, `{a="foo", b="bar", c="baz", d="static"}`},
		"target from the match":  {`[{source_labels: [a], regex: "(.*)", target_label: "new_${1}", replacement: y}]`, `{a="foo", b="bar", c="baz", new_foo="y"}`},
		"keep":                   {`[{action: keep, source_labels: [a], regex: foo|x}]`, `{a="foo", b="bar", c="baz"}`},
		"keep others":            {`[{action: keep, source_labels: [a], regex: fo}]`, ``},
		"drop":                   {`[{action: Drop, source_labels: [b, c], regex: "bar;baz"}]`, ``},
		"drop others":            {`[{action: drop, source_labels: [missing], regex: ".+"}]`, `{a="foo", b="bar", c="baz"}`},
		"keepequal":              {`[{action: keepequal, source_labels: [a], target_label: b}]`, ``},
		"dropequal":              {`[{action: dropequal, source_labels: [missing], target_label: also_missing}]`, ``},
		"labelmap":               {`[{action: labelmap, regex: "__meta_tag_(.+)"}]`, `{a="foo", b="bar", c="baz", x="X", y="Y"}`},
		"labelkeep":              {`[{action: labelkeep, regex: "a|__address__"}]`, `{a="foo"}`},
		"labeldrop":              {`[{action: labeldrop, regex: "[ab]"}]`, `{c="baz"}`},
		"lowercase":              {`[{action: lowercase, source_labels: [__meta_tag_x], target_label: x}]`, `{a="foo", b="bar", c="baz", x="x"}`},
		"uppercase":              {`[{action: uppercase, source_labels: [a], target_label: a}]`, `{a="FOO", b="bar", c="baz"}`},
		"hashmod":                {`[{action: hashmod, source_labels: [__address__], modulus: 4, target_label: n}]`, `{a="foo", b="bar", c="baz", n="1"}`},
		"variables between":      {`[{source_labels: [a], target_label: __tmp_a}, {source_labels: [__tmp_a], target_label: b}]`, `{a="foo", b="foo", c="baz"}`},
		"a name that is none":    {`[{source_labels: [a], separator: "-", regex: "(foo)", target_label: "x_$2", replacement: y}, {source_labels: [__address__], target_label: "x${1}"}]`, `{a="foo", b="bar", c="baz", x_="y"}`},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, got, ok, rej := Explain(Options{Configs: rules(t, tc.rules)}, raw("10.0.0.1:9090", in...))
			switch {
			case ok != (tc.want != ""):
				t.Errorf("kept: %t, %v", ok, rej)
			case ok && got.Labels.String() != tc.want:
				t.Errorf("got %s, want %s", got.Labels, tc.want)
			case !ok && (len(rej) != 1 || Counted(rej[0])):
				t.Errorf("a wish of the operator is no rejection: %v", rej)
			}
		})
	}
}

// Contract §5: scheme and path, once configured, are published.
func TestEndpoint(t *testing.T) {
	o := Options{Scheme: "https", Path: "/m", Operator: true}
	expect(t, explain(o, raw("a:1")), outcome{url: "https://a:1/m"})
	o.Endpoint = true
	expect(t, explain(o, raw("a:1")), outcome{url: "https://a:1/m", labels: map[string]string{"__scheme__": "https", "__metrics_path__": "/m"}})
	expect(t, explain(o, raw("a:1", "__scheme__", "http", "__param_x", "y z")), outcome{
		url:    "http://a:1/m?x=y+z",
		labels: map[string]string{"__scheme__": "http", "__metrics_path__": "/m", "__param_x": "y z"},
	})
	expect(t, explain(o, raw("a:1", "__metrics_path__", "m", "__scheme__", "gopher")), outcome{
		url:      "https://a:1/m",
		labels:   map[string]string{"__scheme__": "https", "__metrics_path__": "/m"},
		rejected: "__metrics_path__:bad_label_value __scheme__:bad_label_value",
	})
}

// Contract §4: source __meta_* labels are not published, but by meta_labels;
// the same value rules hold for them.
func TestMeta(t *testing.T) {
	r := raw("a:1", "__meta_a", "b", "__meta_bad", "a\nb", "__meta_x-y", "z")
	o := Options{Operator: true, Configs: rules(t, `[{target_label: __meta_set, replacement: "yes"}]`)}
	_, _, got, _, rej := Explain(o, r)
	if !got.Meta.IsEmpty() || !got.Labels.IsEmpty() || len(rej) != 0 {
		t.Errorf("meta %s, labels %s, rejected %v", got.Meta, got.Labels, rej)
	}
	o.KeepMeta = true
	_, _, got, _, rej = Explain(o, r)
	if want := `{__meta_a="b", __meta_set="yes"}`; got.Meta.String() != want || !got.Labels.IsEmpty() || len(rej) != 2 {
		t.Errorf("meta %s, want %s; labels %s; rejected %v", got.Meta, want, got.Labels, rej)
	}
}

func TestExplain(t *testing.T) {
	o := Options{Labels: map[string]string{"team": "x"}, Configs: rules(t, `[{target_label: __tmp, replacement: a}, {action: drop, source_labels: [team], regex: x}]`)}
	before, after, _, ok, rej := Explain(o, raw("a:1", "__scheme__", "https"))
	if before.String() != `{__address__="a:1", team="x"}` || after.String() != `{__address__="a:1", __tmp="a", team="x"}` || ok {
		t.Errorf("before %s, after %s, kept %t", before, after, ok)
	}
	if last := rej[len(rej)-1]; last.Detail != "relabel_configs[1] (action drop) dropped it" || last.Address != "a:1" {
		t.Errorf("the last rejection is %+v", last)
	}
}

func TestValidate(t *testing.T) {
	var c []*relabel.Config
	if err := yaml.Unmarshal([]byte(`[{target_label: a}, {action: hashmod, target_label: b}, null, {target_label: "a.b"}, {action: labelmap, replacement: "a-$1"}]`), &c); err != nil {
		t.Fatal(err)
	}
	var fields []string
	for _, e := range Validate(c) {
		fields = append(fields, e.Field)
		if errors.Unwrap(e) == nil {
			t.Errorf("%s: no error", e.Field)
		}
	}
	if got := strings.Join(fields, " "); got != "[1] [2] [3] [4]" {
		t.Errorf("wrong rules: %s", got)
	}
}

// Contract §3: legacy name validation, also for rules that were not decoded.
func TestRulesHaveLegacyNames(t *testing.T) {
	c := relabel.DefaultRelabelConfig
	c.SourceLabels, c.TargetLabel, c.Action = []model.LabelName{"x"}, "a.$1", relabel.Replace
	expect(t, explain(Options{Configs: []*relabel.Config{&c}}, raw("a:1", "x", "y")), outcome{
		url: "http://a:1/metrics", labels: map[string]string{"x": "y"},
	})
	if c.NameValidationScheme != model.UnsetValidation {
		t.Error("a shared configuration was changed")
	}
}
