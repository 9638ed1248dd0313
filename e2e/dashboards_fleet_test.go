package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A dashboard is what these tests read of a Grafana dashboard.
type dashboard struct {
	UID        string
	Title      string
	Links      []struct{ URL string }
	Templating struct{ List []variable }
	Panels     []panel
}

type variable struct {
	Name, Type string
	AllValue   string
	IncludeAll bool
	Definition string
}

type panel struct {
	ID          int
	Type, Title string
	Datasource  struct{ UID string }
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct {
		Expr, LegendFormat string
		Instant            bool
		Datasource         struct{ UID string }
	}
	FieldConfig struct {
		Defaults struct {
			Unit string
			Min  *float64
		}
	}
}

func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	paths, err := filepath.Glob(examples + "grafana/dashboards/*.json")
	if err != nil || len(paths) < 2 {
		t.Fatalf("%d dashboards: %v", len(paths), err)
	}
	all := map[string]dashboard{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all[d.UID] = d
	}
	return all
}

// TestDashboardsLayout: what Grafana would show wrongly without a word.
func TestDashboardsLayout(t *testing.T) {
	t.Parallel()
	all := dashboards(t)
	for uid, d := range all {
		for _, link := range d.Links {
			if _, ok := all[strings.TrimPrefix(link.URL, "/d/")]; !ok {
				t.Errorf("%s links to %s, which is not there", uid, link.URL)
			}
		}
		for _, name := range []string{"datasource", "environment", "region", "version", "instance"} {
			if !slices.ContainsFunc(d.Templating.List, func(v variable) bool { return v.Name == name }) {
				t.Errorf("%s has no variable %s", uid, name)
			}
		}
		ids, taken := map[int]bool{}, map[[2]int]string{}
		for _, p := range d.Panels {
			if ids[p.ID] {
				t.Errorf("%s: two panels have the id %d", uid, p.ID)
			}
			ids[p.ID] = true
			p.fits(t, uid, taken)
		}
	}
}

// fits checks that a panel has its place for itself, and all that it needs.
func (p panel) fits(t *testing.T, uid string, taken map[[2]int]string) {
	t.Helper()
	g := p.GridPos
	for x := g.X; x < g.X+g.W; x++ {
		for y := g.Y; y < g.Y+g.H; y++ {
			if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
				t.Errorf("%s: %q lies over %q or beyond the edge", uid, p.Title, other)
				return
			}
			taken[[2]int{x, y}] = p.Title
		}
	}
	if p.Type == "row" {
		return
	}
	if p.Title == "" || p.FieldConfig.Defaults.Unit == "" || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
		t.Errorf("%s: %q lacks a title, a unit, the data source's variable or a query", uid, p.Title)
	}
	if lowest := p.FieldConfig.Defaults.Min; p.Type == "timeseries" && (lowest == nil || *lowest != 0) {
		t.Errorf("%s: %q does not begin at 0, and a stack that begins elsewhere lies", uid, p.Title)
	}
	for _, target := range p.Targets {
		if target.Datasource.UID != "${datasource}" {
			t.Errorf("%s: %q does not ask the data source that was chosen", uid, p.Title)
		}
		if labels := regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1); labels == nil && p.Type == "timeseries" && target.LegendFormat != "all probes" {
			t.Errorf("%s: the lines of %q have no names", uid, p.Title)
		}
	}
}

// fillsDashboards evaluates every query of every panel, with all of the fleet
// chosen and with one server: none is without data.
func (s *stage) fillsDashboards(t *testing.T) {
	m := s.servers[0]
	itself := strings.TrimPrefix(s.daemon.url, "http://")
	choices := []labels{
		{"environment": ".*", "region": ".*", "version": ".*", "instance": ".*", "replica": ".*"},
		{
			"environment": m.environment, "region": m.region, "version": m.version,
			"instance": regexp.QuoteMeta(m.address), "replica": regexp.QuoteMeta(itself),
		},
	}
	for _, d := range dashboards(t) {
		for _, choice := range choices {
			s.offers(t, d, choice)
			for _, p := range d.Panels {
				s.fillsPanel(t, d, p, choice)
			}
		}
	}
}

func (s *stage) fillsPanel(t *testing.T, d dashboard, p panel, choice labels) {
	t.Helper()
	for _, target := range p.Targets {
		expr := chosen(t, target.Expr, choice)
		names := regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1)
		eventually(t, inStep, func() error {
			rows, err := s.prometheus.query(expr)
			if err != nil {
				return fmt.Errorf("%s: %q: %w", d.Title, p.Title, err)
			}
			// A tool that nobody called has no duration; some row has data.
			rows = slices.DeleteFunc(rows, func(r sample) bool { return math.IsNaN(r.value) || math.IsInf(r.value, 0) })
			if len(rows) == 0 {
				return fmt.Errorf("%s: %q has no data: %s", d.Title, p.Title, expr)
			}
			if p.Type == "stat" && len(rows) != 1 {
				return fmt.Errorf("%s: %q shows %d numbers, want one: %s", d.Title, p.Title, len(rows), expr)
			}
			for _, name := range names {
				if !slices.ContainsFunc(rows, func(r sample) bool { return r.labels[name[1]] != "" }) && !strings.HasSuffix(expr, "or vector(0)") {
					return fmt.Errorf("%s: %q names its lines by %s, which they do not have: %v", d.Title, p.Title, name[1], rows[0].labels)
				}
			}
			return nil
		})
	}
}

// chosen puts values in the place of variables, as Grafana does.
func chosen(t *testing.T, expr string, choice labels) string {
	t.Helper()
	expr = strings.ReplaceAll(expr, "$__rate_interval", "1m")
	for name, value := range choice {
		expr = strings.ReplaceAll(expr, `"$`+name+`"`, fmt.Sprintf("%q", value))
	}
	if strings.Contains(expr, "$") {
		t.Fatalf("a variable is unknown: %s", expr)
	}
	return expr
}

// offers checks that each variable has values to choose from.
func (s *stage) offers(t *testing.T, d dashboard, choice labels) {
	t.Helper()
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		parts := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`).FindStringSubmatch(v.Definition)
		if parts == nil || v.AllValue != ".*" || !v.IncludeAll {
			t.Errorf("%s: the variable %s should offer label_values and all of them", d.Title, v.Name)
			continue
		}
		path := "/api/v1/label/" + parts[2] + "/values?match[]=" + url.QueryEscape(chosen(t, parts[1], choice))
		eventually(t, inStep, func() error {
			var values []string
			err := s.prometheus.api(path, &values)
			if err == nil && len(values) == 0 {
				err = fmt.Errorf("%s: the variable %s offers nothing: %s", d.Title, v.Name, v.Definition)
			}
			return err
		})
	}
}
