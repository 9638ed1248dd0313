package writer

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Contract §7: values in file names are [A-Za-z0-9._-]{1,64}, not beginning
// with a dot; any other, and an absent one, is unknown.
func TestNameValue(t *testing.T) {
	tests := map[string]string{
		"production":            "production",
		"eu-west-1.A_b":         "eu-west-1.A_b",
		strings.Repeat("a", 64): strings.Repeat("a", 64),
		strings.Repeat("a", 65): "unknown",
		"":                      "unknown",
		".":                     "unknown",
		"..":                    "unknown",
		".hidden":               "unknown",
		"../../etc/cron.d/x":    "unknown",
		"a/b":                   "unknown",
		"a b":                   "unknown",
		"a\x00b":                "unknown",
		"prod*":                 "unknown",
		"größe":                 "unknown",
		"{shard}":               "unknown",
	}
	for v, want := range tests {
		same(t, v, nameValue(v), want)
	}
}

// Contract §7: an absent value is unknown in a file name, and no label.
func TestUnknownIsNoLabel(t *testing.T) {
	b := newBench(t)
	b.open(b.out("mcp-{environment}-{region}.json"))
	b.publish(tgt("a:1"), in("../../etc/cron.d/x", "b:1"))
	same(t, "addresses", b.addresses("mcp-unknown-unknown.json"), []string{"a:1", "b:1"})
	body := b.read("mcp-unknown-unknown.json")
	if strings.Contains(body, "unknown") || strings.Contains(body, "region") || !strings.Contains(body, `"environment": "../../etc/cron.d/x"`) {
		t.Fatal(body)
	}
}

func TestTemplateName(t *testing.T) {
	tests := []struct {
		template string
		shard    int
		want     string
	}{
		{"mcp.json", 0, "mcp.json"},
		{"{environment}-{region}-{source}-{shard}.json", 12, "prod-eu-s-12.json"},
		{"{shard}.json", 0, "0.json"},
	}
	for _, tt := range tests {
		tmpl, err := parseTemplate(tt.template)
		ok(t, err)
		eu := in("prod", "a:1", "region", "eu")
		same(t, tt.template, tmpl.name(&eu, tt.shard), tt.want)
	}
}

func TestOverlaps(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"mcp.json", "mcp.json", true},
		{"mcp.json", "mcq.json", false},
		{"mcp-{environment}.json", "mcp-{region}.json", true},
		{"mcp-{environment}.json", "mcp-all.json", true},
		{"mcp-{environment}.json", "all.json", false},
		{"a-{environment}.json", "b-{environment}.json", false},
		{"a-{environment}.json", "{region}-b.json", true},
		{"mcp-{shard}.json", "mcp-{environment}.json", true},
		{"mcp-{shard}.json", "mcp-7.json", true},
		{"mcp-{shard}.json", "mcp-x.json", false},
		{"{environment}.json", "a b.json", false},
		{"{environment}.json", "x.json.json", true},
		{"{environment}-{region}.json", "nodash.json", false},
	}
	for _, tt := range tests {
		a, err := parseTemplate(tt.a)
		ok(t, err)
		b, err := parseTemplate(tt.b)
		ok(t, err)
		same(t, tt.a+" and "+tt.b, a.overlaps(b), tt.want)
		same(t, tt.b+" and "+tt.a, b.overlaps(a), tt.want)
	}
}

// Whenever two templates make the same name of some targets, overlaps says so.
func TestOverlapsMissesNothing(t *testing.T) {
	templates := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "-", "7", "{environment}", "{region}", "{source}"}), 1, 4)
	value := rapid.StringMatching(`[ab7-]{1,3}`)
	rapid.Check(t, func(t *rapid.T) {
		var names []string
		var made []template
		for range 2 {
			tmpl, err := parseTemplate(strings.Join(templates.Draw(t, "template"), "") + ".json")
			if err != nil {
				t.Fatal(err)
			}
			tg := in(value.Draw(t, "environment"), "a:1", "region", value.Draw(t, "region"))
			tg.Source = value.Draw(t, "source")
			made, names = append(made, tmpl), append(names, tmpl.name(&tg, 0))
		}
		if names[0] == names[1] && !made[0].overlaps(made[1]) {
			t.Fatalf("both are %q", names[0])
		}
	})
}
