package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/mcp-sd/mcp-sd/config"
)

type object = map[string]any

// reference holds what all three outputs are made from.
type reference struct {
	keys     []config.Key
	comments *comments
	limits   map[string]limit
	used     map[string]bool // limits that belong to a key
}

// schema is the JSON Schema of mcp-sd.yml (draft 2020-12).
func (r *reference) schema() ([]byte, error) {
	root, err := r.block(r.keys)
	if err != nil {
		return nil, err
	}
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "mcp-sd.yml"
	root["description"] = "The configuration of mcp-sd, which discovers MCP servers for Prometheus."
	root["anyOf"] = []object{{"required": []string{"sources"}}, {"required": []string{"source_files"}}} // which may list them
	text, err := json.MarshalIndent(root, "", "  ")
	return append(text, '\n'), err
}

// sourcesSchema is the JSON Schema of the files that source_files names: those
// keys of mcp-sd.yml, by reference to its schema beside it.
func (r *reference) sourcesSchema() ([]byte, error) {
	properties := object{}
	for _, k := range config.SourceFileOutline() {
		if !slices.ContainsFunc(r.keys, func(main config.Key) bool { return main.Name == k.Name }) {
			return nil, fmt.Errorf("mcp-sd.yml has no key %s as the files of source_files do", k.Name)
		}
		properties[k.Name] = object{"$ref": mainSchema + "#/properties/" + k.Name}
	}
	text, err := json.MarshalIndent(object{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       "sources.d/*.yml",
		"description": "Sources of mcp-sd, in a file that source_files of mcp-sd.yml names.",
		"type":        "object", "properties": properties, "additionalProperties": false,
	}, "", "  ")
	return append(text, '\n'), err
}

// block is a mapping whose keys are known; any other is an error.
func (r *reference) block(keys []config.Key) (object, error) {
	properties, required := object{}, []string{}
	var mechanisms []object
	for _, k := range keys {
		p, err := r.key(k)
		if err != nil {
			return nil, err
		}
		properties[k.Name] = p
		if r.limit(k, "").required {
			required = append(required, k.Name)
		}
		if isMechanism(k) {
			mechanisms = append(mechanisms, object{"required": []string{k.Name}})
		}
	}
	b := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		b["required"] = required
	}
	if mechanisms != nil {
		b["oneOf"] = mechanisms
	}
	return b, nil
}

// key is a value with all that is known of it. A key that is left empty counts
// as not written, unless it has to be there.
func (r *reference) key(k config.Key) (object, error) {
	s, err := r.value(k, k.Value, "")
	if err != nil {
		return nil, err
	}
	l := r.limit(k, "")
	if t, ok := s["type"].(string); ok && !l.required && (t == "object" || t == "array") {
		s["type"] = []string{t, "null"}
	}
	if l.atLeast > 0 {
		s["minItems"] = l.atLeast
	}
	if k.Default != nil {
		s["default"] = k.Default
	}
	text, err := r.describe(k)
	if text != "" {
		s["description"] = text
	}
	return s, err
}

func (r *reference) value(k config.Key, v config.Value, suffix string) (object, error) {
	l := r.limit(k, suffix)
	switch v.Kind {
	case config.Block:
		return r.block(v.Keys)
	case config.List:
		item, err := r.value(k, *v.Item, suffix+".items")
		return object{"type": "array", "items": item}, err
	case config.Table:
		item, err := r.value(k, *v.Item, suffix+".items")
		t := object{"type": "object", "additionalProperties": item}
		if l.names != "" {
			t["propertyNames"] = object{"pattern": l.names}
		}
		return t, err
	case config.Anything:
		return object{}, nil
	}
	return scalar(v.Kind, l), nil
}

// scalar takes for a text whatever is written, as the decoder does: version: 1.10
// is the text 1.10.
func scalar(kind config.ValueKind, l limit) object {
	s := object{}
	switch kind {
	case config.Bool:
		s["type"] = "boolean"
	case config.Whole, config.Number:
		s["type"] = map[config.ValueKind]string{config.Whole: "integer", config.Number: "number"}[kind]
	case config.Duration:
		s["type"], s["pattern"], s["minLength"] = "string", duration, 1
		if l.positive {
			s["not"] = object{"pattern": "^[0a-z]*$"}
		}
	case config.Size:
		s["type"], s["pattern"] = "string", size
	default:
		s["type"] = []string{"string", "number", "boolean", "null"}
		if l.required {
			s["type"] = []string{"string", "number", "boolean"}
		}
	}
	switch {
	case l.anyCase:
		s["type"], s["anyOf"] = "string", []object{{"enum": l.enum}, {"pattern": "[A-Z]"}}
	case l.enum != nil:
		s["type"], s["enum"] = "string", l.enum
	}
	if l.pattern != "" {
		s["pattern"] = l.pattern
	}
	if l.min != nil {
		s["minimum"] = *l.min
	}
	if l.max != nil {
		s["maximum"] = *l.max
	}
	return s
}

func (r *reference) limit(k config.Key, suffix string) limit {
	name := k.Struct.String() + "." + k.Field + suffix
	l, ok := r.limits[name]
	if ok && !isMechanism(k) {
		r.used[name] = true
		return l
	}
	return limit{}
}

// isMechanism tells the blocks of a source that say how to discover.
func isMechanism(k config.Key) bool { return k.Field == "Others" }

// describe is the comment on the field in the program's source.
func (r *reference) describe(k config.Key) (string, error) {
	if isMechanism(k) {
		return config.MechanismDoc(k.Name), nil
	}
	text, err := r.comments.of(k.Struct, k.Field)
	if rest, found := strings.CutPrefix(text, k.Field+" "); found { // as Go's comments begin
		text = strings.TrimPrefix(strings.TrimPrefix(k.Name+" "+rest, k.Name+" is "), k.Name+" are ")
	}
	return forReaders(text), err
}

// forReaders leaves out what a comment says to programmers alone.
func forReaders(text string) string {
	sentences := strings.SplitAfter(text, ". ")
	return strings.TrimSpace(strings.Join(slices.DeleteFunc(sentences, func(s string) bool {
		return strings.Contains(s, "omitempty") || strings.Contains(s, "marshalled") || strings.Contains(s, "value type")
	}), ""))
}
