package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"golang.org/x/net/html"

	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// text is what a page says, by a parser of HTML, white space folded.
func text(t *testing.T, page string) string {
	t.Helper()
	var b strings.Builder
	walk(t, page, func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data + " ")
		}
	})
	return strings.Join(strings.Fields(b.String()), " ")
}

func walk(t *testing.T, page string, visit func(*html.Node)) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		visit(n)
	}
}

func expectText(t *testing.T, page string, want ...string) {
	t.Helper()
	got := text(t, page)
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("the page does not say %q:\n%s", w, got)
		}
	}
}

// Contract §9: sources, parts, files and every target with state, health,
// labels and reason.
func TestStatusPage(t *testing.T) {
	v := fleet(1)
	down := published("10.9.9.9:80")
	down.Health, down.LastFail, down.State, down.Rule = health.Down, "timeout: no answer within 10s", discovery.Held, discovery.RuleGuardRatio
	down.Since = noon.Add(-26 * time.Hour)
	v.inventory.Targets = append(v.inventory.Targets, down)
	v.view.Tallies[0].Standing[discovery.Held] = 1
	v.view.Sources = append(v.view.Sources,
		discovery.SourceView{Name: "consul", Type: "consul", Listed: noon, Parts: []discovery.PartView{{Name: "dc1/mcp", Err: errors.New("no cluster leader")}}},
		discovery.SourceView{Name: "ec2", Type: "ec2"})
	h := handler(t, v, func() []File {
		return []File{
			{Path: "/out/mcp.json", Body: []byte("[]\n"), Targets: 1234567, Digest: "00abcdef0123", WrittenAt: noon.Add(-3 * time.Second)},
			{Path: "/out/full.json", Body: []byte("[]\n"), WrittenAt: noon, Err: errors.New("no space left on device")},
		}
	})
	w := get(h, "/")
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	expectText(t, w.Body.String(),
		"racks static ok 1m ago 1 0 0 1 0 1 part", "a.yml 1 target, 2 left out, answered just now",
		"consul consul failing never 0 0 0 0 0 dc1/mcp no cluster leader", "ec2 ec2 waiting never",
		"Source consul fails; its last good targets are kept.",
		"The guard holds back the removal of 1 target. mcp-sd accept",
		"full.json could not be brought up to date",
		"/out/mcp.json 1,234,567 3s ago 00abcdef0123 ok", "no space left on device",
		"http://10.0.0.0:3000/metrics racks production us-east-1 v1 published up 1h 30m ago 4s ago 12.3ms listed",
		"http://10.9.9.9:80/metrics racks production us-east-1 v1 held down 1d 2h ago 4s ago 12.3ms held: too many would leave at once timeout: no answer within 10s",
		"1–2 of 2 targets",
	)
	if got := text(t, get(h, "/?health=down").Body.String()); !strings.Contains(got, "1–1 of 1 target, of 2 in all") || strings.Contains(got, "10.0.0.0") {
		t.Errorf("the filter is not applied: %s", got)
	}
	if w := get(h, "/?match=a%3D%3D"); w.Code != 400 || !strings.Contains(text(t, w.Body.String()), "write PromQL matchers") {
		t.Errorf("a wrong matcher: %d %s", w.Code, w.Body)
	}
	expectText(t, get(h, "/?q=10.7.7.7:1").Body.String(), "No target, of 2 in all", "Explain 10.7.7.7:1")
}

