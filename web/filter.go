package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/target"
)

// filter is which targets somebody wants to see. Its zero value is all.
type filter struct {
	Text   string // words that must all be somewhere in the target
	State  string
	Health string
	Source string
	Match  string // PromQL matchers, as an output's match
	Page   int    // from 1

	words    []string
	matchers []*labels.Matcher
}

// parseFilter reads the filter of a request. An error says what is wrong with
// the matchers; the rest of the filter counts all the same.
func parseFilter(q url.Values) (filter, error) {
	f := filter{
		Text: strings.TrimSpace(q.Get("q")), State: q.Get("state"), Health: q.Get("health"),
		Source: q.Get("source"), Match: strings.TrimSpace(q.Get("match")), Page: 1,
	}
	f.words = strings.Fields(strings.ToLower(f.Text))
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 1 {
		f.Page = n
	}
	var err error
	f.matchers, err = parseMatch(f.Match)
	return f, err
}

func parseMatch(s string) ([]*labels.Matcher, error) {
	if s == "" {
		return nil, nil
	}
	selector := s
	if !strings.HasPrefix(s, "{") {
		selector = "{" + s + "}"
	}
	ms, err := parser.NewParser(parser.Options{}).ParseMetricSelector(selector)
	var wrong parser.ParseErrors
	if errors.As(err, &wrong) && len(wrong) > 0 {
		err = wrong[0].Err // without a position in a text that nobody sees
	}
	if err != nil {
		return nil, fmt.Errorf(`%w: write PromQL matchers, such as environment="production", region=~"eu-.+"`, err)
	}
	return ms, nil
}

// Set reports whether anything is left out.
func (f filter) Set() bool {
	return f.Text+f.State+f.Health+f.Source+f.Match != ""
}

// query is the filter as a link has it.
func (f filter) query() string {
	v := url.Values{}
	for name, value := range map[string]string{"q": f.Text, "state": f.State, "health": f.Health, "source": f.Source, "match": f.Match} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if f.Page > 1 {
		v.Set("page", strconv.Itoa(f.Page))
	}
	return "?" + v.Encode()
}

// with is the filter with one more label to match, on its first page.
func (f filter) with(name, value string) filter {
	inner := strings.TrimSuffix(strings.TrimPrefix(f.Match, "{"), "}")
	more := labels.MustNewMatcher(labels.MatchEqual, name, value).String()
	switch {
	case inner == "":
		f.Match = more
	case !strings.Contains(inner, more):
		f.Match = inner + ", " + more
	}
	f.Page = 1
	return f
}

func (f filter) selects(t *discovery.TargetView) bool {
	return (f.State == "" || f.State == string(t.State)) &&
		(f.Health == "" || f.Health == string(t.Health)) &&
		(f.Source == "" || f.Source == t.Source) &&
		target.Selected(f.matchers, t.Address, t.Labels) && f.says(t)
}

// says reports whether every word is somewhere in what is shown of the target.
func (f filter) says(t *discovery.TargetView) bool {
	if len(f.words) == 0 {
		return true
	}
	var b strings.Builder
	for _, s := range []string{t.URL, t.Source, string(t.State), string(t.Rule), t.LastFail} {
		b.WriteString(s)
		b.WriteByte('\n')
	}
	t.Labels.Range(func(l labels.Label) { b.WriteString(l.Name + "=" + l.Value + "\n") })
	text := strings.ToLower(b.String())
	return !slices.ContainsFunc(f.words, func(w string) bool { return !strings.Contains(text, w) })
}

// apply returns the targets that are selected; all of them without a copy where
// nothing is left out.
func (f filter) apply(all []discovery.TargetView) []discovery.TargetView {
	if !f.Set() {
		return all
	}
	selected := []discovery.TargetView{}
	for i := range all {
		if f.selects(&all[i]) {
			selected = append(selected, all[i])
		}
	}
	return selected
}

// perPage is how many targets one page shows.
const perPage = 100

// page returns the targets of the filter's page, and how many pages there are.
// A page past the end is the last one.
func (f *filter) page(selected []discovery.TargetView) (shown []discovery.TargetView, pages int) {
	pages = max(1, (len(selected)+perPage-1)/perPage)
	f.Page = cmp.Or(min(f.Page, pages), 1)
	from := (f.Page - 1) * perPage
	return selected[from:min(from+perPage, len(selected))], pages
}
