package web

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/health"
)

// Contract §9: search and filter, by text, state, health, source and labels.
func TestFilter(t *testing.T) {
	a, b, c := published("10.0.0.1:3000"), published("10.0.0.2:3000"), published("mcp.example.com:80")
	b.State, b.Health, b.LastFail = discovery.Pending, health.Down, "refused: Connection refused"
	c.Source, c.Labels = "consul", labels.FromStrings("environment", "staging", "team", "Blue")
	all := []discovery.TargetView{a, b, c}
	for query, want := range map[string]string{
		"":                                    "a b c",
		"q=10.0.0":                            "a b",
		"q=CONNECTION+refused":                "b",
		"q=refused+10.0.0.1":                  "",
		"q=team%3Dblue":                       "c",
		"state=pending":                       "b",
		"health=up":                           "a c",
		"source=consul":                       "c",
		"source=consul&health=down":           "",
		`match=environment="production"`:      "a b",
		`match={environment!="production"}`:   "c",
		`match=team=""`:                       "a b",
		`match=team=~"Bl.e",version=""`:       "c",
		`match=__address__=~"10.*"`:           "a b",
		`match=environment="x"&state=pending`: "",
		"page=7&unknown=1":                    "a b c",
	} {
		q, err := url.ParseQuery(strings.ReplaceAll(query, "=\"", "%3D\""))
		if err != nil {
			t.Fatal(err)
		}
		f, err := parseFilter(q)
		if err != nil {
			t.Errorf("%s: %v", query, err)
		}
		var got []string
		for _, s := range f.apply(all) {
			got = append(got, map[string]string{a.Address: "a", b.Address: "b", c.Address: "c"}[s.Address])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s selects %q, want %q", query, strings.Join(got, " "), want)
		}
	}
	for _, wrong := range []string{"a==", "{", `a="b`, "a", "sum(x)", `a=~"("`} {
		if _, err := parseFilter(url.Values{"match": {wrong}}); err == nil || !strings.Contains(err.Error(), "write PromQL matchers") {
			t.Errorf("match %q: %v", wrong, err)
		}
	}
}

// A link carries the whole filter, whatever is in it.
func TestFilterQuery(t *testing.T) {
	f := filter{Text: `a&b="<`, State: "held", Health: "up", Source: "s", Match: `a="b"`, Page: 3}
	q, err := url.ParseQuery(f.query()[1:])
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseFilter(q)
	if err != nil || got.Text != f.Text || got.State != f.State || got.Health != f.Health || got.Source != f.Source || got.Match != f.Match || got.Page != 3 {
		t.Errorf("%+v became %+v (%v)", f, got, err)
	}
	more := f.with("region", `x"\y`)
	if _, err := parseMatch(more.Match); err != nil || more.Page != 1 || !strings.HasPrefix(more.Match, `a="b", region=`) {
		t.Errorf("one more label: %q, %v", more.Match, err)
	}
	if again := more.with("region", `x"\y`); again.Match != more.Match {
		t.Errorf("the same label twice: %q", again.Match)
	}
}

// Any number of targets is shown a hundred at a time.
func TestPages(t *testing.T) {
	for _, c := range []struct{ n, page, from, to, pages int }{
		{0, 1, 0, 0, 1},
		{1, 1, 1, 1, 1},
		{100, 1, 1, 100, 1},
		{101, 1, 1, 100, 2},
		{101, 2, 101, 101, 2},
		{250, 3, 201, 250, 3},
		{250, 9, 201, 250, 3},
	} {
		l := list(fleet(c.n).inventory, filter{Page: c.page}, nil)
		if l.From != c.from || l.To != c.to || l.Pages != c.pages || len(l.Rows) != c.to-max(c.from, 1)+1 {
			t.Errorf("page %d of %d targets: %d to %d of %d pages, %d rows", c.page, c.n, l.From, l.To, l.Pages, len(l.Rows))
		}
	}
}

func BenchmarkStatusPage(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		h := handler(b, fleet(n), nil)
		for _, query := range []string{"", "?page=5", "?q=10.0.3&match=region%3D\"us-east-1\""} {
			b.Run(fmt.Sprintf("%d%s", n, strings.ReplaceAll(query, "/", "")), func(b *testing.B) {
				for b.Loop() {
					if w := get(h, "/"+query); w.Code != 200 {
						b.Fatal(w.Code)
					}
				}
			})
		}
	}
}
