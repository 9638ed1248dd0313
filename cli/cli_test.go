package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

func TestSummary(t *testing.T) {
	notes := []discovery.Note{{
		Target: target.Key{Scheme: "http", Address: "10.0.0.9:80", Path: "/metrics"}, Source: "racks",
		Standing: "pending", Verdict: health.Down, Rule: discovery.RuleAwaitSuccess, Probe: "refused: connection refused",
	}}
	r := &discovery.Report{
		Plan: &discovery.Plan{Want: make([]*target.Target, 7)},
		View: &discovery.View{
			Sources: []discovery.SourceView{{Name: "racks", Type: "static", Up: true}},
			Tallies: []discovery.Tally{{Source: "racks", Standing: map[discovery.Standing]int{discovery.Published: 7, discovery.Pending: 1}}},
		},
		Failed:  []discovery.PartFailure{{Source: "consul", Part: "dc1/mcp", Err: errors.New("no cluster leader")}},
		Notable: notes, Outcome: discovery.Outcome{Written: []string{"/out/mcp.json"}},
		Added: 3, Held: 2, Err: errors.New("disk full"),
	}
	var b bytes.Buffer
	Summary(&b, r)
	for _, want := range []string{
		"7 targets published: 3 added, 0 removed, 0 relabelled, 2 held",
		"racks   static  yes  7          1",
		"source consul, dc1/mcp failed, its last good targets were kept: no cluster leader",
		"http://10.0.0.9:80/metrics  pending  down    waits for its first successful probe; last probe: refused: connection refused",
		"wrote /out/mcp.json",
		"not everything could be written: disk full",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the summary lacks %q:\n%s", want, b.String())
		}
	}
	for range mostNotable {
		r.Notable = append(r.Notable, notes[0])
	}
	b.Reset()
	Summary(&b, r)
	if !strings.Contains(b.String(), "and 1 more\n") || strings.Count(b.String(), "10.0.0.9") != mostNotable {
		t.Errorf("a long list is not bounded:\n%s", b.String())
	}
}

// Nobody is shown progress who is not looking at a terminal.
func TestProgressElsewhere(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(&b)
	p.Show(discovery.Progress{Step: "probing", Done: 1, Total: 2})
	p.Clear()
	if b.Len() > 0 {
		t.Errorf("it wrote %q", b.String())
	}
}
