package relabel

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

func part(raws ...target.Raw) target.Part { return target.Part{Name: "p", Raw: raws} }

func urls(ts []*target.Target) string {
	var all []string
	for _, t := range ts {
		all = append(all, strings.TrimSuffix(t.URL(), "/metrics")+t.Identity)
	}
	return strings.Join(all, " ")
}

// TestTargetsAreSorted: the order of the listing does not matter, and what is
// listed twice, word for word, is one target.
func TestTargetsAreSorted(t *testing.T) {
	a, b, c := raw("10.0.0.1:80"), raw("10.0.0.2:80", "x", "1"), raw("10.0.0.2:80", "x", "2")
	d := raw("10.0.0.2:80", "x", "0")
	d.Identity = "/i-1"
	const want = "http://10.0.0.1:80 http://10.0.0.2:80 http://10.0.0.2:80 http://10.0.0.2:80/i-1"
	f := newFixture(Options{})
	for _, raws := range [][]target.Raw{{a, b, c, d}, {d, c, b, a}, {c, a, d, a, b, b}} {
		got, rej := f.Targets(part(raws...))
		if urls(got) != want || got[1].Labels.Get("x") != "1" || len(rej) != 0 {
			t.Errorf("got %s, want %s; %v", urls(got), want, rej)
		}
		fresh, _ := newFixture(Options{}).Targets(part(raws...))
		if !slices.EqualFunc(got, fresh, func(a, b *target.Target) bool { return a.Equal(*b) }) {
			t.Errorf("with a memory %s, without %s", urls(got), urls(fresh))
		}
	}
}

// TestMemory: unchanged, failed and forgotten parts.
func TestMemory(t *testing.T) {
	f := newFixture(Options{})
	bad := raw("nowhere")
	first, rej := f.Targets(part(raw("a:1"), raw("b:1"), bad))
	if urls(first) != "http://a:1 http://b:1" || len(rej) != 1 {
		t.Fatalf("%s, %v", urls(first), rej)
	}
	same, rej := f.Targets(target.Part{Name: "p", Unchanged: true})
	if urls(same) != urls(first) || len(rej) != 1 {
		t.Errorf("unchanged: %s, %v", urls(same), rej)
	}
	if none, rej := f.Targets(target.Part{Name: "p", Err: errors.New("x")}); none != nil || rej != nil {
		t.Errorf("failed: %s, %v", urls(none), rej)
	}
	changed, rej := f.Targets(part(raw("c:1"), raw("b:1")))
	if urls(changed) != "http://b:1 http://c:1" || len(rej) != 0 || urls(first) != "http://a:1 http://b:1" {
		t.Errorf("changed: %s, %v; what was given out before: %s", urls(changed), rej, urls(first))
	}
	if got := len(f.parts["p"].byRaw); got != 2 {
		t.Errorf("%d instances are remembered of 2 that are listed", got)
	}
	if none, _ := f.Targets(part()); len(none) != 0 {
		t.Errorf("empty: %s", urls(none))
	}
	f.Forget("p")
	if len(f.parts) != 0 {
		t.Error("a part that was forgotten is remembered")
	}
}

// TestUnchangedIsNotRelabelled: the very same results come back.
func TestUnchangedIsNotRelabelled(t *testing.T) {
	f := newFixture(Options{})
	raws := many(1000)
	raws = append(raws, raws[0]) // a second time, word for word
	first, _ := f.Targets(part(raws...))
	again, _ := f.Targets(part(raws...))
	if &first[0] != &again[0] {
		t.Error("the results were built anew")
	}
	if n := testing.AllocsPerRun(10, func() { f.Targets(part(raws...)) }); n > 1 {
		t.Errorf("an unchanged part costs %g allocations", n)
	}
}

// TestKeysAreUnambiguous: instances that differ only in where one string ends
// and the next begins are different instances.
func TestKeysAreUnambiguous(t *testing.T) {
	a := target.Raw{Identity: "i", Labels: labels.FromStrings(target.AddressLabel, "a:1", "ab", "c")}
	b := target.Raw{Identity: "i", Labels: labels.FromStrings(target.AddressLabel, "a:1", "a", "bc")}
	c := target.Raw{Identity: "i\x00", Labels: a.Labels}
	got, _ := newFixture(Options{}).Targets(part(a, b, c))
	if len(got) != 3 {
		t.Errorf("%d targets of 3 instances", len(got))
	}
}

// Contract §7, §10: a rejection is counted, and logged, once when it appears.
func TestRejectionsAreReportedOnce(t *testing.T) {
	f := newFixture(Options{Configs: rules(t, `[{action: drop, source_labels: [x], regex: unwanted}]`)})
	bad, label, unwanted := raw("nowhere"), raw("a:1", "job", "x"), raw("b:1", "x", "unwanted")
	for range 3 {
		_, rej := f.Targets(part(bad, label, unwanted))
		if len(rej) != 3 {
			t.Errorf("the rejections are incomplete: %v", rej)
		}
	}
	// Another detail of the same rejection, and another instance beside it.
	f.Targets(part(bad, raw("a:1", "job", "y"), raw("c:1"), unwanted))
	if f.counted(BadAddress) != 1 || f.counted(ReservedLabel) != 1 || f.counted(Dropped) != 0 || f.lines() != 2 {
		t.Errorf("counted %g, %g, %g\n%s", f.counted(BadAddress), f.counted(ReservedLabel), f.counted(Dropped), f.log)
	}
	// Gone, and back again.
	f.Targets(part(label))
	f.Targets(part(bad, label))
	if f.counted(BadAddress) != 2 || f.lines() != 3 {
		t.Errorf("counted %g\n%s", f.counted(BadAddress), f.log)
	}
	// What the mechanism itself left out.
	own := target.Part{Name: "p", Raw: []target.Raw{bad, label}, Rejected: []target.Rejection{{Address: "x", Reason: "no_port"}}}
	for range 2 {
		if _, rej := f.Targets(own); len(rej) != 3 {
			t.Errorf("the part's own rejections are missing: %v", rej)
		}
	}
	if f.counted("no_port") != 1 {
		t.Errorf("counted %g", f.counted("no_port"))
	}
}

