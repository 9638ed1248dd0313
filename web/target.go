package web

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/discovery"
)

// targetPage is what explain says of one address.
type targetPage struct {
	discovery.Explanation
	Now   time.Time
	Cards []targetCard
	Busy  string // why nothing can be said now
}

// targetCard is one target at the address.
type targetCard struct {
	discovery.TargetExplained
	Probes   []probeRow // the newest first
	Listings []listingRow
}

type probeRow struct {
	At     time.Time
	Took   time.Duration
	Class  string
	Detail string
}

// listingRow is one part that lists the target, and what relabelling made of it.
type listingRow struct {
	Source, Part string
	Changes      []change
}

// change is one label before and after relabelling.
type change struct {
	Name, Before, After string
	Kind                string // kept, changed, added, removed
}

func (p *pages) targetPage(ctx context.Context, address string) (*targetPage, int) {
	page := &targetPage{Now: p.Now(), Explanation: discovery.Explanation{Address: address}}
	if p.Views.View() == nil {
		page.Busy = errNotLoaded.Error()
		return page, http.StatusServiceUnavailable
	}
	x, err := p.Views.Explain(ctx, address)
	if err != nil {
		page.Busy = errBusy.Error()
		return page, http.StatusServiceUnavailable
	}
	page.Explanation = x
	for _, t := range x.Targets {
		page.Cards = append(page.Cards, card(t))
	}
	if page.Unknown() {
		return page, http.StatusNotFound
	}
	return page, http.StatusOK
}

// Unknown reports whether nothing at all is known of the address.
func (p *targetPage) Unknown() bool {
	return p.Busy == "" && len(p.Targets)+len(p.Dropped)+len(p.Removed) == 0
}

func card(t discovery.TargetExplained) targetCard {
	c := targetCard{TargetExplained: t}
	for i := len(t.Probes) - 1; i >= 0; i-- {
		pr := t.Probes[i]
		c.Probes = append(c.Probes, probeRow{At: pr.At, Took: pr.Took, Class: pr.Class.String(), Detail: pr.Detail})
	}
	for _, l := range t.ListedBy {
		c.Listings = append(c.Listings, listingRow{l.Source, l.Part, changes(l.Before, l.After)})
	}
	return c
}

// changes compares two sets of labels, by name.
func changes(before, after labels.Labels) []change {
	var all []change
	a, b := pairs(before), pairs(after)
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Name < b[0].Name:
			all = append(all, change{a[0].Name, a[0].Value, "", "removed"})
			a = a[1:]
		case len(a) == 0 || b[0].Name < a[0].Name:
			all = append(all, change{b[0].Name, "", b[0].Value, "added"})
			b = b[1:]
		default:
			kind := "kept"
			if a[0].Value != b[0].Value {
				kind = "changed"
			}
			all = append(all, change{a[0].Name, a[0].Value, b[0].Value, kind})
			a, b = a[1:], b[1:]
		}
	}
	return all
}
