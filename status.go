package main

import (
	"fmt"
	"strings"

	"github.com/mcp-sd/mcp-sd/discovery"
)

// beat tells the service manager that the engine's loop turns, and what it does.
func (a *app) beat(v *discovery.View) {
	a.notify.Beat(ready(v) == nil, func() string { return statusLine(v) })
}

// statusLine is what systemctl status shows: the fleet, and whatever is amiss.
func statusLine(v *discovery.View) string {
	if v == nil {
		return "loading the published targets"
	}
	var waiting, failed []string
	for _, s := range v.Sources {
		switch {
		case s.Listed.IsZero():
			waiting = append(waiting, s.Name)
		case !s.Up:
			failed = append(failed, s.Name)
		}
	}
	line := fleet(v.Tallies)
	if len(waiting) > 0 {
		line += "; waiting for the first answer of " + strings.Join(waiting, ", ")
	}
	if len(failed) > 0 {
		line += "; failing, their last good targets are kept: " + strings.Join(failed, ", ")
	}
	return line
}

// fleet counts the targets of all sources by their states.
func fleet(tallies []discovery.Tally) string {
	states := []discovery.Standing{discovery.Published, discovery.Pending, discovery.Lingering, discovery.Held, discovery.Dropped}
	var counts []string
	for _, s := range states {
		n := 0
		for _, t := range tallies {
			n += t.Standing[s]
		}
		if n > 0 || s == discovery.Published {
			counts = append(counts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(counts, ", ")
}
