// Package static lists targets that somebody wrote down: in the configuration
// itself, and in files of Prometheus' file_sd format, which are watched
// (contract §4).
//
// Each file is a part of its own, and the last good listing of a broken one
// stands. Only what is plainly meant to be no target is taken as such: [] in a
// file, and a file deleted from a directory that can be read and that a pattern
// matched. An empty, damaged or half-written file is a failure, and so is a path
// without a pattern that is missing.
//
// As in a shell, and unlike in Prometheus, a pattern matches hidden files only
// if it begins with a dot itself: editors and configuration management keep
// their drafts there.
package static

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/mcp-sd/mcp-sd/sources/filesd"
	"github.com/mcp-sd/mcp-sd/target"
)

// inlineName is the name of the part that the configuration itself lists. The
// others are absolute paths.
const inlineName = "inline"

// source is a target.Watcher.
type source struct {
	env      target.Env
	inline   []target.Raw // nil where the configuration lists none
	patterns []pattern
	files    map[string]*file // by path; all that were ever seen
	versions uint64           // the last one given out
	notify   func() (notifier, error)
}

// part is a part with a number that changes when its targets do.
type part struct {
	target.Part
	version uint64
}

// New builds the source; the result is a target.Watcher.
func (o *Options) New(env target.Env) (target.Source, error) {
	dir, err := filepath.Abs(env.Dir)
	if err != nil {
		return nil, fmt.Errorf("finding the directory of the configuration: %w", err)
	}
	if env.RefreshInterval <= 0 {
		env.RefreshInterval = time.Minute
	}
	if env.Logger == nil {
		env.Logger = slog.New(slog.DiscardHandler)
	}
	s := &source{env: env, files: map[string]*file{}, notify: newNotifier}
	for _, name := range o.Files {
		p := newPattern(dir, name)
		if !slices.Contains(s.patterns, p) {
			s.patterns = append(s.patterns, p)
		}
	}
	if o.Targets != nil {
		s.inline = filesd.Raws(groupsOf(o.Targets))
	}
	return s, nil
}

func groupsOf(configured []Group) []filesd.Group {
	groups := make([]filesd.Group, 0, len(configured))
	for _, c := range configured {
		g := filesd.Group{Targets: c.Targets, Labels: model.LabelSet{}}
		for name, value := range c.Labels {
			g.Labels[model.LabelName(name)] = model.LabelValue(value)
		}
		groups = append(groups, g)
	}
	return groups
}

// Discover implements target.Source. Files that did not change since the last
// call are not read again.
func (s *source) Discover(ctx context.Context) target.Listing {
	began := time.Now()
	l := target.Listing{Source: s.env.Source}
	for _, p := range s.list(ctx, nil) {
		l.Parts = append(l.Parts, p.Part)
	}
	l.At = time.Now()
	l.Took = l.At.Sub(began)
	return l
}

// list is every part as it is now: what the configuration lists, each file, and
// each pattern that can't be followed or matches nothing. Paths in changed are
// read again even if they look the same.
func (s *source) list(ctx context.Context, changed map[string]bool) []part {
	e := s.expand(ctx)
	var parts []part
	for _, path := range e.paths {
		parts = append(parts, s.filePart(ctx, path, changed[path]))
	}
	parts = append(parts, s.goneParts(ctx, e)...)
	parts = append(parts, s.patternParts(e)...)
	slices.SortFunc(parts, func(a, b part) int { return strings.Compare(a.Name, b.Name) })
	s.forget(parts, e)
	if s.inline != nil {
		parts = slices.Insert(parts, 0, part{target.Part{Name: inlineName, Raw: s.inline, Inline: true}, 1})
	}
	return parts
}
