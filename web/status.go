package web

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// statusPage is what the status page shows.
type statusPage struct {
	Now     time.Time
	Notices []notice
	Tiles   []tile
	Sources []sourceRow
	Files   []fileRow
	Loaded  bool // the output files were read
	Targets *targetList
}

// notice is something that a person should know before all else.
type notice struct {
	Tone, Text string
	Link, See  string // where to look, and what that is called
	Command    string // what to type
}

// tile is one number of the overview, and the filter that shows what it counts.
type tile struct {
	Name  string
	Count int
	Tone  string
	Query string
	On    bool // it is what is shown
	Apart bool // another question begins: of state, of health
}

type sourceRow struct {
	SourceStatus
	Outcome string // ok, failing, waiting
	Failed  []PartStatus
	Query   string
}

// standings are the counts in the order of the table's columns.
func (s sourceRow) Standings() []int {
	counts := make([]int, len(discovery.Standings))
	for i, st := range discovery.Standings {
		counts[i] = s.Targets[string(st)]
	}
	return counts
}

type fileRow struct {
	File
	Link string
}

// Error is why the file is not up to date.
func (f fileRow) Error() string {
	if f.Err == nil {
		return ""
	}
	return f.Err.Error()
}

// targetList is one page of the targets.
type targetList struct {
	Filter       filter
	Wrong        string // what is wrong with the matchers
	Total, Found int
	From, To     int
	Pages        int
	Rows         []targetRow
	States       []string
	Healths      []string
	Sources      []string
	At           time.Time
	Unknown      string // an address that was searched for and that no target has
}

type targetRow struct {
	discovery.TargetView
	Labelled []labelled // environment, region, version
	Since    time.Time  // of the state, or else of the health
	Took     time.Duration
}

// labelled is a label and the filter that shows all targets that have it.
type labelled struct{ Title, Value, Query string }

func (p *pages) showStatus(w http.ResponseWriter, r *http.Request) {
	f, err := parseFilter(r.URL.Query())
	status := http.StatusOK
	if err != nil {
		status = http.StatusBadRequest
	}
	page := p.statusPage(f)
	if inv := p.inventory(r.Context()); inv != nil {
		page.Targets = list(inv, f, page.Sources)
		if err != nil {
			page.Targets.Wrong = err.Error()
		}
	}
	p.notices(page)
	p.show(w, status, p.status, frame{Title: "Status", Here: "status", At: page.Now, Page: page})
}

// statusPage is all but the targets.
func (p *pages) statusPage(f filter) *statusPage {
	page := &statusPage{Now: p.Now()}
	files := p.Files()
	page.Loaded = files != nil
	for _, file := range files {
		page.Files = append(page.Files, fileRow{file, "sd/" + link(files, file)})
	}
	v := p.Views.View()
	if v == nil {
		return page
	}
	for _, s := range v.Sources {
		page.Sources = append(page.Sources, row(v, s))
	}
	page.Tiles = tiles(v, f)
	return page
}

// link is as much of a file's path as /sd needs.
func link(files []File, f File) string {
	if _, err := pick(files, fileName(f.Path)); err == nil {
		return fileName(f.Path)
	}
	return strings.TrimPrefix(f.Path, "/")
}

func row(v *discovery.View, s discovery.SourceView) sourceRow {
	r := sourceRow{SourceStatus: sourceStatus(v, s), Outcome: "ok", Query: filter{Source: s.Name}.query()}
	switch {
	case s.Listed.IsZero():
		r.Outcome = "waiting"
	case !s.Up:
		r.Outcome = "failing"
	}
	for _, p := range r.Parts {
		if p.Error != "" {
			r.Failed = append(r.Failed, p)
		}
	}
	return r
}

func tiles(v *discovery.View, f filter) []tile {
	states, healths := map[discovery.Standing]int{}, map[health.Verdict]int{}
	total := 0
	for _, t := range v.Tallies {
		for s, n := range t.Standing {
			states[s] += n
			total += n
		}
		for h, n := range t.Health {
			healths[h] += n
		}
	}
	all := []tile{{Name: "targets", Count: total, Query: "./", On: !f.Set()}}
	for _, s := range discovery.Standings {
		only := filter{State: string(s)}
		all = append(all, tile{string(s), states[s], quiet(states[s], s), only.query(), f.query() == only.query(), len(all) == 1})
	}
	for _, h := range verdicts() {
		only := filter{Health: string(h)}
		all = append(all, tile{string(h), healths[h], quiet(healths[h], h), only.query(), f.query() == only.query(), h == health.Up})
	}
	return all
}

