package relabel

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"

	"github.com/mcp-sd/mcp-sd/target"
)

// rule is one of relabel_configs.
type rule struct {
	config *relabel.Config
	// guarded rules take a name from the data, see protected.
	guarded bool
}

// process takes one instance after another through all steps, in the order of
// contract §4: prepare, fill, relabel, hygiene.
type process struct {
	o        Options
	fill     []labels.Label
	rules    []rule
	b        *labels.Builder
	out      labels.ScratchBuilder
	meta     labels.ScratchBuilder
	address  string // of the instance at hand, as far as it is known
	rejected []target.Rejection
	declared bool // the instance at hand is declared to be an MCP server
	shared   map[target.Labels]target.Labels
}

// sharedMost bounds how many label sets are remembered in order to be shared.
const sharedMost = 10_000

// share returns one and the same copy of equal label sets: many targets have few.
func (p *process) share(l target.Labels) target.Labels {
	if known, ok := p.shared[l]; ok {
		return known
	}
	if len(p.shared) >= sharedMost {
		clear(p.shared) // sets of their own, as it seems: nothing to share
	}
	p.shared[l] = l
	return l
}

func newProcess(o Options) *process {
	if o.Scheme == "" {
		o.Scheme = target.DefaultScheme
	}
	if o.Path == "" {
		o.Path = target.DefaultPath
	}
	p := &process{
		o:    o,
		b:    labels.NewBuilder(labels.EmptyLabels()),
		out:  labels.NewScratchBuilder(16),
		meta: labels.NewScratchBuilder(16),

		shared: map[target.Labels]target.Labels{},
	}
	for _, name := range slices.Sorted(maps.Keys(o.Labels)) {
		if name != target.AddressLabel { // contract §7: a source's or a rule's word alone
			p.fill = append(p.fill, labels.Label{Name: name, Value: o.Labels[name]})
		}
	}
	for _, c := range o.Configs {
		own := *c // the scheme is set on a copy: configurations are shared
		if own.NameValidationScheme == model.UnsetValidation {
			own.NameValidationScheme = model.LegacyValidation
		}
		p.rules = append(p.rules, rule{config: &own, guarded: !o.Operator && dynamic(c)})
	}
	return p
}

// entry takes one instance through everything.
func (p *process) entry(raw target.Raw) *entry {
	p.begin(raw)
	e := &entry{raw: raw}
	if p.relabel() {
		e.target, e.ok = p.hygiene(raw.Identity)
	}
	if !e.ok {
		e.target = target.Target{Key: target.Key{Address: p.address}, Identity: raw.Identity}
	}
	e.rejected = slices.Clone(p.rejected)
	return e
}

// begin takes in what the source says, less what it may not say, and fills in
// what is missing. An empty value means unset, as everywhere in Prometheus.
func (p *process) begin(raw target.Raw) {
	p.rejected = p.rejected[:0]
	p.address = raw.Labels.Get(target.AddressLabel)
	p.b.Reset(raw.Labels)
	raw.Labels.Range(func(l labels.Label) {
		if l.Value != "" && !p.mayDiscover(l.Name) {
			p.b.Del(l.Name)
			p.reject(l.Name, ReservedLabel, "a source can't set it; labels and relabel_configs of the configuration can, within limits")
		}
	})
	for _, l := range p.fill {
		if p.b.Get(l.Name) == "" {
			p.b.Set(l.Name, l.Value)
		}
	}
	p.declared = false
	if p.o.MCP {
		p.b.Range(func(l labels.Label) { p.declared = p.declared || declares(l) })
	}
}

// mayDiscover says what a source itself may set (contract §7): discovered
// metadata no label beginning with __, nor job or instance; nobody mcp-sd's own.
func (p *process) mayDiscover(name string) bool {
	switch {
	case strings.HasPrefix(name, target.OwnMetaPrefix):
		return false
	case p.o.Operator, name == target.AddressLabel, strings.HasPrefix(name, target.MetaPrefix):
		return true
	}
	return !protected(name) && !strings.HasPrefix(name, "__")
}

// relabel runs the rules, and reports whether the target is kept.
func (p *process) relabel() bool {
	for i, r := range p.rules {
		run := p.plain
		if r.guarded {
			run = p.guarded
		}
		if !run(r.config) {
			p.address = p.b.Get(target.AddressLabel)
			p.reject("", Dropped, fmt.Sprintf("relabel_configs[%d] (action %s) dropped it", i, r.config.Action))
			return false
		}
	}
	return true
}

func (p *process) plain(c *relabel.Config) bool { return relabel.ProcessBuilder(p.b, c) }

// guarded runs a rule that takes a name from the data, and takes back what it
// did to protected labels.
func (p *process) guarded(c *relabel.Config) bool {
	before := p.protectedLabels()
	keep := relabel.ProcessBuilder(p.b, c)
	after := p.protectedLabels()
	names := slices.AppendSeq(slices.Collect(maps.Keys(before)), maps.Keys(after))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if before[name] != after[name] {
			p.restore(name, before[name], c)
		}
	}
	return keep
}

func (p *process) restore(name, value string, c *relabel.Config) {
	p.b.Set(name, value)
	p.reject(name, ReservedLabel, fmt.Sprintf("the name came out of the data in a rule with action %s: to set it, write a rule with target_label %s", c.Action, name))
}

func (p *process) protectedLabels() map[string]string {
	m := map[string]string{}
	p.b.Range(func(l labels.Label) {
		if protected(l.Name) {
			m[l.Name] = l.Value
		}
	})
	return m
}

// protected labels decide what is scraped and under whose name.
func protected(name string) bool {
	switch {
	case name == target.JobName, name == target.InstanceName:
		return true
	case strings.HasPrefix(name, target.OwnMetaPrefix):
		return true
	}
	return strings.HasPrefix(name, "__") && !strings.HasPrefix(name, target.MetaPrefix) && !target.Temporary(name)
}

// dynamic reports whether the data chooses the label that a rule sets. A rule
// that spells out how an internal name begins (__param_$1, __scrape_${1}__) is
// the operator's own word.
func dynamic(c *relabel.Config) bool {
	template := c.TargetLabel
	switch c.Action {
	case relabel.LabelMap:
		template = c.Replacement
	case relabel.Replace:
	default:
		return false
	}
	literal, _, found := strings.Cut(template, "$")
	return found && (!strings.HasPrefix(literal, "__") || strings.Trim(literal, "_") == "")
}

func (p *process) reject(label, reason, detail string) {
	p.rejected = append(p.rejected, target.Rejection{
		Address: clip(p.address), Label: clip(label), Reason: reason, Detail: detail,
	})
}

// clip keeps names that nobody would read out of logs and memory.
func clip(s string) string {
	const most = 256
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
