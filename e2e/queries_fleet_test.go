package e2e

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestExampleFleet asks the example fleet, in two environments, two regions
// and three versions, all that the documents ask.
func TestExampleFleet(t *testing.T) {
	t.Parallel()
	eachPrometheus(t, func(t *testing.T, version prometheusVersion) {
		s := newStage(t)
		s.serveIn(t, "production", "us-east-1", "v2.3.1", "--traffic.rate=20")
		s.serveIn(t, "production", "eu-west-1", "v2.3.0", "--traffic.rate=20")
		s.serveIn(t, "staging", "eu-west-1", "v2.4.0-rc1", "--traffic.rate=20")
		s.open(t, version)
		t.Run("queries", func(t *testing.T) { t.Parallel(); s.answersQueries(t) })
		t.Run("dashboards", func(t *testing.T) { t.Parallel(); s.fillsDashboards(t) })
		t.Run("recorded", func(t *testing.T) { t.Parallel(); s.records(t) })
	})
}

// An answer is what a query of the document returns on the example fleet.
type answer struct {
	by       []string // its labels, sorted
	rows     int      // at least; exactly where it is negative
	min, max float64
	values   []string // of its first label, that must be there
}

var (
	tools   = []string{"convert", "count_words", "search_documents", "show_widget", "sign_up", "update_widget", "upgrade_subscription", "wait"}
	answers = []answer{
		1:  {by: []string{"tool_name"}, rows: -8, min: 0.01, max: 60, values: tools},
		2:  {by: []string{"status"}, rows: -2, min: 0, max: 100000, values: []string{"success", "error"}},
		3:  {by: []string{"tool_name"}, rows: -5, min: 0.001, max: 2.5, values: []string{"wait"}},
		4:  {by: []string{"tool_name"}, rows: -8, min: 0, max: 50, values: tools},
		5:  {by: []string{"protocol"}, rows: -1, min: 3, max: 1000, values: []string{"streamable_http"}},
		6:  {by: []string{"status_code"}, rows: 4, min: 0, max: 100, values: []string{"200", "202", "204", "404"}},
		7:  {by: []string{"route"}, rows: 5, min: 0, max: 1, values: []string{"/mcp", "/documents/{id}", "/widgets/{id}", "other"}},
		8:  {by: []string{"method"}, rows: -2, min: 0.8, max: 1, values: []string{"api_key", "bearer"}},
		9:  {by: []string{"display_mode", "widget_type"}, rows: 6, min: 0, max: 60, values: []string{"inline", "fullscreen", "pip"}},
		10: {by: []string{"cache_type"}, rows: -2, min: 0.01, max: 1, values: []string{"documents", "widgets"}},
		11: {by: []string{"collection"}, rows: -3, min: 0.001, max: 1, values: []string{"documents", "subscriptions", "users"}},
		12: {by: []string{"environment", "instance", "job", "region", "version"}, rows: -3, min: 0.00001, max: 0.5, values: []string{"production", "staging"}},
		13: {by: []string{"environment", "instance", "region", "version"}, rows: -3, min: 0.0001, max: 2, values: []string{"production", "staging"}},
		14: {by: []string{"environment"}, rows: -2, min: 10, max: 500, values: []string{"production", "staging"}},
		15: {by: []string{"tier"}, rows: -3, min: 0, max: 1e6, values: []string{"enterprise", "free", "pro"}},
	}
)

func (s *stage) answersQueries(t *testing.T) {
	queries := documentedQueries(t)
	if len(queries) != len(answers)-1 {
		t.Fatalf("QUERIES.md asks %d questions, want fifteen", len(queries))
	}
	for i, query := range queries {
		eventually(t, inStep, func() error {
			rows, err := s.prometheus.query(query)
			if err != nil {
				return err
			}
			if err := answers[i+1].fits(rows); err != nil {
				return fmt.Errorf("question %d, %s: %w: %v", i+1, query, err, rows)
			}
			return nil
		})
	}
	s.totalsAreTrue(t, queries)
}

