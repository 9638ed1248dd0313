package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/mcp-sd/mcp-sd/discovery"
)

// SourceStatus is one source as /api/v1/sources shows it.
type SourceStatus struct {
	Name        string         `json:"name"`
	Type        string         `json:"type"`
	Up          bool           `json:"up"` // every part gave a good answer the last time
	LastAnswer  time.Time      `json:"last_answer,omitzero"`
	LastSuccess time.Time      `json:"last_success,omitzero"`
	Targets     map[string]int `json:"targets"` // by state
	Parts       []PartStatus   `json:"parts"`
}

// PartStatus is one part of a source as /api/v1/sources shows it.
type PartStatus struct {
	Name        string    `json:"name"`
	Targets     int       `json:"targets"`  // of the last good answer
	Rejected    int       `json:"rejected"` // instances and labels left out of it
	LastSuccess time.Time `json:"last_success,omitzero"`
	Error       string    `json:"error,omitempty"` // why the latest answer was none
}

var (
	errNotLoaded = errors.New("the published targets are being loaded")
	errBusy      = errors.New("the engine is busy, perhaps with a disk that does not answer; try again")
)

// apiTargets answers with the targets that the status page would show for the
// same query, all pages of them.
func (o Options) apiTargets(w http.ResponseWriter, r *http.Request) {
	f, err := parseFilter(r.URL.Query())
	if err != nil {
		reply(w, http.StatusBadRequest, Answer{Status: "error", Error: "match: " + err.Error()})
		return
	}
	inv := o.inventory(r.Context())
	if inv == nil {
		unavailable(w, o.Views.View())
		return
	}
	reply(w, http.StatusOK, Answer{Status: "success", Data: f.apply(inv.Targets)})
}

func unavailable(w http.ResponseWriter, v *discovery.View) {
	why := errBusy
	if v == nil {
		why = errNotLoaded
	}
	reply(w, http.StatusServiceUnavailable, Answer{Status: "error", Error: why.Error()})
}

func (o Options) inventory(ctx context.Context) *discovery.Inventory {
	if o.Views.View() == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, viewTimeout)
	defer cancel()
	return o.Views.Inventory(ctx)
}

func (o Options) apiSources(w http.ResponseWriter, _ *http.Request) {
	v := o.Views.View()
	if v == nil {
		unavailable(w, v)
		return
	}
	all := make([]SourceStatus, 0, len(v.Sources))
	for _, s := range v.Sources {
		all = append(all, sourceStatus(v, s))
	}
	reply(w, http.StatusOK, Answer{Status: "success", Data: all})
}

func sourceStatus(v *discovery.View, s discovery.SourceView) SourceStatus {
	st := SourceStatus{
		Name: s.Name, Type: s.Type, Up: s.Up, LastAnswer: s.Listed, LastSuccess: s.Succeeded,
		Targets: map[string]int{}, Parts: []PartStatus{},
	}
	for _, standing := range discovery.Standings {
		st.Targets[string(standing)] = tally(v, s.Name).Standing[standing]
	}
	for _, p := range s.Parts {
		part := PartStatus{Name: p.Name, Targets: p.Targets, Rejected: p.Rejected, LastSuccess: p.At}
		if p.Err != nil {
			part.Error = cmp.Or(p.Err.Error(), "failed")
		}
		st.Parts = append(st.Parts, part)
	}
	return st
}

func tally(v *discovery.View, source string) discovery.Tally {
	for _, t := range v.Tallies {
		if t.Source == source {
			return t
		}
	}
	return discovery.Tally{}
}
