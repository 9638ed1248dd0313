package writer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mcp-sd/mcp-sd/target"
)

// unknown stands in a file name for a value that is absent or unfit (contract §7).
const unknown = "unknown"

const fieldsHint = "{environment}, {region}, {source} and {shard} may be used"

// template is the last element of an output's path.
type template struct {
	parts   []part
	sharded bool
	fields  bool // has a field whose value comes from a target
}

// part is a literal, or a field where the literal is empty.
type part struct{ literal, field string }

func parseTemplate(name string) (template, error) {
	var t template
	for rest := name; rest != ""; {
		literal, after, found := strings.Cut(rest, "{")
		if strings.Contains(literal, "}") {
			return t, fmt.Errorf("%q has a } without {: %s", name, fieldsHint)
		}
		if literal != "" {
			t.parts = append(t.parts, part{literal: literal})
		}
		if !found {
			break
		}
		field, next, closed := strings.Cut(after, "}")
		if !closed {
			return t, fmt.Errorf("%q has a { without }: %s", name, fieldsHint)
		}
		if err := t.addField(field); err != nil {
			return t, fmt.Errorf("%q: %w", name, err)
		}
		rest = next
	}
	return t, nil
}

func (t *template) addField(field string) error {
	switch field {
	case "shard":
		if t.sharded {
			return errors.New("{shard} is there twice: once is enough")
		}
		t.sharded = true
	case target.EnvironmentName, target.RegionName, "source":
		t.fields = true
	default:
		return fmt.Errorf("the field {%s} is unknown: %s", field, fieldsHint)
	}
	t.parts = append(t.parts, part{field: field})
	return nil
}

// noShard stands for {shard} in the key of a family: no name can hold it.
const noShard = -1

// appendName appends the file name that the template makes for t.
func (t template) appendName(b []byte, tg *target.Target, shard int) []byte {
	for _, p := range t.parts {
		switch p.field {
		case "":
			b = append(b, p.literal...)
		case "shard":
			if shard == noShard {
				b = append(b, 0)
			} else {
				b = strconv.AppendInt(b, int64(shard), 10)
			}
		case "source":
			b = append(b, nameValue(tg.Source)...)
		default:
			b = append(b, nameValue(tg.Labels.Get(p.field))...)
		}
	}
	return b
}

func (t template) name(tg *target.Target, shard int) string {
	return string(t.appendName(nil, tg, shard))
}

// nameValue is what a label value becomes in a file name: itself where it is
// [A-Za-z0-9._-]{1,64} and doesn't begin with a dot (contract §7).
func nameValue(v string) string {
	if v == "" || len(v) > 64 || v[0] == '.' {
		return unknown
	}
	for i := range len(v) {
		if !nameByte(v[i]) {
			return unknown
		}
	}
	return v
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
}

// atom is one step of a template read as a pattern: one byte, or with plus one
// or more of a class.
type atom struct {
	is   func(byte) bool
	plus bool
}

func (t template) atoms() []atom {
	var as []atom
	for _, p := range t.parts {
		switch p.field {
		case "":
			for i := range len(p.literal) {
				c := p.literal[i]
				as = append(as, atom{is: func(b byte) bool { return b == c }})
			}
		case "shard":
			as = append(as, atom{is: func(b byte) bool { return '0' <= b && b <= '9' }, plus: true})
		default:
			as = append(as, atom{is: nameByte, plus: true})
		}
	}
	return as
}

func (a atom) meets(b atom) bool {
	for c := range 256 {
		if a.is(byte(c)) && b.is(byte(c)) {
			return true
		}
	}
	return false
}

// next are the positions after a byte was taken at i: a class may go on.
func next(as []atom, i int) []int {
	if as[i].plus {
		return []int{i, i + 1}
	}
	return []int{i + 1}
}

// overlaps reports whether some values make both templates the same name: it
// walks both patterns together, byte by byte.
func (t template) overlaps(o template) bool {
	type at struct{ i, j int }
	a, b := t.atoms(), o.atoms()
	todo, seen := []at{{}}, map[at]bool{}
	for len(todo) > 0 {
		p := todo[len(todo)-1]
		todo = slices.Delete(todo, len(todo)-1, len(todo))
		switch {
		case seen[p]:
			continue
		case p.i == len(a) && p.j == len(b):
			return true
		case p.i == len(a) || p.j == len(b):
			continue
		}
		seen[p] = true
		if !a[p.i].meets(b[p.j]) {
			continue
		}
		for _, i := range next(a, p.i) {
			for _, j := range next(b, p.j) {
				todo = append(todo, at{i, j})
			}
		}
	}
	return false
}