// What can't be known yet, or now, is said; the page is there all the same.
func TestStatusPageInTrouble(t *testing.T) {
	v := &views{}
	h := handler(t, v, func() []File { return nil })
	expectText(t, get(h, "/").Body.String(), "The sources have not been asked yet.", "The files are being loaded.")
	*v = *fleet(1)
	v.inventory = nil
	h = handler(t, v, nil)
	expectText(t, get(h, "/").Body.String(), "The engine is busy", "racks static ok")
	if w := get(h, "/api/v1/targets"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `"status":"error"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	v.inventory = &discovery.Inventory{At: noon.Add(-time.Hour), Targets: fleet(1).inventory.Targets}
	expectText(t, get(h, "/").Body.String(), "these targets are as they were 1h ago", "http://10.0.0.0:3000/metrics")
	v.busy = true
	if w := get(h, "/target?address=a:1"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// hostile values try to leave the place that they are shown in.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`,
	`javascript:alert(1)`, `</title><script>`, `{{.Secret}}`, "\u202egnp.exe", `</style><style>*{display:none}`, `&lt;b&gt;`,
}

// Discovered data stays text, wherever it is shown.
func TestHostileValues(t *testing.T) {
	for _, evil := range hostile {
		v := fleet(1)
		bad := published("h:1")
		bad.URL, bad.Address, bad.LastFail, bad.Source, bad.Rule = evil, evil, evil, evil, discovery.Rule(evil)
		bad.Labels = labels.FromStrings("environment", evil, "region", evil, "version", evil, "team", evil)
		v.inventory.Targets = []discovery.TargetView{bad}
		v.view.Sources[0].Parts = []discovery.PartView{{Name: evil, Err: errors.New(evil)}}
		v.explained = discovery.Explanation{
			Targets: []discovery.TargetExplained{{
				TargetView: bad, Files: []string{evil},
				Probes:   []health.Probe{{At: noon, Class: health.Class(evil), Detail: evil}},
				ListedBy: []discovery.ListedBy{{Source: evil, Part: evil, Before: labels.FromStrings(evil, evil), After: labels.FromStrings("a", evil)}},
			}},
			Dropped: []target.Rejection{{Address: evil, Label: evil, Reason: evil, Detail: evil}},
			Removed: []discovery.Removal{{At: noon, Target: target.Key{Address: evil}, Labels: bad.Labels, Source: evil, By: evil, Rule: discovery.Rule(evil)}},
			Nearest: []string{evil}, Awaiting: []string{evil},
		}
		h := handler(t, v, func() []File { return []File{{Path: "/out/" + evil, Body: []byte("[]"), Err: errors.New(evil)}} })
		q := url.QueryEscape(evil)
		for _, path := range []string{"/", "/?q=" + q, "/?match=" + q, "/?source=" + q + "&state=" + q, "/target?address=" + q} {
			harmless(t, evil, path, get(h, path).Body.String())
		}
		v.explained = discovery.Explanation{Nearest: []string{evil}}
		harmless(t, evil, "unknown", get(h, "/target?address="+q).Body.String())
	}
}

func harmless(t *testing.T, evil, path, page string) {
	t.Helper()
	allowed := []string{"html", "head", "meta", "title", "link", "body", "a", "header", "img", "nav", "main", "footer", "span", "time", "h1", "h2", "h3", "section", "p", "code", "table", "caption", "thead", "tbody", "tr", "th", "td", "ul", "li", "b", "details", "summary", "form", "div", "label", "input", "select", "option", "button", "dl", "dt", "dd"}
	walk(t, page, func(n *html.Node) {
		if n.Type != html.ElementNode {
			return
		}
		if !slices.Contains(allowed, n.Data) {
			t.Errorf("%s with %q: an element %s", path, evil, n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || (a.Key == "href" || a.Key == "src" || a.Key == "action") && strings.HasPrefix(a.Val, "javascript:") {
				t.Errorf("%s with %q: %s has %s=%q", path, evil, n.Data, a.Key, a.Val)
			}
			if a.Key == "src" && a.Val != "icon.svg" {
				t.Errorf("%s with %q: loads %s", path, evil, a.Val)
			}
		}
	})
	if got := text(t, page); !strings.Contains(got, strings.Join(strings.Fields(evil), " ")) {
		t.Errorf("%s does not show %q as it is:\n%s", path, evil, got)
	}
}

func TestTargetPage(t *testing.T) {
	v := fleet(1)
	tv := v.inventory.Targets[0]
	v.explained = discovery.Explanation{Targets: []discovery.TargetExplained{{
		TargetView: tv, Files: []string{"/out/mcp.json"},
		Probes:   []health.Probe{{At: noon.Add(-time.Minute), Class: "refused", Detail: "connection refused"}, {At: noon, Took: 1500 * time.Millisecond}},
		ListedBy: []discovery.ListedBy{{Source: "racks", Part: "a.yml", Before: labels.FromStrings("a", "1", "b", "2", "c", "3"), After: labels.FromStrings("b", "2", "c", "4", "d", "5")}},
	}}}
	h := handler(t, v, nil)
	w := get(h, "/target?address=10.0.0.0:3000")
	if w.Code != 200 {
		t.Fatal(w.Code)
	}
	expectText(t, w.Body.String(), "10.0.0.0:3000", "published listed", "up for 1h 30m", "/out/mcp.json", `environment="production"`,
		"just now 1.5s up 1m ago refused connection refused", "Listed by racks, a.yml", "a 1 – b 2 the same c 3 4 d – 5")

	v.explained = discovery.Explanation{Nearest: []string{"10.0.0.1:3000"}, Awaiting: []string{"consul"}}
	w = get(h, "/target?address=10.0.0.1:300")
	if w.Code != 404 {
		t.Errorf("an unknown target: %d", w.Code)
	}
	expectText(t, w.Body.String(), "No source lists it", "Nearest 10.0.0.1:3000", "Not all sources have answered yet: consul")

	v.explained = discovery.Explanation{
		Dropped: []target.Rejection{{Label: "job", Reason: "reserved", Detail: "job is the operator's"}},
		Removed: []discovery.Removal{{At: noon.Add(-time.Hour), Target: target.Key{Scheme: "http", Address: "a:1", Path: "/m"}, Source: "racks", Rule: discovery.RuleAccepted, By: "ann"}},
	}
	w = get(h, "/target?address=a:1")
	expectText(t, w.Body.String(), "reserved its label job : job is the operator's", "1h ago : http://a:1/m , its removal was accepted by ann", "at an unknown time")
	if w.Code != 200 {
		t.Errorf("a removed target is known: %d", w.Code)
	}
}

// The API answers in Prometheus' form, by the same filter.
func TestAPI(t *testing.T) {
	v := fleet(3)
	v.view.Sources[0].Up = false
	v.view.Sources[0].Parts[0].Err = errors.New("broken")
	h := handler(t, v, nil)
	var answer struct {
		Status, Error string
		Data          []struct {
			Name, Type, Address, State, Health, Rule string
			Up                                       bool
			Labels                                   map[string]string
			Targets                                  map[string]int
			Parts                                    []struct {
				Name, Error       string
				Targets, Rejected int
			}
		}
	}
	read := func(path string, status int) {
		t.Helper()
		answer.Data, answer.Error = nil, ""
		w := get(h, path)
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != status || w.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %d %s: %v", path, w.Code, w.Body, err)
		}
	}
	read("/api/v1/targets", 200)
	if len(answer.Data) != 3 || answer.Status != "success" || answer.Data[0].State != "published" || answer.Data[0].Labels["region"] != "us-east-1" {
		t.Errorf("targets: %+v", answer)
	}
	read("/api/v1/targets?q=10.0.0.2", 200)
	if len(answer.Data) != 1 || answer.Data[0].Address != "10.0.0.2:3000" {
		t.Errorf("filtered: %+v", answer)
	}
	read("/api/v1/targets?state=held", 200)
	if answer.Data == nil || len(answer.Data) != 0 {
		t.Errorf("nothing fits: %+v, want an empty list", answer)
	}
	read("/api/v1/targets?match=%7B", 400)
	if answer.Status != "error" || answer.Error == "" {
		t.Errorf("a wrong matcher: %+v", answer)
	}
	read("/api/v1/sources", 200)
	if s := answer.Data[0]; s.Name != "racks" || s.Up || s.Targets["published"] != 3 || s.Parts[0].Error != "broken" || s.Parts[0].Rejected != 2 {
		t.Errorf("sources: %+v", answer)
	}
}

// /config is a page for people and YAML for programs.
func TestConfigPage(t *testing.T) {
	h := handler(t, fleet(1), nil)
	if w := get(h, "/config"); w.Body.String() != "global: {labels: {a: '<b>'}}\n" || !strings.Contains(w.Header().Get("Content-Type"), "yaml") {
		t.Errorf("%q %v", w.Body, w.Header())
	}
	w := ask(h, "GET", "/config", http.Header{"Accept": {"text/html,*/*"}})
	expectText(t, w.Body.String(), "global: {labels: {a: '<b>'}}")
	if got := w.Header().Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") || strings.Contains(got, "unsafe") {
		t.Errorf("the policy is %q", got)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 900 * time.Millisecond: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m 1s",
		time.Hour: "1h", 25*time.Hour + 59*time.Minute: "1d 1h", 400 * 24 * time.Hour: "400d",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%s) is %q, want %q", d, got, want)
		}
	}
}
