package config

import (
	"encoding"
	"errors"
	"reflect"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// decoder decodes the nodes of one file into option structs, more strictly and
// more patiently than the YAML library does: every key must be known, none may
// be there twice, every value must have its field's type, and a bad one hides
// none of the others. It leaves the default where a value is bad.
//
// Types with an UnmarshalYAML(func(any) error), as all of Prometheus' have, are
// asked as usual, but the function that they are handed is this decoder again:
// their defaults and checks run, and strictness and places are kept. Keys that
// are left empty count as not written, but for text, where they mean "" as
// they do in prometheus.yml.
type decoder struct {
	file     string
	errs     *errorList
	lines    lines // of every field that was seen
	types    map[reflect.Type]shape
	source   shape           // see sourceShape
	bad      int             // values refused so far; unknown and duplicate keys are none
	refused  map[string]bool // their fields (true) and the blocks around them (false)
	inAlias  int
	expanded int  // nodes visited by way of an alias
	stopped  bool // because they were too many
}

// maxExpanded bounds what aliases and merge keys may unfold to.
const maxExpanded = 100_000

// unmarshaler is what types written for YAML v2 implement.
type unmarshaler interface{ UnmarshalYAML(func(any) error) error }

// errTold says to an UnmarshalYAML that its value is bad and was reported.
var errTold = errors.New("reported already")

func newDecoder(file string, errs *errorList) *decoder {
	return &decoder{file: file, errs: errs, lines: lines{}, types: map[reflect.Type]shape{}, refused: map[string]bool{}}
}

// lines says where fields are written.
type lines map[string]int

// of returns the line of a field, or of the nearest block around it.
func (l lines) of(field string) int {
	for {
		if n, ok := l[field]; ok || field == "" {
			return n
		}
		field = parent(field)
	}
}

// fail reports something wrong with a field.
func (d *decoder) fail(field string, err error) {
	d.errs.add(Error{File: d.file, Line: d.lines.of(field), Field: field, Err: err})
}

// refuse reports a value that could not be decoded.
func (d *decoder) refuse(field string, err error) {
	d.bad++
	d.fail(field, err)
	d.refused[field] = true
	for f := parent(field); f != ""; f = parent(f) {
		if !d.refused[f] {
			d.refused[f] = false
		}
	}
}

// told reports whether a bad value at, in or around a field was reported:
// whatever else seems wrong with the field comes of it.
func (d *decoder) told(field string) bool {
	if _, ok := d.refused[field]; ok {
		return true
	}
	for field != "" {
		field = parent(field)
		if d.refused[field] {
			return true
		}
	}
	return false
}

// value decodes one node; v is addressable and holds the default.
func (d *decoder) value(n *yaml.Node, field string, v reflect.Value) {
	if n.Kind == yaml.AliasNode {
		d.inAlias++
		defer func() { d.inAlias-- }()
		n = n.Alias
	}
	switch {
	case d.exhausted(field):
	case v.Type() == reflect.TypeFor[yaml.Node]():
		v.Set(reflect.ValueOf(*n))
	case n.ShortTag() == "!!null" && n.Kind == yaml.ScalarNode:
		d.null(n, field, v)
	case v.Kind() == reflect.Pointer:
		fresh := reflect.New(v.Type().Elem()) // what was behind it may be shared with the defaults
		if !v.IsNil() {
			fresh.Elem().Set(v.Elem())
		}
		d.value(n, field, fresh.Elem())
		v.Set(fresh)
	case d.custom(n, field, v):
	default:
		d.plain(n, field, v)
	}
}

// exhausted ends the expansion of aliases that would never end.
func (d *decoder) exhausted(field string) bool {
	if d.inAlias > 0 {
		d.expanded++
	}
	if d.expanded < maxExpanded {
		return false
	}
	if !d.stopped {
		d.refuse(field, errors.New("an anchor that contains itself, or far too many aliases: write it out"))
	}
	d.stopped = true
	return true
}

// custom lets a type decode itself, and reports whether it does.
func (d *decoder) custom(n *yaml.Node, field string, v reflect.Value) bool {
	var err error
	before := d.bad
	switch u := v.Addr().Interface().(type) {
	case unmarshaler:
		if known := typeWords(v.Type()); known != "" && n.Kind != yaml.ScalarNode {
			d.wrongType(n, field, v.Type())
			return true
		}
		err = u.UnmarshalYAML(func(out any) error { return d.inner(n, field, out) })
	case yaml.Unmarshaler:
		err = u.UnmarshalYAML(n)
	case encoding.TextUnmarshaler:
		if n.Kind != yaml.ScalarNode {
			d.wrongType(n, field, v.Type())
			return true
		}
		err = u.UnmarshalText([]byte(n.Value))
	default:
		return false
	}
	if err != nil && d.bad == before {
		d.refuse(field, explain(err, v.Type(), n))
	}
	return true
}

// inner is what an UnmarshalYAML calls to have its plain struct decoded. Its
// own checks run only over a whole value: half a one would draw false errors.
func (d *decoder) inner(n *yaml.Node, field string, out any) error {
	before := d.bad
	d.value(n, field, reflect.ValueOf(out).Elem())
	if d.bad > before {
		return errTold
	}
	return nil
}

// plain decodes what has no UnmarshalYAML.
func (d *decoder) plain(n *yaml.Node, field string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		d.object(n, field, v)
	case reflect.Map:
		d.mapping(n, field, v)
	case reflect.Slice:
		d.list(n, field, v)
	case reflect.Interface:
		var loose any
		if err := n.Decode(&loose); err != nil {
			_, msg := lineOf(err.Error())
			d.refuse(field, errors.New(msg))
			return
		}
		v.Set(reflect.ValueOf(loose))
	default:
		d.scalar(n, field, v)
	}
}

func (d *decoder) object(n *yaml.Node, field string, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.wrongType(n, field, v.Type())
		return
	}
	s := d.shape(v.Type())
	for _, e := range d.entries(n, field) {
		at := join(field, e.key)
		d.lines[at] = e.line
		switch index, known := s.index[e.key]; {
		case known:
			d.value(e.value, at, v.FieldByIndex(index))
		case s.rest != nil:
			d.element(e, at, v.FieldByIndex(s.rest))
		default:
			d.unknown(field, e.key, s)
		}
	}
}

// mapping replaces what the default has: labels are written as a whole.
func (d *decoder) mapping(n *yaml.Node, field string, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.wrongType(n, field, v.Type())
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range d.entries(n, field) {
		at := join(field, e.key)
		d.lines[at] = e.line
		d.element(e, at, v)
	}
}

// element adds one entry to a map.
func (d *decoder) element(e entry, field string, m reflect.Value) {
	if m.IsNil() {
		m.Set(reflect.MakeMap(m.Type()))
	}
	key, val := reflect.New(m.Type().Key()).Elem(), reflect.New(m.Type().Elem()).Elem()
	before := d.bad
	d.value(e.keyNode, field, key)
	if d.bad > before {
		return
	}
	d.value(e.value, field, val)
	m.SetMapIndex(key, val)
}

// list replaces what the default has.
func (d *decoder) list(n *yaml.Node, field string, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.wrongType(n, field, v.Type())
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		at := field + "[" + strconv.Itoa(i) + "]"
		d.lines[at] = item.Line
		if item.ShortTag() == "!!null" && item.Kind == yaml.ScalarNode {
			d.refuse(at, errors.New("an empty item: write a value, or take it out"))
			continue
		}
		d.value(item, at, out.Index(i))
	}
	v.Set(out)
}
