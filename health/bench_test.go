package health

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// twentyKB is a page as an instrumented server has it.
func twentyKB() string {
	var b strings.Builder
	b.WriteString("# TYPE target_info gauge\ntarget_info{service_name=\"mcp\",service_version=\"1.2.3\"} 1\n")
	for i := 0; b.Len() < 20<<10; i++ {
		fmt.Fprintf(&b, "# HELP mcp_tool_calls_%d_total Calls of a tool.\n# TYPE mcp_tool_calls_%d_total counter\n", i, i)
		for _, tool := range []string{"search", "fetch", "list"} {
			fmt.Fprintf(&b, "mcp_tool_calls_%d_total{tool=%q,outcome=\"ok\"} %d\n", i, tool, i)
		}
	}
	return b.String()
}

func BenchmarkProbe(b *testing.B) {
	page := twentyKB()
	zipped := gzipBytes(page)
	for name, answer := range map[string]http.HandlerFunc{"plain": say(text004, page), "gzip": raw("gzip", zipped)} {
		b.Run(name, func(b *testing.B) {
			k, p := serve(b, answer), NewHTTPProber(BodyMemory)
			c := Check{Key: k, Spec: spec(b, nil)}
			b.ReportAllocs()
			for b.Loop() {
				if r := p.Probe(b.Context(), c); r.Version != "1.2.3" {
					b.Fatal(r)
				}
			}
		})
	}
}

// BenchmarkBomb is the worst page that is known: lines that say nothing, up to
// the limit of a body.
func BenchmarkBomb(b *testing.B) {
	k, p := serve(b, raw("gzip", gzipBytes(strings.Repeat("#\n", 16<<20)))), NewHTTPProber(BodyMemory)
	c := Check{Key: k, Spec: spec(b, nil)}
	for b.Loop() {
		if r := p.Probe(b.Context(), c); r.Class != ClassTooLarge {
			b.Fatal(r)
		}
	}
}

func BenchmarkReadText(b *testing.B) {
	page := twentyKB()
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	w := &window{buf: make([]byte, windowSize)}
	for b.Loop() {
		w.reset(strings.NewReader(page))
		if samples, err := readText(w, false, newFinds(nil)); !samples || err != nil {
			b.Fatal(samples, err)
		}
	}
}

// instant is a prober that costs nothing.
type instant struct{}

func (instant) Probe(_ context.Context, c Check) Result { return Result{Key: c.Key} }

// One sweep over so many targets.
func BenchmarkSweep(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := NewSweeper(instant{}, 256, NewMetrics(prometheus.NewRegistry()))
			set := checks(n, spec(b, nil), Steady)
			b.ReportAllocs()
			for b.Loop() {
				if got := s.Once(b.Context(), set); len(got) != n {
					b.Fatal(len(got))
				}
			}
		})
	}
}

// A set that is as it was, one with one more target, and all of a new one.
func BenchmarkReplace(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		set := checks(n+1, spec(b, nil), Steady)
		now := time.Now()
		b.Run(fmt.Sprintf("same/%d", n), func(b *testing.B) {
			q := newSchedule()
			q.replace(set, now)
			again := append([]Check(nil), set...)
			b.ReportAllocs()
			for b.Loop() {
				q.replace(again, now)
			}
		})
		b.Run(fmt.Sprintf("one/%d", n), func(b *testing.B) {
			q := newSchedule()
			without := append(append([]Check(nil), set[:n/2]...), set[n/2+1:]...)
			b.ReportAllocs()
			for b.Loop() {
				q.replace(set, now)
				q.replace(without, now)
			}
		})
		b.Run(fmt.Sprintf("all/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				newSchedule().replace(set, now)
			}
		})
	}
}

func BenchmarkFold(b *testing.B) {
	l := &Ledger{}
	set := checks(100_000, nil, Steady)
	now := time.Now()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		l.Fold(Result{Key: set[i%len(set)].Key, At: now, Version: "1"}, 2, 3, now)
		i++
	}
}
