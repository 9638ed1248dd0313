package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mcp-sd/mcp-sd/sources"
)

// unknown reports a key that a block does not have.
func (d *decoder) unknown(field, key string, s shape) {
	at := join(field, key)
	if before, _, found := strings.Cut(key, ":"); found { // {token:s3cret} is one key to YAML
		d.lines[join(field, before)] = d.lines.of(at)
		d.fail(join(field, before), errors.New("unknown key; a space is missing after its colon"))
		return
	}
	hint := didYouMean(key, s.names)
	if owners := s.blocks[key]; len(owners) == 1 || len(owners) == 2 {
		hint = "; it belongs under " + strings.Join(owners, " or ")
	}
	switch moved := foreign(key); {
	case d.bridged(key):
		hint = "; put it, as it stands, under prometheus in a source"
	case moved != "":
		hint = "; " + moved
	}
	d.fail(at, errors.New("unknown key"+hint))
}

// bridged reports whether a key of prometheus.yml is one of the mechanism that
// takes them unchanged.
func (d *decoder) bridged(key string) bool {
	return strings.HasSuffix(key, "_sd_configs") && d.sourceShape().blocks[key] != nil
}

// foreign knows the keys of prometheus.yml that people bring along.
func foreign(key string) string {
	switch key {
	case "static_configs":
		return "put its list under static.targets"
	case "file_sd_configs":
		return "put its files under static.files"
	case "scrape_configs", "job_name", "scrape_interval", "scrape_timeout", "metrics_path", "metric_relabel_configs",
		"rule_files", "alerting", "remote_write", "honor_labels":
		return "it belongs in prometheus.yml, whose file_sd_configs reads what mcp-sd writes"
	}
	name, found := strings.CutSuffix(key, "_sd_configs")
	if !found {
		return ""
	}
	if _, ok := sources.Lookup(name); ok {
		return "put one item of its list under " + name + ", and make a source of each further one"
	}
	var names []string
	for _, m := range sources.Mechanisms() {
		names = append(names, m.Name)
	}
	return "mcp-sd can't discover that way; it knows " + strings.Join(names, ", ")
}

// listOfBlocks is the error of a whole list of prometheus.yml under a mechanism.
func listOfBlocks(mechanism string) string {
	if mechanism == "static" {
		return "expected key: value pairs, found a list: a list of static_configs goes under static.targets"
	}
	return "expected key: value pairs, found a list: take one item of Prometheus' list, without the dash, and make a source of each further one"
}

// wrongType says what was found where something else belongs. A scalar is
// quoted only where a number or the like belongs: where a block or a list does,
// it may be a password in the wrong place.
func (d *decoder) wrongType(n *yaml.Node, field string, t reflect.Type) {
	want, got, hint := expected(t), found(n), ""
	switch k := t.Kind(); {
	case n.Kind == yaml.MappingNode && len(n.Content) > 0 && n.Content[0].Kind == yaml.MappingNode:
		got = "{{ a template }} that was not rendered"
	case k == reflect.Slice && n.Kind == yaml.MappingNode:
		hint = ": begin each item with a dash"
	case k == reflect.Slice && n.Kind == yaml.ScalarNode:
		got, hint = "a single value", ": put it in [ ]"
	case k == reflect.Struct && typeWords(t) == "" && n.Kind == yaml.ScalarNode:
		got, hint = "a single value", ": known here are "+strings.Join(d.shape(t).names, ", ")
	case k == reflect.Map && n.Kind == yaml.ScalarNode:
		got = "a single value"
	case t.Kind() == reflect.Float64 && strings.HasSuffix(n.Value, "%"):
		hint = ": 30% is 0.3"
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && (&yaml.Node{Kind: yaml.ScalarNode, Value: n.Value}).ShortTag() != "!!str":
		hint = ": take the quotes away"
	}
	d.refuse(field, fmt.Errorf("expected %s, found %s%s", want, got, hint))
}
