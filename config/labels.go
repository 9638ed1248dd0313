package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	promrelabel "github.com/prometheus/prometheus/model/relabel"

	"github.com/mcp-sd/mcp-sd/relabel"
	"github.com/mcp-sd/mcp-sd/target"
)

// labels applies the hygiene of contract §7 to the operator's own labels: what
// would be dropped while running is an error here.
func (d *decoder) labels(field string, labels map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		err := target.CheckOperatorLabel(name, labels[name])
		if at := join(field, name); err != nil && !d.told(at) {
			d.fail(at, err)
		}
	}
}

// rewriteAddress reports whether some rule may set __address__.
func rewriteAddress(rules []*promrelabel.Config) bool {
	return slices.ContainsFunc(rules, func(r *promrelabel.Config) bool {
		return r != nil && (r.TargetLabel == target.AddressLabel || strings.Contains(r.TargetLabel, "$") || r.Action == promrelabel.LabelMap)
	})
}

// rules checks relabel_configs, and keeps them away from __unix_socket__
// (contract §7). A rule with a value that could not be decoded has its error
// already.
func (d *decoder) rules(field string, rules []*promrelabel.Config) {
	for _, e := range relabel.Validate(rules) {
		if at := below(field, e.Field); !d.told(at) {
			d.fail(at, e.Err)
		}
	}
	for i, r := range rules {
		if r != nil && (r.TargetLabel == target.UnixSocketLabel || r.Action == promrelabel.LabelMap && r.Replacement == target.UnixSocketLabel) {
			d.fail(fmt.Sprintf("%s[%d]", field, i), errors.New("must not set "+target.UnixSocketLabel+": Prometheus would open that file on its own machine"))
		}
	}
}