// quiet is the colour of a count: nothing to count has none.
func quiet(n int, word any) string {
	if n == 0 {
		return "none"
	}
	return tone(word)
}

func verdicts() []health.Verdict { return []health.Verdict{health.Up, health.Down, health.Unknown} }

// notices says first what needs somebody.
func (p *pages) notices(page *statusPage) {
	add := func(n notice) { page.Notices = append(page.Notices, n) }
	if err := p.Ready(); err != nil {
		add(notice{Tone: "info", Text: "Not ready yet: " + err.Error() + ". What was published stays as it is."})
	}
	held := 0
	for _, s := range page.Sources {
		held += s.Targets[string(discovery.Held)]
		if s.Outcome == "failing" {
			add(notice{Tone: "bad", Text: "Source " + s.Name + " fails; its last good targets are kept.", Link: "#source-" + s.Name, See: "Why"})
		}
	}
	if held > 0 {
		add(notice{
			Tone: "warn", Text: "The guard holds back the removal of " + plural(held, "target") + ".",
			Link: filter{State: string(discovery.Held)}.query() + "#targets", See: "Show", Command: "mcp-sd accept",
		})
	}
	for _, f := range page.Files {
		if f.Err != nil {
			add(notice{Tone: "bad", Text: fileName(f.Path) + " could not be brought up to date; its old content stays.", Link: "#files", See: "Why"})
		}
	}
	switch {
	case page.Targets == nil && page.Loaded:
		add(notice{Tone: "bad", Text: "The engine is busy, perhaps with a disk that does not answer: the targets can't be shown now."})
	case page.Targets != nil && page.Now.Sub(page.Targets.At) > 2*viewTimeout:
		add(notice{Tone: "warn", Text: "The engine is busy: these targets are as they were " + ago(page.Now, page.Targets.At) + "."})
	}
}

// list makes one page of the targets that the filter selects.
func list(inv *discovery.Inventory, f filter, sources []sourceRow) *targetList {
	selected := f.apply(inv.Targets)
	shown, n := f.page(selected)
	l := &targetList{Filter: f, Total: len(inv.Targets), Found: len(selected), Pages: n, At: inv.At}
	for i := range shown {
		l.Rows = append(l.Rows, targetRowOf(&shown[i], f))
	}
	l.From, l.To = min((f.Page-1)*perPage+1, l.Found), (f.Page-1)*perPage+len(shown)
	for _, s := range discovery.Standings {
		l.States = append(l.States, string(s))
	}
	for _, v := range verdicts() {
		l.Healths = append(l.Healths, string(v))
	}
	for _, s := range sources {
		l.Sources = append(l.Sources, s.Name)
	}
	slices.Sort(l.Sources)
	if l.Found == 0 && len(f.words) == 1 {
		l.Unknown = f.Text
	}
	return l
}

func targetRowOf(t *discovery.TargetView, f filter) targetRow {
	r := targetRow{TargetView: *t, Since: t.Since, Took: time.Duration(t.ProbeSeconds * float64(time.Second))}
	if r.Since.IsZero() {
		r.Since = t.HealthSince
	}
	for _, l := range []struct{ title, name, value string }{
		{"Environment", target.EnvironmentName, t.Labels.Get(target.EnvironmentName)},
		{"Region", target.RegionName, t.Labels.Get(target.RegionName)},
		{"Version", versionName(t), version(t.Labels)},
	} {
		shown := labelled{Title: l.title, Value: l.value}
		if l.value != "" {
			shown.Query = f.with(l.name, l.value).query() + "#targets"
		}
		r.Labelled = append(r.Labelled, shown)
	}
	return r
}

// versionName is the label that has the version.
func versionName(t *discovery.TargetView) string {
	if t.Labels.Has(target.VersionName) {
		return target.VersionName
	}
	return target.VersionLabel
}

// At is the query of another page of the list.
func (l *targetList) Turn(by int) string {
	f := l.Filter
	f.Page += by
	return f.query() + "#targets"
}

// First and Last are the queries of the outermost pages.
func (l *targetList) First() string { return l.Turn(1 - l.Filter.Page) }

// Last is the query of the last page.
func (l *targetList) Last() string { return l.Turn(l.Pages - l.Filter.Page) }

// Name is how the source that owns a row is shown.
func (r targetRow) Name() string { return cmp.Or(r.Source, "none") }
