// Package filesd reads the format of Prometheus' file_sd: what the files of the
// static source and the programs of the exec source say.
//
// It is as strict as Prometheus, with the same libraries, and stricter where
// Prometheus takes damage for the wish to have no targets: nothing at all, null,
// a group without a list of targets, and a second YAML document are errors. That
// an address or a label is legal is asked later, of each by itself.
package filesd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"go.yaml.in/yaml/v2"

	"github.com/mcp-sd/mcp-sd/target"
)

// Group has the shape of targetgroup.Group, which can't tell `targets: []`
// from a list that got lost.
type Group struct {
	Targets []string       `yaml:"targets" json:"targets"` // addresses
	Labels  model.LabelSet `yaml:"labels" json:"labels"`   // that they share
}

// Parse reads the file of that name: as JSON where it ends in .json, else as
// YAML.
func Parse(path string, content []byte) ([]Group, error) {
	if len(bytes.TrimSpace(content)) == 0 {
		return nil, fmt.Errorf("the file is empty (%d bytes): write [] to list no targets", len(content))
	}
	if strings.EqualFold(filepath.Ext(path), ".json") {
		return ParseJSON(content)
	}
	groups, err := decodeYAML(content)
	if err != nil {
		return nil, err
	}
	return whole(groups)
}

// ParseJSON reads one JSON list, after which nothing may follow.
func ParseJSON(content []byte) ([]Group, error) {
	groups, err := decodeJSON(content)
	if err != nil {
		return nil, err
	}
	return whole(groups)
}

// whole refuses what may be damage.
func whole(parsed []*Group) ([]Group, error) {
	if parsed == nil {
		return nil, errors.New("it holds no list: write [] to list no targets")
	}
	groups := make([]Group, 0, len(parsed))
	for i, g := range parsed {
		switch {
		case g == nil:
			return nil, fmt.Errorf("group %d is null", i+1)
		case g.Targets == nil:
			return nil, fmt.Errorf("group %d has no list of targets: write targets: [] if it has none", i+1)
		}
		groups = append(groups, *g)
	}
	return groups, nil
}

func decodeJSON(content []byte) ([]*Group, error) {
	var groups []*Group
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&groups); err != nil {
		return nil, atLine(content, dec.InputOffset(), err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, atLine(content, dec.InputOffset(), errors.New("something follows the list"))
	}
	return groups, nil
}

// atLine says where in a JSON file an error is.
func atLine(content []byte, offset int64, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	}
	offset = min(max(offset, 0), int64(len(content)))
	return fmt.Errorf("line %d: %w", 1+bytes.Count(content[:offset], []byte("\n")), err)
}

func decodeYAML(content []byte) ([]*Group, error) {
	var groups []*Group
	dec := yaml.NewDecoder(bytes.NewReader(content))
	dec.SetStrict(true)
	if err := dec.Decode(&groups); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var more any
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("a second YAML document follows the list")
	}
	return groups, nil
}

// Raws lists what groups say, in their order. An address has its own group's
// labels, and extra ones that win over them.
func Raws(groups []Group, extra ...labels.Label) []target.Raw {
	raws := []target.Raw{}
	b := labels.NewScratchBuilder(16)
	for _, g := range groups {
		names := slices.Sorted(maps.Keys(g.Labels))
		for _, addr := range g.Targets {
			b.Reset()
			b.Add(target.AddressLabel, addr)
			for _, l := range extra {
				b.Add(l.Name, l.Value)
			}
			for _, name := range names {
				if v := g.Labels[name]; v != "" && free(string(name), extra) {
					b.Add(string(name), string(v))
				}
			}
			b.Sort()
			raws = append(raws, target.Raw{Labels: b.Labels()})
		}
	}
	return raws
}

// free reports whether a group may set a label: as in Prometheus, its address
// is each target's own.
func free(name string, extra []labels.Label) bool {
	return name != target.AddressLabel && !slices.ContainsFunc(extra, func(l labels.Label) bool { return l.Name == name })
}
