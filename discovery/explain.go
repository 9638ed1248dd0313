package discovery

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// TargetView is one target as readers see it.
type TargetView struct {
	URL      string         `json:"url"`
	Address  string         `json:"address"`
	Source   string         `json:"source"`
	State    Standing       `json:"state"`
	Health   health.Verdict `json:"health"`
	Rule     Rule           `json:"rule"`
	Since    time.Time      `json:"since,omitzero"` // of the state where it waits for something
	Labels   labels.Labels  `json:"labels"`         // as published, or as they would be
	LastFail string         `json:"last_error,omitempty"`
	MCP      *MCPView       `json:"mcp,omitempty"` // nil: its source does not ask

	HealthSince  time.Time `json:"health_since,omitzero"`
	LastProbe    time.Time `json:"last_probe,omitzero"`
	ProbeSeconds float64   `json:"last_probe_duration_seconds,omitzero"`
}

// MCPView is what is known of a target as an MCP server.
type MCPView struct {
	Evidence  string    `json:"evidence,omitempty"` // declared, metrics, protocol; empty: none
	Name      string    `json:"server_name,omitempty"`
	Version   string    `json:"server_version,omitempty"`
	Protocol  string    `json:"protocol_version,omitempty"`
	Asked     time.Time `json:"last_asked,omitzero"`
	AskedNext time.Time `json:"next_asked,omitzero"` // at the first probe after this
	// LastFail says why the last question proved nothing, or what its answer left open.
	LastFail string `json:"last_error,omitempty"`
}

// Explanation is everything that is known about one address.
type Explanation struct {
	Address  string             `json:"address"`
	Targets  []TargetExplained  `json:"targets,omitempty"`
	Dropped  []target.Rejection `json:"dropped,omitempty"` // by relabel_configs or hygiene
	Removed  []Removal          `json:"removed,omitempty"` // within the last 7 days
	Nearest  []string           `json:"nearest,omitempty"` // where nothing is known of the address
	Awaiting []string           `json:"awaiting,omitempty"`
}

// TargetExplained is a target with where it comes from and what was seen of it.
type TargetExplained struct {
	TargetView
	ListedBy []ListedBy     `json:"listed_by,omitempty"`
	Probes   []health.Probe `json:"probes,omitempty"` // the last few, oldest first
	Files    []string       `json:"files,omitempty"`
}

// ListedBy is one part of a source that lists a target, with the instance's
// labels before and after relabelling.
type ListedBy struct {
	Source string        `json:"source"`
	Part   string        `json:"part"`
	Before labels.Labels `json:"before"`
	After  labels.Labels `json:"after"`
}

// Targets returns all targets by key.
func (e *Engine) Targets(ctx context.Context) (ts []TargetView, err error) {
	err = e.do(ctx, func() { ts = e.targets() })
	return ts, err
}

func (e *Engine) targets() []TargetView {
	plan := Decide(e.state, e.policy, e.Now())
	ts := make([]TargetView, 0, len(plan.Decisions))
	for i := range plan.Decisions {
		ts = append(ts, e.see(&plan.Decisions[i]))
	}
	return ts
}

// Recall takes over what the output files and the state say, and does nothing
// with it: for readers where no daemon runs.
func (e *Engine) Recall(s Setup) error { return e.begin(s) }

// TargetsOffline is Targets for an engine that only recalled.
func (e *Engine) TargetsOffline() []TargetView { return e.targets() }

// ExplainOffline is Explain for an engine that only recalled.
func (e *Engine) ExplainOffline(address string) Explanation { return e.explain(address) }

func (e *Engine) see(c *Decision) TargetView {
	r := c.Record
	known := e.state.Ledger.Peek(r.Key)
	probe := known.LastProbe()
	v := TargetView{
		URL: r.Key.URL(), Address: r.Key.Address, Source: c.owner.name,
		State: c.Standing, Health: c.Verdict, Rule: c.Rule,
		LastFail:    e.state.Ledger.LastFailure(r.Key),
		HealthSince: known.Since, LastProbe: probe.At, ProbeSeconds: probe.Took.Seconds(),
		MCP: c.seeMCP(),
	}
	for _, since := range []moment{r.HeldSince, r.MoveHeldSince, r.UnlistedSince, r.Dropped, r.PendingSince} {
		if !since.IsZero() {
			v.Since = since.Time()
			break
		}
	}
	switch {
	case c.Target != nil:
		v.Labels = c.Target.Labels
	case r.Listed != nil:
		v.Labels = r.Listed.Labels
	}
	return v
}

func (c *Decision) seeMCP() *MCPView {
	if c.owner.policy.MCP == nil {
		return nil
	}
	v := &MCPView{Evidence: mcpOf(c.known).evidence}
	if r := c.Record; v.Evidence == "" && r.Listed != nil {
		v.Evidence = r.Listed.Labels.Get(target.MCPLabel)
	}
	if k := c.known; k != nil {
		v.Name, v.Version, v.Protocol, v.Asked = k.Name, k.Version, k.Protocol, k.Asked
		v.LastFail = health.Failure(k.Class, k.Detail)
		if !k.Asked.IsZero() {
			v.AskedNext = k.Asked.Add(k.Keep)
		}
	}
	return v
}

// Explain tells why an address is published, or why not.
func (e *Engine) Explain(ctx context.Context, address string) (x Explanation, err error) {
	err = e.do(ctx, func() { x = e.explain(address) })
	return x, err
}

func (e *Engine) explain(asked string) Explanation {
	address := addressOf(asked)
	x := Explanation{Address: address, Awaiting: e.state.Waiting()}
	plan := Decide(e.state, e.policy, e.Now())
	for i := range plan.Decisions {
		if c := &plan.Decisions[i]; c.Record.Key.Address == address {
			x.Targets = append(x.Targets, e.explainTarget(c))
		}
	}
	for _, src := range e.state.Sources {
		for _, p := range src.Parts {
			for _, rej := range p.Rejected {
				if rej.Address == address {
					x.Dropped = append(x.Dropped, rej)
				}
			}
		}
	}
	for _, gone := range e.state.Journal {
		if gone.Target.Address == address {
			x.Removed = append(x.Removed, gone)
		}
	}
	if len(x.Targets)+len(x.Dropped)+len(x.Removed) == 0 {
		x.Nearest = e.state.nearest(address)
	}
	return x
}

func (e *Engine) explainTarget(c *Decision) TargetExplained {
	r := c.Record
	x := TargetExplained{TargetView: e.see(c), Probes: e.state.Ledger.Peek(r.Key).Last()}
	if c.Target != nil {
		x.Files = e.setup.Publisher.Files(*c.Target)
	}
	if r.Listed == nil {
		return x
	}
	for _, p := range r.By {
		x.ListedBy = append(x.ListedBy, e.listedBy(p, r.Key))
	}
	return x
}

// listedBy finds the instance of a part that became the target, by relabelling
// again those that may have.
func (e *Engine) listedBy(p *Part, key target.Key) ListedBy {
	l := ListedBy{Source: p.Source.Name, Part: p.Name}
	i := slices.IndexFunc(e.setup.Sources, func(s SourceSetup) bool { return s.Name == p.Source.Name })
	if i < 0 || e.setup.Sources[i].Explain == nil {
		return l
	}
	for _, raw := range p.Raw {
		before, after, t := e.setup.Sources[i].Explain(raw)
		if t.Key == key {
			l.Before, l.After = before, after
			return l
		}
	}
	return l
}