// documentedQueries are the blocks of the document, one below each question.
func documentedQueries(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(examples + "prometheus/QUERIES.md")
	if err != nil {
		t.Fatal(err)
	}
	var queries []string
	for i, part := range strings.Split(string(text), "\n## ")[1:] {
		block := regexp.MustCompile("(?s)```promql\n(.*?)```").FindAllStringSubmatch(part, -1)
		if len(block) != 1 || !strings.HasPrefix(part, fmt.Sprintf("%d. ", i+1)) {
			t.Fatalf("QUERIES.md: question %d should have its number and one query: %s", i+1, part)
		}
		queries = append(queries, block[0][1])
	}
	return queries
}

func (a answer) fits(rows []sample) error {
	if a.rows < 0 && len(rows) != -a.rows || len(rows) < a.rows {
		return fmt.Errorf("%d rows, want %d", len(rows), a.rows)
	}
	there := map[string]bool{}
	for _, r := range rows {
		if by := slices.Sorted(maps.Keys(r.labels)); !slices.Equal(by, a.by) {
			return fmt.Errorf("the labels are %q, want %q", by, a.by)
		}
		if !(r.value >= a.min && r.value <= a.max) {
			return fmt.Errorf("%v is %v, want %v to %v", r.labels, r.value, a.min, a.max)
		}
		there[r.labels[a.by[0]]] = true
	}
	for _, v := range a.values {
		if !there[v] {
			return fmt.Errorf("no %s", v)
		}
	}
	return nil
}

// totalsAreTrue checks what can be known from outside: what the servers
// themselves expose, before and after the question.
func (s *stage) totalsAreTrue(t *testing.T, queries []string) {
	t.Helper()
	for _, c := range []struct {
		question int
		series   string
	}{{2, "mcp_tool_invocations_total"}, {15, "mcp_revenue_total_usd"}} {
		before := s.exposed(t, c.series)
		var got float64
		eventually(t, soon, func() error {
			rows, err := s.prometheus.query(queries[c.question-1])
			if err != nil {
				return err
			}
			got = 0
			for _, r := range rows {
				got += r.value
			}
			// What was counted before the first scrape is no increase.
			if got < before*0.9 {
				return fmt.Errorf("question %d adds up to %v, the servers expose %v", c.question, got, before)
			}
			return nil
		})
		// increase extrapolates by half an interval at each end.
		if after := s.exposed(t, c.series); got > after*1.2 {
			t.Errorf("question %d adds up to %v, the servers expose %v to %v", c.question, got, before, after)
		}
	}
}

// exposed adds a metric up over all servers.
func (s *stage) exposed(t *testing.T, series string) (sum float64) {
	t.Helper()
	for _, m := range s.servers {
		body, err := httpGet("http://" + m.address + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range regexp.MustCompile(`(?m)^`+series+`\{.*\} (\S+)$`).FindAllSubmatch(body, -1) {
			var value float64
			if _, err := fmt.Sscan(string(line[1]), &value); err != nil {
				t.Fatal(err)
			}
			sum += value
		}
	}
	return sum
}

// records checks that every recording rule has a series for each part of the
// fleet.
func (s *stage) records(t *testing.T) {
	text, err := os.ReadFile(examples + "prometheus/mcp-recording.yml")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^ +- record: (\S+)$`).FindAllStringSubmatch(string(text), -1)
	if len(names) < 4 {
		t.Fatalf("mcp-recording.yml has %d rules", len(names))
	}
	for _, name := range names {
		eventually(t, inStep, func() error {
			rows, err := s.prometheus.query("count by (environment, region, version) (" + name[1] + " >= 0)")
			if err == nil && len(rows) != len(s.servers) {
				err = fmt.Errorf("%s: %v, want %d rows", name[1], rows, len(s.servers))
			}
			return err
		})
	}
}
