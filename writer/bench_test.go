package writer

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// fleet makes n targets in sets label sets, sorted by key.
func fleet(n, sets int) []target.Target {
	shared := make([]target.Labels, sets)
	for i := range shared {
		shared[i] = labels.FromStrings(
			target.SourceLabel, "racks", target.HealthLabel, "up", target.StateLabel, "published", target.VersionSourceLabel, "source",
			"environment", "production", "region", fmt.Sprintf("eu-west-%d", i%4), "version", fmt.Sprintf("v2.%d", i), "team", "infra",
		)
	}
	ts := make([]target.Target, n)
	for i := range ts {
		l := shared[i%sets]
		k := target.Key{Scheme: "http", Address: fmt.Sprintf("10.%03d.%03d.%03d:3000", i>>16, i>>8&255, i&255), Path: "/metrics"}
		ts[i] = target.Target{Key: k, Source: "racks", Labels: l}
	}
	return ts
}

var sizes = []int{1_000, 10_000, 100_000}

func eachSize(b *testing.B, run func(b *testing.B, ts []target.Target)) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("targets=%d/sets=100", n), func(b *testing.B) { run(b, fleet(n, 100)) })
		b.Run(fmt.Sprintf("targets=%d/sets=all", n), func(b *testing.B) { run(b, fleet(n, n)) })
	}
}

func BenchmarkRender(b *testing.B) {
	eachSize(b, func(b *testing.B, ts []target.Target) {
		b.ReportAllocs()
		for b.Loop() {
			body, err := Render(ts)
			ok(b, err)
			b.SetBytes(int64(len(body)))
		}
	})
}

func BenchmarkParse(b *testing.B) {
	eachSize(b, func(b *testing.B, ts []target.Target) {
		body, err := Render(ts)
		ok(b, err)
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			_, err := Parse(body)
			ok(b, err)
		}
	})
}

// BenchmarkPublishOne is a pass in which one target of all has changed: it
// assigns, renders, stages, syncs, parses back and renames.
func BenchmarkPublishOne(b *testing.B) {
	eachSize(b, func(b *testing.B, ts []target.Target) {
		w := newBench(b)
		w.open(w.out("mcp-{environment}.json", interval(0)))
		w.publish(ts...)
		want := refs(ts)
		version := 0
		b.ReportAllocs()
		for b.Loop() {
			version++
			t := *want[len(want)/2]
			t.Labels = labels.NewBuilder(t.Labels).Set("version", fmt.Sprint(version)).Labels()
			want[len(want)/2] = &t
			w.clock.step(time.Second)
			p, err := w.Publish(context.Background(), want)
			ok(b, err)
			same(b, "files written", len(p.Written), 1)
		}
	})
}

// BenchmarkPublishNone is a pass in which nothing has changed.
func BenchmarkPublishNone(b *testing.B) {
	eachSize(b, func(b *testing.B, ts []target.Target) {
		w := newBench(b)
		w.open(w.out("mcp-{environment}.json"))
		w.publish(ts...)
		want := refs(ts)
		b.ReportAllocs()
		for b.Loop() {
			p, err := w.Publish(context.Background(), want)
			if err != nil || len(p.Written) > 0 {
				b.Fatal(p, err)
			}
		}
	})
}
