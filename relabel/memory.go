package relabel

import (
	"cmp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// entry is what became of one instance.
type entry struct {
	raw      target.Raw
	pos      int           // in the last listing
	target   target.Target // where it was left out, the address alone
	ok       bool
	rejected []target.Rejection
	pass     uint64 // the last pass that listed it
}

// memory is what is remembered of one part.
type memory struct {
	byRaw   map[target.Raw]*entry
	listed  []*entry // of the last pass, in the order of the listing
	spare   []*entry
	sorted  []*entry // of the last pass, in the order of the results
	added   []*entry // new in this pass
	own     []target.Rejection
	pass    uint64
	targets []*target.Target // they live in the entries, and change with them alone
	// rejected is own, and those of all entries.
	rejected []target.Rejection
	// reported are those of the last pass, to tell what is new.
	reported map[target.Rejection]struct{}
}

// find looks next to the last hit before it asks the map.
func (m *memory) find(raw target.Raw, at int) (e *entry, next int) {
	for i := at; i < min(at+2, len(m.listed)); i++ {
		if m.listed[i].raw == raw {
			return m.listed[i], i + 1
		}
	}
	e = m.byRaw[raw]
	if e == nil {
		return nil, at
	}
	return e, e.pos + 1
}

// rebuild makes the results anew from what this pass listed. Sorting only what
// was added keeps the cost of one change in a large part down to copying.
func (m *memory) rebuild() {
	kept := slices.DeleteFunc(m.sorted, func(e *entry) bool { return e.pass != m.pass })
	slices.SortFunc(m.added, compareEntries)
	m.sorted = merge(kept, m.added)
	m.targets = make([]*target.Target, 0, len(m.sorted))
	m.rejected = slices.Clone(m.own)
	for _, e := range m.sorted {
		if e.ok {
			m.targets = append(m.targets, &e.target)
		}
		m.rejected = append(m.rejected, e.rejected...)
	}
}

// news returns the rejections that the pass before did not have.
func (m *memory) news() []target.Rejection {
	var fresh []target.Rejection
	now := make(map[target.Rejection]struct{})
	for _, r := range m.rejected {
		if !Counted(r) {
			continue
		}
		// The detail quotes the value: another bad value of the same label is
		// the same rejection.
		id := target.Rejection{Address: r.Address, Label: r.Label, Reason: r.Reason}
		_, old := m.reported[id]
		_, twice := now[id]
		if !old && !twice {
			fresh = append(fresh, r)
		}
		now[id] = struct{}{}
	}
	m.reported = now
	return fresh
}

func merge(a, b []*entry) []*entry {
	if len(b) == 0 {
		return a
	}
	out := make([]*entry, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if compareEntries(a[0], b[0]) <= 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// compareEntries orders whatever is published differently, so that the order of
// the listing does not matter.
func compareEntries(a, b *entry) int {
	return cmp.Or(
		a.target.Key.Compare(b.target.Key),
		strings.Compare(a.target.Identity, b.target.Identity),
		labels.Compare(a.target.Labels, b.target.Labels),
		labels.Compare(a.target.Meta, b.target.Meta),
		slices.CompareFunc(a.rejected, b.rejected, compareRejections),
	)
}

func compareRejections(a, b target.Rejection) int {
	return cmp.Or(
		strings.Compare(a.Address, b.Address),
		strings.Compare(a.Label, b.Label),
		strings.Compare(a.Reason, b.Reason),
		strings.Compare(a.Detail, b.Detail),
	)
}
