package discovery

import (
	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// made says what a published target was composed of besides its Version, so that
// composing it again costs nothing while none of that changes.
type made struct {
	from  *target.Target // nil: of what is published
	stamp *stamp
}

// stamp is what is put on a target's labels beside its version. There are few.
type stamp struct {
	health health.Verdict
	state  Standing
	label  string // that the version goes by
	mcp    mcp
}

// mcp is what is told of a target as an MCP server; empty where there is nothing
// to tell beside what its labels have.
type mcp struct{ evidence, server, protocol string }

// How it is known that a target is an MCP server, in __meta_mcp_sd_mcp, besides
// that its source declares it.
const (
	byMetrics  = "metrics"
	byProtocol = "protocol"
)

func mcpOf(k *health.Known) mcp {
	switch {
	case k == nil:
		return mcp{}
	case k.Proved:
		return mcp{byProtocol, k.Name, k.Protocol}
	case k.Metrics:
		return mcp{evidence: byMetrics}
	}
	return mcp{}
}

func (m made) equal(o made) bool {
	return m.from == o.from && m.stamp != nil && o.stamp != nil && (m.stamp == o.stamp || *m.stamp == *o.stamp)
}

// press keeps few copies of what many targets share: stamps, and label sets.
// Its zero value is empty and ready.
type press struct {
	stamps map[stamp]*stamp
	labels map[stamped]target.Labels
}

type stamped struct {
	labels  target.Labels
	source  string
	version Version
	stamp   *stamp
}

// pressMost bounds what is remembered in order to be shared.
const pressMost = 10_000

func (p *press) stamp(s stamp) *stamp {
	if known := p.stamps[s]; known != nil {
		return known
	}
	if p.stamps == nil {
		p.stamps = map[stamp]*stamp{}
		p.labels = map[stamped]target.Labels{}
	}
	if len(p.stamps) >= pressMost { // servers of as many names
		clear(p.stamps)
		clear(p.labels)
	}
	kept := s // s itself must not move to the heap: mostly it is known
	p.stamps[s] = &kept
	return &kept
}

func (p *press) print(in stamped) target.Labels {
	if known, ok := p.labels[in]; ok {
		return known
	}
	if len(p.labels) >= pressMost {
		clear(p.labels)
	}
	l := compile(in)
	p.labels[in] = l
	return l
}

// version finds the target's version: the first of version.from that knows
// one. While an identity lives, a source that loses its value does not hand
// over to another spelling of the same version (contract §5).
func (d *decider) version(c *Decision) Version {
	r := c.Record
	for _, from := range d.policy.Version.From {
		v := Version{From: from}
		switch from {
		case FromSource:
			v.Value = r.Listed.Labels.Get(target.VersionName)
		case FromMetrics:
			v.Value = c.entry.Version
		case FromMCP:
			if c.known != nil {
				v.Value = c.known.Version
			}
		}
		if v.Value != "" {
			return v
		}
		if r.Version.From == from && r.Version.Value != "" {
			return r.Version
		}
	}
	return Version{}
}

// compose builds what is published for a target: its labels, its version, and
// mcp-sd's own __meta_ labels, which tell and never start a new series.
func (d *decider) compose(c *Decision) {
	if c.Standing == "" || c.Standing == Pending || c.Standing == Dropped {
		return
	}
	r := c.Record
	c.made = made{stamp: d.press.stamp(stamp{c.Verdict, c.Standing, d.policy.Version.Label, mcpOf(c.known)})}
	if r.Listed != nil && !c.frozen {
		c.made.from = r.Listed
	}
	if r.Published != nil && c.version == r.Version && c.made.equal(r.made) {
		c.Target = r.Published
		return
	}
	t := d.assemble(r, c.made, c.version)
	if r.Published != nil && r.Published.Equal(t) {
		c.Target = r.Published
		return
	}
	c.Target = &t
}

// assemble builds the target anew: from its listing, or from what is published
// where that is to stay as it is.
func (d *decider) assemble(r *Record, m made, v Version) target.Target {
	if m.from != nil {
		t := *m.from
		t.Labels = d.press.print(stamped{t.Labels, t.Source, v, m.stamp})
		return t
	}
	t := *r.Published
	t.Labels = m.stamp.on(labels.NewBuilder(t.Labels), t.Source).Labels()
	return t
}

// compile adds the version to a listed target's labels, under its own name.
func compile(in stamped) target.Labels {
	b := labels.NewBuilder(in.labels)
	b.Del(target.VersionName)
	name := in.stamp.label
	if name == "" {
		name = target.VersionLabel
	}
	if in.version.Value != "" {
		b.Set(name, in.version.Value)
		b.Set(target.VersionSourceLabel, in.version.From)
	}
	return in.stamp.on(b, in.source).Labels()
}

func (m *stamp) on(b *labels.Builder, source string) *labels.Builder {
	if source != "" {
		b.Set(target.SourceLabel, source)
	}
	b.Set(target.HealthLabel, string(m.health))
	b.Set(target.StateLabel, string(m.state))
	if m.mcp.evidence != "" {
		b.Set(target.MCPLabel, m.mcp.evidence)
		b.Set(target.MCPServerLabel, m.mcp.server) // an empty value is no label
		b.Set(target.MCPProtocolLabel, m.mcp.protocol)
	}
	return b
}
