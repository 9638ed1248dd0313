package main

import (
	"testing"
	"time"

	"github.com/mcp-sd/mcp-sd/discovery"
)

// What systemctl status says of the daemon.
func TestStatusLine(t *testing.T) {
	heard := discovery.SourceView{Name: "racks", Up: true, Listed: time.Unix(1, 0)}
	silent := discovery.SourceView{Name: "consul"}
	down := discovery.SourceView{Name: "ec2", Listed: time.Unix(1, 0)}
	tallies := []discovery.Tally{
		{Source: "racks", Standing: map[discovery.Standing]int{discovery.Published: 7, discovery.Pending: 1}},
		{Source: "ec2", Standing: map[discovery.Standing]int{discovery.Published: 5, discovery.Held: 2}},
	}
	for want, v := range map[string]*discovery.View{
		"loading the published targets": nil,
		"0 published":                   {Sources: []discovery.SourceView{heard}},
		"0 published; waiting for the first answer of consul": {
			Sources: []discovery.SourceView{heard, silent},
		},
		"12 published, 1 pending, 2 held; failing, their last good targets are kept: ec2": {
			Sources: []discovery.SourceView{heard, down}, Tallies: tallies,
		},
	} {
		if got := statusLine(v); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
