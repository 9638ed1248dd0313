package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// What was discovered can't paint on a terminal, nor make cells and lines.
func TestHostileText(t *testing.T) {
	const evil = "a\x1b]0;pwned\x07\u202e\u009b\n\tb"
	v := discovery.TargetView{URL: "http://" + evil, LastFail: evil, Labels: labels.FromStrings("environment", evil)}
	x := discovery.Explanation{
		Address: evil,
		Targets: []discovery.TargetExplained{{
			TargetView: v, Probes: []health.Probe{{Class: "refused", Detail: evil}},
			ListedBy: []discovery.ListedBy{{Part: evil, Before: labels.FromStrings("a", evil)}},
		}},
		Dropped: []target.Rejection{{Label: evil, Detail: evil}},
		Removed: []discovery.Removal{{Target: target.Key{Address: evil}, By: evil, Labels: v.Labels}},
	}
	for name, show := range map[string]func(*bytes.Buffer){
		"targets": func(b *bytes.Buffer) { Targets(b, []discovery.TargetView{v}) },
		"explain": func(b *bytes.Buffer) { Explain(b, x) },
		"unknown": func(b *bytes.Buffer) { Explain(b, discovery.Explanation{Address: evil, Nearest: []string{evil}}) },
		"kept":    func(b *bytes.Buffer) { Kept(b, []discovery.KeptTarget{{Key: target.Key{Address: evil}}}, "removed") },
		"changes": func(b *bytes.Buffer) {
			changes(b, []discovery.Change{{Target: target.Key{Address: evil}, Labels: v.Labels}})
		},
		"notable": func(b *bytes.Buffer) { notable(b, []discovery.Note{{Target: target.Key{Address: evil}, Probe: evil}}) },
	} {
		var b bytes.Buffer
		show(&b)
		if strings.ContainsAny(b.String(), "\x1b\x07\u202e\u009b\t") || strings.Contains(b.String(), "\n\tb") {
			t.Errorf("%s lets it through: %q", name, b.String())
		}
		if !strings.Contains(b.String(), `pwned`) {
			t.Errorf("%s does not show it: %q", name, b.String())
		}
	}
}

func TestPrintable(t *testing.T) {
	for s, want := range map[string]string{
		"":                    "",
		"prodüktion \"x\" \\": "prodüktion \"x\" \\",
		"a\nb \"c\"":          `a\nb "c"`,
		"\xff":                `\xff`,
		"日本":                  "日本",
	} {
		if got := printable(s); got != want {
			t.Errorf("printable(%q) is %q, want %q", s, got, want)
		}
	}
}
