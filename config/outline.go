package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/alecthomas/units"
	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v3"

	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/sources"
	"github.com/mcp-sd/mcp-sd/writer"
)

// Key is one key of mcp-sd.yml as the decoder knows it, for those who describe
// the file: the JSON Schema, the manual.
type Key struct {
	Name    string
	Struct  reflect.Type // that it is a field of; its comment describes it
	Field   string       // the field's name there
	Value   Value
	Default any // as JSON would have it; nil: none, or the zero value
}

// Value is what belongs behind a key.
type Value struct {
	Type reflect.Type // with pointers taken off
	Kind ValueKind
	Keys []Key  // of a Block, in the order of its struct
	Item *Value // of a List, and what any key of a Table has
}

// ValueKind is how a value is written.
type ValueKind string

// The kinds of values.
const (
	Block    ValueKind = "block" // its keys are known
	Table    ValueKind = "table" // any keys, values of one kind
	List     ValueKind = "list"
	Text     ValueKind = "text"
	Bool     ValueKind = "true or false"
	Whole    ValueKind = "whole number"
	Number   ValueKind = "number"
	Duration ValueKind = "duration"
	Size     ValueKind = "size"
	Anything ValueKind = "anything" // whoever decodes it knows more
)

// Outline returns the keys of the main file. It is read from the very types that
// the decoder fills, so it has what mcp-sd takes, and nothing else.
func Outline() []Key {
	o := outliner{decoder: newDecoder("", &errorList{})}
	return o.block(reflect.ValueOf(mainFile{
		Global:  DefaultGlobal(),
		Health:  health.DefaultOptions(),
		Guard:   discovery.DefaultGuardOptions(),
		Version: discovery.DefaultVersionOptions(),
	}))
}

// SourceFileOutline returns the keys of a file that source_files names, all of
// which the main file has, too.
func SourceFileOutline() []Key {
	o := outliner{decoder: newDecoder("", &errorList{})}
	return o.block(reflect.ValueOf(sourceFile{}))
}

type outliner struct{ *decoder }

// block lists the keys of a struct; v holds its defaults.
func (o outliner) block(v reflect.Value) []Key {
	s := o.shape(v.Type())
	var keys []Key
	for _, name := range s.names {
		f := v.Type().FieldByIndex(s.index[name])
		if strings.HasSuffix(name, "_ref") {
			continue // needs a secret manager, and mcp-sd has none
		}
		value := v.FieldByIndex(s.index[name])
		keys = append(keys, Key{
			Name: name, Struct: owner(v.Type(), s.index[name]), Field: f.Name,
			Value: o.value(name, value), Default: written(value),
		})
	}
	return keys
}

// owner is the struct whose own field an index leads to.
func owner(t reflect.Type, index []int) reflect.Type {
	if len(index) > 1 {
		return t.FieldByIndex(index[:len(index)-1]).Type
	}
	return t
}

// value says what belongs behind a key whose default is v.
func (o outliner) value(name string, v reflect.Value) Value {
	t := v.Type()
	for t.Kind() == reflect.Pointer {
		if t = t.Elem(); v.IsNil() {
			v = reflect.Zero(t)
		} else {
			v = v.Elem()
		}
	}
	out := Value{Type: t, Kind: kind(t)}
	switch {
	case name == "sources" && t == reflect.TypeFor[[]yaml.Node]():
		out.Item = &Value{Type: reflect.TypeFor[sourceKeys](), Kind: Block, Keys: o.source()}
	case out.Kind == Block && o.shape(t).rest != nil: // http_headers
		out.Kind = Table
		out.Item = o.item(t.FieldByIndex(o.shape(t).rest).Type.Elem())
	case out.Kind == Block:
		out.Keys = o.block(v)
	case out.Kind == List, out.Kind == Table:
		out.Item = o.item(t.Elem())
	}
	return out
}

func (o outliner) item(t reflect.Type) *Value {
	zero := reflect.Zero(t)
	switch t {
	case reflect.TypeFor[writer.Output]():
		zero = reflect.ValueOf(writer.DefaultOutput())
	case reflect.TypeFor[*relabel.Config]():
		zero = reflect.ValueOf(relabel.DefaultRelabelConfig)
	}
	v := o.value("", zero)
	return &v
}

// source lists the keys of a source, the mechanisms' blocks after its name.
func (o outliner) source() []Key {
	g, mcp := DefaultGlobal(), health.DefaultMCPOptions()
	own := o.block(reflect.ValueOf(sourceKeys{
		Health: health.DefaultOptions(), Guard: discovery.DefaultGuardOptions(),
		RefreshInterval: g.RefreshInterval, SourceTimeout: g.SourceTimeout,
		MCP: &mcp,
	}))
	keys := []Key{own[0]}
	for _, m := range sources.Mechanisms() {
		v := reflect.ValueOf(m.Options()).Elem()
		keys = append(keys, Key{Name: m.Name, Struct: reflect.TypeFor[sourceKeys](), Field: "Others", Value: o.value(m.Name, v)})
	}
	return append(keys, own[1:]...)
}

// MechanismDoc is the one line about a mechanism that its table has.
func MechanismDoc(name string) string {
	m, _ := sources.Lookup(name)
	return m.Doc
}

func kind(t reflect.Type) ValueKind {
	switch t {
	case reflect.TypeFor[model.Duration]():
		return Duration
	case reflect.TypeFor[units.Base2Bytes]():
		return Size
	case reflect.TypeFor[promconfig.URL](), reflect.TypeFor[relabel.Regexp](), reflect.TypeFor[promconfig.TLSVersion]():
		return Text
	}
	switch k := t.Kind(); {
	case k == reflect.Struct:
		return Block
	case k == reflect.Map:
		return Table
	case k == reflect.Slice:
		return List
	case k == reflect.Interface:
		return Anything
	case k == reflect.Bool:
		return Bool
	case k >= reflect.Int && k <= reflect.Uint64:
		return Whole
	case k == reflect.Float32, k == reflect.Float64:
		return Number
	}
	return Text
}

// written is a default as it would be written; nil where there is none to write.
func written(v reflect.Value) any {
	switch k := kind(v.Type()); k {
	case Duration, Size:
		return fmt.Sprint(v.Interface())
	case Bool, Whole, Number:
		return v.Interface()
	case Text:
		if r, ok := v.Interface().(relabel.Regexp); ok && r.Regexp != nil {
			return r.String()
		}
		if v.Kind() == reflect.String && v.Len() > 0 {
			return v.String()
		}
	case List:
		if v.Len() > 0 {
			return v.Interface()
		}
	}
	return nil
}
