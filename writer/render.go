package writer

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// Render makes the bytes of a file_sd file: an array of {"targets": […],
// "labels": {…}} and nothing else, at least [] (contract §7).
//
// The same targets, in whatever order, give the same bytes. Targets with
// identical labels share a group; within a group they are sorted by address,
// and groups by their first target, so that a target that changes its health
// stays where it is in a diff. The layout is that of jq, one target and one
// label per line.
//
// A target that no reader would take, such as one with an invalid label name,
// is an error: leaving it out is the business of those who made it.
func Render(targets []target.Target) ([]byte, error) {
	es := make([]entry, len(targets))
	for i := range targets {
		es[i] = entry{&targets[i].Key, targets[i].Labels}
	}
	r, err := render(canonical(es))
	return r.body, err
}

// rendering is a file as bytes, and what is worth knowing of it.
type rendering struct {
	body    []byte
	sources []string // in the file, sorted
	hash    uint64
}

// group is a set of targets with the same labels.
type group struct {
	labels target.Labels
	size   int
}

// render renders canonical entries.
func render(es []entry) (rendering, error) {
	g, err := newGrouping(es)
	if err != nil {
		return rendering{}, err
	}
	b := make([]byte, 0, g.size(es))
	b = append(b, '[')
	rest := g.members
	for i, gr := range g.groups {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, "\n  {\n    \"targets\": ["...)
		b = appendTargets(b, es, rest[:gr.size])
		b = append(b, "\n    ],\n    \"labels\": {"...)
		b = appendLabels(b, gr.labels)
		b = append(b, "}\n  }"...)
		rest = rest[gr.size:]
	}
	if len(g.groups) > 0 {
		b = append(b, '\n')
	}
	b = append(b, "]\n"...)
	return rendering{body: b, sources: g.sources(), hash: g.hash(es)}, nil
}

func appendTargets(b []byte, es []entry, members []int32) []byte {
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, "\n      "...)
		b = appendString(b, es[m].key.Address)
	}
	return b
}

func appendLabels(b []byte, l target.Labels) []byte {
	first := true
	l.Range(func(lb labels.Label) {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, "\n      "...)
		b = appendString(b, lb.Name)
		b = append(b, ": "...)
		b = appendString(b, lb.Value)
	})
	if !first {
		b = append(b, "\n    "...)
	}
	return b
}

// grouping says which entry is in which group.
type grouping struct {
	groups  []group
	of      []int32 // by entry: its group
	members []int32 // entries, group by group
}

func newGrouping(es []entry) (*grouping, error) {
	g := &grouping{of: make([]int32, len(es))}
	index := map[target.Labels]int32{}
	for i, e := range es {
		if err := checkAddress(e.key.Address); err != nil {
			return nil, err
		}
		at, ok := index[e.labels]
		if !ok {
			var err error
			if at, err = g.add(index, e.labels); err != nil {
				return nil, fmt.Errorf("target %q: %w", e.key.Address, err)
			}
		}
		g.of[i] = at
		g.groups[at].size++
	}
	g.collect()
	return g, nil
}

// add makes the group of labels that were not seen before. Two sets may be the
// same group all the same: an empty label is none.
func (g *grouping) add(index map[target.Labels]int32, raw target.Labels) (int32, error) {
	l := raw.WithoutEmpty()
	if l.Has(target.AddressLabel) {
		l = labels.NewBuilder(l).Del(target.AddressLabel).Labels()
	}
	if at, ok := index[l]; ok {
		index[raw] = at
		return at, nil
	}
	if err := checkLabels(l); err != nil {
		return 0, err
	}
	at := int32(len(g.groups))
	g.groups = append(g.groups, group{labels: l})
	index[raw], index[l] = at, at
	return at, nil
}

// collect sorts the entries into their groups, which keeps their order.
func (g *grouping) collect() {
	starts := make([]int32, len(g.groups))
	for i := 1; i < len(starts); i++ {
		starts[i] = starts[i-1] + int32(g.groups[i-1].size)
	}
	g.members = make([]int32, len(g.of))
	for e, at := range g.of {
		g.members[starts[at]] = int32(e)
		starts[at]++
	}
}

// size is about how many bytes the file will have, rather a few too many.
func (g *grouping) size(es []entry) int {
	n := 8
	for _, gr := range g.groups {
		n += 64 + int(gr.labels.ByteSize()) + 13*gr.labels.Len()
	}
	for _, e := range es {
		n += len(e.key.Address) + 10
	}
	return n
}

func (g *grouping) sources() []string {
	seen := map[string]bool{}
	var names []string
	for _, gr := range g.groups {
		if s := gr.labels.Get(target.SourceLabel); !seen[s] {
			seen[s] = true
			names = append(names, s)
		}
	}
	slices.Sort(names)
	return names
}

func checkAddress(a string) error {
	if a == "" {
		return errors.New("a target has no address")
	}
	if !utf8.ValidString(a) {
		return fmt.Errorf("target %q is not valid UTF-8", a)
	}
	return nil
}

// checkLabels holds file_sd's rules and one of ours: the label names that every
// version of Prometheus takes, since a name that the reader refuses freezes the
// whole file.
func checkLabels(l target.Labels) error {
	return l.Validate(func(lb labels.Label) error { return checkLabel(lb.Name, lb.Value) })
}

func checkLabel(name, value string) error {
	if !model.LegacyValidation.IsValidLabelName(name) {
		return fmt.Errorf("label name %q does not match [a-zA-Z_][a-zA-Z0-9_]*", name)
	}
	if name == target.AddressLabel {
		return fmt.Errorf("label %s: the address stands in targets", name)
	}
	if !utf8.ValidString(value) {
		return fmt.Errorf("label %s: value %q is not valid UTF-8", name, value)
	}
	return nil
}