// Two instances that share a bad address are one rejection.
func TestRejectionsOfOneAddress(t *testing.T) {
	f := newFixture(Options{})
	if _, rej := f.Targets(part(raw("nowhere", "x", "1"), raw("nowhere", "x", "2"))); len(rej) != 2 || f.counted(BadAddress) != 1 || f.lines() != 1 {
		t.Errorf("%d rejections, counted %g\n%s", len(rej), f.counted(BadAddress), f.log)
	}
}

// TestLogNamesEveryRejectionOnce: a fleet with one mistake does not fill the
// disk, and yet every target can be found in the log.
func TestLogNamesEveryRejectionOnce(t *testing.T) {
	f := newFixture(Options{})
	var raws []target.Raw
	for i := range 1000 {
		raws = append(raws, raw(fmt.Sprintf("10.0.%d.%d:80", i/250, i%250), "job", "x"))
	}
	for range 3 {
		f.Targets(part(raws...))
	}
	if want := logged + (1000-logged+inALine-1)/inALine; f.counted(ReservedLabel) != 1000 || f.lines() != want {
		t.Errorf("counted %g, %d lines, want %d", f.counted(ReservedLabel), f.lines(), want)
	}
	for i := range 1000 {
		if address := fmt.Sprintf("10.0.%d.%d:80", i/250, i%250); strings.Count(f.log.String(), address) != 1 {
			t.Errorf("%s is named %d times", address, strings.Count(f.log.String(), address))
		}
	}
}

// TestRecall: what was left out before a restart is not counted again, nor a warning;
// what is new, of the mechanism or of hygiene, is both.
func TestRecall(t *testing.T) {
	f := newFixture(Options{})
	before := part(raw("no address"), raw("a:1"))
	before.Rejected = []target.Rejection{{Address: "x", Reason: "url_template"}}
	f.Recall(before)
	again := part(raw("no address"), raw("a:1"))
	again.Rejected = before.Rejected
	if got, rej := f.Targets(again); len(got) != 1 || len(rej) != 2 {
		t.Errorf("%v, %v", got, rej)
	}
	if f.counted(BadAddress) != 0 || f.counted("url_template") != 0 || strings.Contains(f.log.String(), "WARN") || f.lines() != 2 {
		t.Errorf("counted %g and %g, and logged\n%s", f.counted(BadAddress), f.counted("url_template"), f.log)
	}
	more := part(raw("no address"), raw("a:1"), raw("nor this"))
	more.Rejected = append(again.Rejected, target.Rejection{Address: "y", Reason: "url_template"})
	f.Targets(more)
	if f.counted(BadAddress) != 1 || f.counted("url_template") != 1 || strings.Count(f.log.String(), "WARN") != 2 {
		t.Errorf("counted %g and %g, and logged\n%s", f.counted(BadAddress), f.counted("url_template"), f.log)
	}
}

// TestMetricsStartAtZero, so that rate() sees the first rejection.
func TestMetricsStartAtZero(t *testing.T) {
	f := newFixture(Options{})
	got, err := f.reg.Gather()
	if err != nil || len(got) != 1 || got[0].GetName() != "mcp_sd_rejected_total" || len(got[0].GetMetric()) != 5 {
		t.Errorf("%v, %v", got, err)
	}
}

func many(n int) []target.Raw {
	raws := make([]target.Raw, n)
	for i := range raws {
		raws[i] = raw(fmt.Sprintf("10.%d.%d.%d:3000", i>>16, i>>8&255, i&255),
			"environment", "production", "region", "us-east-1", "version", "v1.2.3",
			"__meta_consul_service", "mcp-server", "__meta_consul_dc", "us-east-1", "__meta_consul_node", fmt.Sprintf("node-%d", i),
			"__meta_consul_tags", ",mcp,production,", "__meta_consul_health", "passing")
		raws[i].Identity = fmt.Sprintf("node-%d/mcp", i)
	}
	return raws
}

const twoRules = `
- {source_labels: [__meta_consul_node], regex: "node-(.*)", target_label: node}
- {action: labelmap, regex: "__meta_consul_(dc|service)"}
`

// BenchmarkTargets shows what a pass costs: nothing listed changed, one
// instance changed, and everything is new.
func BenchmarkTargets(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		raws := many(n)
		o := Options{Configs: rules(b, twoRules), Labels: map[string]string{"team": "mcp"}}
		b.Run(fmt.Sprintf("unchanged/%d", n), func(b *testing.B) {
			f := newFixture(o)
			f.Targets(part(raws...))
			b.ReportAllocs()
			for b.Loop() {
				f.Targets(part(raws...))
			}
		})
		b.Run(fmt.Sprintf("one_changed/%d", n), func(b *testing.B) {
			f := newFixture(o)
			f.Targets(part(raws...))
			mine := slices.Clone(raws)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				mine[n/2] = raw("10.255.0.1:80", "version", fmt.Sprint(i))
				f.Targets(part(mine...))
			}
		})
		b.Run(fmt.Sprintf("new/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				newFixture(o).Targets(part(raws...))
			}
		})
	}
}
