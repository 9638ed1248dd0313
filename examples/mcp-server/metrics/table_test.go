package metrics

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
)

// The table that rules, queries and dashboards are written for: name without
// the prefix, type, labels, buckets.
const table = `
active_connections                gauge     authenticated,protocol
authentication_attempts_total     counter   method,status
authentication_failures_total     counter   method,reason
build_info                        gauge     version
cache_hit_ratio                   gauge     cache_type
connection_duration_seconds       histogram disconnect_reason,protocol      10 30 60 300 600 1800 3600
database_query_duration_seconds   histogram collection,operation            0.01 0.05 0.1 0.25 0.5 1 2.5
http_request_duration_seconds     histogram method,route,status_code        0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5
http_request_size_bytes           histogram method,route                    100 1000 5000 10000 50000 100000 500000
http_requests_total               counter   method,route,status_code
http_response_size_bytes          histogram method,route,status_code        100 1000 5000 10000 50000 100000 500000
queue_depth                       gauge     queue_name
revenue_total_usd                 gauge     tier
subscription_upgrades_total       counter   from_tier,to_tier
tool_duration_seconds             histogram status,tool_name                0.05 0.1 0.25 0.5 1 2.5 5 10
tool_errors_total                 counter   error_type,tool_name
tool_invocations_total            counter   status,tool_name,user_tier
user_signups_total                counter   source,tier
widget_render_duration_seconds    histogram display_mode,widget_type        0.01 0.05 0.1 0.25 0.5 1
widget_renders_total              counter   display_mode,widget_type
widget_state_updates_total        counter   update_source,widget_type
`

// every calls every method that records something, with the same value for
// every label that it takes.
func every(m *Metrics, v string) {
	ok := func() error { return nil }
	_ = m.Tool(context.Background(), v, v, func(ctx) error { return kinded(v) })
	_ = m.Tool(context.Background(), v, v, func(ctx) error { return nil })
	_ = m.Render(v, v, ok)
	m.WidgetUpdated(v, v)
	_ = m.Authenticate(v, func() error { return kinded(v) })
	m.SignedUp(v, v)
	m.Upgraded(v, v)
	m.Earned(v, 20)
	_ = m.Query(v, v, ok)
	m.LookedUp(v, true)
	m.Enqueued(v)
	c := &conn{Conn: nowhere{}, owner: m.Connections(v), opened: time.Now(), reason: v}
	c.use(true)
	_ = c.Close()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Method, r.URL.Path = v, "/"+v
	m.HTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(httptest.NewRecorder(), r)
}

func TestTable(t *testing.T) {
	m := New(Options{Version: "v1.0.0"})
	every(m, "some")
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		if name, own := strings.CutPrefix(f.GetName(), DefaultPrefix); own {
			got = append(got, row(name, f))
		}
	}
	want := strings.Split(strings.TrimSpace(table), "\n")
	for i := range want {
		want[i] = strings.Join(strings.Fields(want[i]), " ")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the metrics are not those of the table (-table +metrics):\n%s", diff)
	}
}

// README.md shows the same table.
func TestReadme(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, m := range regexp.MustCompile("(?m)^\\| `mcp_([a-z_]+)` \\| (\\w+) \\| (.*) \\|$").FindAllStringSubmatch(string(b), -1) {
		labels := strings.Split(m[3], ", ")
		slices.Sort(labels)
		got = append(got, strings.Join([]string{m[1], m[2], strings.Join(labels, ",")}, " "))
	}
	for line := range strings.Lines(strings.TrimSpace(table)) {
		want = append(want, strings.Join(strings.Fields(line)[:3], " "))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("README.md has another table (-table +README):\n%s", diff)
	}
}

func row(name string, f *dto.MetricFamily) string {
	first := f.GetMetric()[0]
	var labels, fields []string
	for _, l := range first.GetLabel() {
		labels = append(labels, l.GetName())
	}
	slices.Sort(labels)
	fields = append(fields, name, strings.ToLower(f.GetType().String()), strings.Join(labels, ","))
	for _, b := range first.GetHistogram().GetBucket() {
		fields = append(fields, fmt.Sprint(int64(b.GetUpperBound())))
		if b.GetUpperBound() < 10000 {
			fields[len(fields)-1] = fmt.Sprint(b.GetUpperBound())
		}
	}
	return strings.Join(fields, " ")
}

// What every process exposes is there as well, and nothing in it is against
// Prometheus' customs.
func TestHandler(t *testing.T) {
	m := New(Options{Version: "v2.3.1"})
	every(m, "some")
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		`mcp_build_info{version="v2.3.1"} 1`, "go_goroutines ", "process_cpu_seconds_total ", "process_resident_memory_bytes ",
		"machine_memory_bytes ", "promhttp_metric_handler_requests_total",
	} {
		if !strings.Contains(rec.Body.String(), "\n"+want) {
			t.Errorf("/metrics lacks %q", want)
		}
	}
	if problems, err := testutil.GatherAndLint(m.registry); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		return // its rules are those of the lint above
	}
	check := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	check.Stdin = rec.Body
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

func TestPrefixAndVersion(t *testing.T) {
	m := New(Options{Prefix: "shop_"})
	every(m, "some")
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range families {
		switch {
		case strings.HasPrefix(f.GetName(), DefaultPrefix):
			t.Errorf("%s has the default prefix", f.GetName())
		case strings.HasPrefix(f.GetName(), "shop_"):
			found++
		}
	}
	if want := strings.Count(strings.TrimSpace(table), "\n") + 1; found != want {
		t.Errorf("%d metrics have the prefix, want %d", found, want)
	}
	if got := value(t, m, "shop_build_info", "version", "unknown"); got != 1 {
		t.Errorf("shop_build_info{version=unknown} = %v", got)
	}
}

// value is the value of a counter or gauge, or the count of a histogram; 0
// where there is no such series.
func value(t *testing.T, m *Metrics, name string, labels ...string) (v float64) {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, s := range f.GetMetric() {
			if f.GetName() == name && has(s, labels) {
				v += s.GetCounter().GetValue() + s.GetGauge().GetValue() + float64(s.GetHistogram().GetSampleCount())
			}
		}
	}
	return v
}

func has(s *dto.Metric, labels []string) bool {
	for i := 0; i < len(labels); i += 2 {
		if !slices.ContainsFunc(s.GetLabel(), func(l *dto.LabelPair) bool {
			return l.GetName() == labels[i] && l.GetValue() == labels[i+1]
		}) {
			return false
		}
	}
	return true
}
