package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// entry is one key of a YAML mapping with its value.
type entry struct {
	key            string
	line           int
	keyNode, value *yaml.Node
}

// entries lists a mapping in the file's order, each key once; a key written
// twice is reported. Merge keys (<<) fill in what is not written.
func (d *decoder) entries(n *yaml.Node, field string) []entry {
	var out []entry
	first := map[string]int{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := unalias(n.Content[i]), n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			d.lines[field+".?"] = k.Line
			d.refuse(field+".?", fmt.Errorf("expected a key, found %s: a {{ template }} must be rendered first", found(k)))
			continue
		}
		if at, twice := first[k.Value]; twice {
			d.errs.add(Error{File: d.file, Line: k.Line, Field: join(field, k.Value), Err: fmt.Errorf("duplicate key: it is on line %d already", at)})
			continue
		}
		first[k.Value] = k.Line
		if k.ShortTag() == "!!merge" {
			merged = append(merged, v)
			continue
		}
		out = append(out, entry{k.Value, k.Line, k, v})
	}
	for _, m := range merged {
		out = d.merge(out, m, field)
	}
	return out
}

// merge adds the entries of a merged mapping whose keys are not there yet.
func (d *decoder) merge(out []entry, m *yaml.Node, field string) []entry {
	m = unalias(m)
	d.inAlias++
	defer func() { d.inAlias-- }()
	switch {
	case d.exhausted(field):
	case m.Kind == yaml.SequenceNode:
		for _, one := range m.Content {
			out = d.merge(out, one, field)
		}
	case m.Kind == yaml.MappingNode:
		for _, e := range d.entries(m, field) {
			d.expanded++
			if !slices.ContainsFunc(out, func(o entry) bool { return o.key == e.key }) {
				out = append(out, e)
			}
		}
	default:
		d.refuse(field, errors.New("<< merges key: value pairs, or a list of such, only"))
	}
	return out
}

func unalias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// shape is what a struct looks like in YAML.
type shape struct {
	names  []string // legal keys
	index  map[string][]int
	rest   []int               // of the inline map that takes every other key; nil where there is none
	blocks map[string][]string // key of a nested struct → the keys of the structs that have it
}

// shape reads the yaml tags of a struct as the YAML library does.
func (d *decoder) shape(t reflect.Type) shape {
	s, ok := d.types[t]
	if ok {
		return s
	}
	s = shape{index: map[string][]int{}, blocks: map[string][]string{}}
	for i := range t.NumField() {
		f := t.Field(i)
		name, inline, skip := yamlName(f)
		switch {
		case skip:
		case inline && f.Type.Kind() == reflect.Map:
			s.rest = []int{i}
		case inline:
			for _, sub := range d.shape(f.Type).names {
				s.add(sub, append([]int{i}, d.shape(f.Type).index[sub]...))
			}
		default:
			s.add(name, []int{i})
			s.nested(name, f.Type)
		}
	}
	d.types[t] = s
	return s
}

// add notes a field. Where two have the same key, the later one counts: Prometheus'
// library puts its own behind those of a struct.
func (s *shape) add(name string, index []int) {
	if _, again := s.index[name]; !again {
		s.names = append(s.names, name)
	}
	s.index[name] = index
}

// nested remembers the keys of the block called name, for hints.
func (s *shape) nested(name string, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for i := range t.NumField() {
		f := t.Field(i)
		sub, inline, skip := yamlName(f)
		switch {
		case skip:
		case inline:
			s.nested(name, f.Type)
		case name == "mcp" && s.blocks[sub] != nil: // the others are met more often
		default:
			s.blocks[sub] = append(s.blocks[sub], name)
		}
	}
}

func yamlName(f reflect.StructField) (name string, inline, skip bool) {
	name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if !f.IsExported() || name == "-" {
		return "", false, true
	}
	if name == "" {
		name = strings.ToLower(f.Name)
	}
	return name, slices.Contains(strings.Split(opts, ","), "inline"), false
}

func join(field, key string) string {
	if strings.ContainsAny(key, ".[]\" \t\n") || key == "" {
		return field + "[" + strconv.Quote(key) + "]"
	}
	if field == "" {
		return key
	}
	return field + "." + key
}

// parent returns the field around a field, "" for the top.
func parent(field string) string {
	return field[:max(strings.LastIndexAny(field, ".["), 0)]
}
