package discovery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/promslog"

	"github.com/mcp-sd/mcp-sd/target"
)

// Contract §10: sources and targets by state, each target in one state, and a
// series of its own for those that are lingering or held.
func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	w := newWorld(t, "a")
	src := w.state.Source("a")
	m.start([]SourceSetup{{Name: "a", Type: "test"}})
	w.settle("a", one, two, three)
	w.list("a", two, three)
	w.down(two)
	w.step()
	m.step(w.plan)
	m.listing(Arrival{Listing: target.Listing{Source: "a", Parts: []target.Part{
		{Name: "p", Err: errTest},
		{Name: "q", Err: fmt.Errorf("asking: %w", reasonedError{})},
		{Name: "r", Err: fmt.Errorf("asking: %w", context.DeadlineExceeded)},
	}}}, src)
	expectMetrics(t, reg, `
		mcp_sd_source_up{source="a",type="test"} 0
		mcp_sd_source_refreshes_total{outcome="failure",source="a",type="test"} 1
		mcp_sd_source_refreshes_total{outcome="success",source="a",type="test"} 0
		mcp_sd_source_failures_total{reason="other",source="a",type="test"} 1
		mcp_sd_source_failures_total{reason="throttled",source="a",type="test"} 1
		mcp_sd_source_failures_total{reason="timeout",source="a",type="test"} 1
		mcp_sd_targets{source="a",state="dropped"} 0
		mcp_sd_targets{source="a",state="held"} 0
		mcp_sd_targets{source="a",state="lingering"} 1
		mcp_sd_targets{source="a",state="pending"} 0
		mcp_sd_targets{source="a",state="published"} 2
		mcp_sd_target_health{health="down",source="a"} 1
		mcp_sd_target_health{health="up",source="a"} 2
		mcp_sd_target_state{source="a",state="lingering",target="10.0.0.1:80"} 1
	`)
	w.list("a", one, two, three)
	w.step()
	m.step(w.plan)
	if n := testutil.CollectAndCount(m.state); n != 0 {
		t.Errorf("%d series of mcp_sd_target_state are left for a target that is listed again", n)
	}
	m.forget([]SourceSetup{{Name: "a", Type: "test"}}, nil)
	for name, c := range map[string]prometheus.Collector{"up": m.up, "refreshes": m.refreshes, "failures": m.failures, "targets": m.targets, "health": m.health} {
		if n := testutil.CollectAndCount(c); n != 0 {
			t.Errorf("%d series of %s are left after the source was taken out", n, name)
		}
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
}

type reasonedError struct{}

func (reasonedError) Error() string  { return "too fast" }
func (reasonedError) Reason() string { return "throttled" }

// expectMetrics checks that each line is among the gathered samples.
func expectMetrics(t *testing.T, reg *prometheus.Registry, lines string) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			t.Fatal(err)
		}
	}
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line != "" && !strings.Contains(b.String(), line+"\n") {
			t.Errorf("the metrics lack %s\n%s", line, b.String())
		}
	}
}

// The log says that a source fails when it begins to, not at every listing.
func TestLogOncePerFailure(t *testing.T) {
	var b strings.Builder
	r := newReporter(promslog.New(&promslog.Config{Writer: &b}))
	src := &Source{Name: "a"}
	bad := Arrival{Listing: target.Listing{Source: "a", Parts: []target.Part{{Name: "p", Err: errTest}}}}
	good := Arrival{Listing: target.Listing{Source: "a", Parts: []target.Part{{Name: "p"}}}}
	for range 100 {
		r.listing(src, bad)
	}
	if n := strings.Count(b.String(), "\n"); n != 1 {
		t.Errorf("%d lines about one failure:\n%s", n, b.String())
	}
	r.listing(src, good)
	r.listing(src, good)
	if n := strings.Count(b.String(), "answers again"); n != 1 {
		t.Errorf("%d lines about one recovery:\n%s", n, b.String())
	}
}

// What differs from try to try is the same failure all the same: the port that a
// connection came from, the server of several that was asked. Parts that fail
// alike share a line.
func TestLogKnowsFailuresAgain(t *testing.T) {
	var b strings.Builder
	r := newReporter(promslog.New(&promslog.Config{Writer: &b}))
	src := &Source{Name: "a"}
	arrive := func(format string, varies ...any) {
		l := target.Listing{Source: "a"}
		for _, name := range []string{"x", "y", "z"} {
			p := target.Part{Name: "dc1/" + name}
			if format != "" {
				p.Err = fmt.Errorf("listing %q: "+format, append([]any{name}, varies...)...)
			}
			l.Parts = append(l.Parts, p)
		}
		r.listing(src, Arrival{Listing: l})
	}
	for i := range 100 {
		arrive("read tcp 127.0.0.1:%d->127.0.0.1:8500: connection reset", 40000+i)
		arrive("asking consul-%d: refused", i%3)
		arrive("503 for %dms, RequestID: 0a1b2c3d-0000-4000-8000-%012d", i, i)
	}
	if n := strings.Count(b.String(), "\n"); n != 5 || strings.Count(b.String(), `part=dc1/x parts=3 others="dc1/y dc1/z"`) != n {
		t.Errorf("%d lines about five kinds of failures:\n%s", n, b.String())
	}
	for i := range 100 {
		arrive("%s", strings.Repeat("x", i))
	}
	arrive("")
	if n := strings.Count(b.String(), "\n"); n != kindsTold+1 || !strings.HasSuffix(b.String(), "msg=\"a source answers again\" from=a part=dc1/x parts=3 others=\"dc1/y dc1/z\"\n") {
		t.Errorf("%d lines about one outage:\n%s", n, b.String())
	}
	arrive("refused")
	if !strings.HasSuffix(b.String(), "refused\"\n") {
		t.Errorf("the next outage is not told of:\n%s", b.String())
	}
}

// Every held target is named once, and so is its release.
func TestLogNamesHeldOnce(t *testing.T) {
	var b strings.Builder
	r := newReporter(promslog.New(&promslog.Config{Writer: &b}))
	w := newWorld(t, "a")
	w.settle("a", one)
	w.list("a")
	w.down(one)
	for range 3 {
		w.step()
		r.step(w.plan, nil, Outcome{}, nil)
	}
	w.list("a", one)
	w.step()
	r.step(w.plan, nil, Outcome{}, nil)
	if n := strings.Count(b.String(), "the guard holds a target: "); n != 1 {
		t.Errorf("held is logged %d times:\n%s", n, b.String())
	}
	if n := strings.Count(b.String(), "no longer"); n != 1 {
		t.Errorf("released is logged %d times:\n%s", n, b.String())
	}
}

// A write of other files is no sign that the one works again that waits to be
// tried.
func TestWritingIsOverWhenNothingFails(t *testing.T) {
	var b strings.Builder
	r := newReporter(promslog.New(&promslog.Config{Writer: &b}))
	full := errors.New("disk full")
	for _, out := range []struct {
		failing, err error
		want         string
	}{
		{full, full, "could not write"},
		{full, nil, ""},
		{full, full, ""},
		{nil, nil, "writing works again"},
	} {
		b.Reset()
		r.step(&Plan{}, nil, Outcome{Failing: out.failing}, out.err)
		if got := b.String(); out.want == "" && got != "" || !strings.Contains(got, out.want) {
			t.Errorf("after %v and %v: %q, want %q", out.failing, out.err, got, out.want)
		}
	}
}
