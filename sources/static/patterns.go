package static

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mcp-sd/mcp-sd/target"
)

// pattern is one of the configured files: a path, or, as a glob, all files of a
// directory whose names match.
type pattern struct {
	path      string // absolute
	dir, base string
	glob      bool
}

func newPattern(dir, name string) pattern {
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	p := pattern{path: filepath.Clean(name)}
	p.dir, p.base = filepath.Dir(p.path), filepath.Base(p.path)
	p.glob = strings.ContainsAny(p.base, `*?[\`)
	return p
}

// matches reports whether a path is one that the pattern stands for.
func (p pattern) matches(path string) bool {
	if !p.glob {
		return path == p.path
	}
	name := filepath.Base(path)
	if strings.HasPrefix(name, ".") && !strings.HasPrefix(p.base, ".") {
		return false
	}
	ok, _ := filepath.Match(p.base, name) // Validate saw to it that the pattern is one
	return ok && filepath.Dir(path) == p.dir
}

// paths lists what the pattern stands for now.
func (p pattern) paths() ([]string, error) {
	if !p.glob {
		return []string{p.path}, nil
	}
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return nil, fmt.Errorf("listing the files of pattern %s: %w", p.path, err)
	}
	var all []string
	for _, e := range entries {
		if path := filepath.Join(p.dir, e.Name()); p.matches(path) {
			all = append(all, path)
		}
	}
	return all, nil
}

// expansion is what all patterns stand for at one moment.
type expansion struct {
	paths  []string // sorted, each once
	broken []target.Part
	blind  []pattern // those of broken
	none   []pattern // match nothing, and never did
}

// expand follows the patterns. A file that was there and is missing is looked
// for a second time: some editors remove a file before they write it anew.
func (s *source) expand(ctx context.Context) expansion {
	e := s.expandOnce()
	for path, f := range s.files {
		if !f.gone && s.isGone(path, e) && wait(ctx, settle) == nil {
			return s.expandOnce()
		}
	}
	return e
}

func (s *source) expandOnce() expansion {
	var e expansion
	for _, p := range s.patterns {
		found, err := p.paths()
		switch {
		case err != nil:
			e.broken = append(e.broken, target.Part{Name: partName(p.path), Err: err})
			e.blind = append(e.blind, p)
		case len(found) == 0 && !s.knows(p):
			e.none = append(e.none, p)
		}
		e.paths = append(e.paths, found...)
	}
	slices.Sort(e.paths)
	e.paths = slices.Compact(e.paths)
	return e
}

// knows reports whether the pattern matched a file that was seen earlier.
func (s *source) knows(p pattern) bool {
	for path := range s.files {
		if p.matches(path) {
			return true
		}
	}
	return false
}

// isGone reports whether a known file is missing from a directory that can be
// read. Where the directory can't be, nothing is known.
func (s *source) isGone(path string, e expansion) bool {
	if _, found := slices.BinarySearch(e.paths, path); found {
		return false
	}
	return !slices.ContainsFunc(e.blind, func(p pattern) bool { return p.matches(path) })
}

// goneParts lists files that were deleted as empty, until they are seen again:
// while some other part fails, leaving them out would not say that they are gone.
func (s *source) goneParts(ctx context.Context, e expansion) []part {
	var parts []part
	for path, f := range s.files {
		if !s.isGone(path, e) {
			continue
		}
		p := part{Part: target.Part{Name: partName(path)}}
		switch {
		case f.gone:
			p.version = f.version
		case ctx.Err() != nil: // there was no time for a second look
			p.Err = fmt.Errorf("looking for %s: %w", path, ctx.Err())
		default:
			p.version = s.nextVersion()
			s.files[path] = &file{gone: true, version: p.version}
		}
		parts = append(parts, p)
	}
	return parts
}

func (s *source) patternParts(e expansion) []part {
	var parts []part
	for _, p := range e.broken {
		parts = append(parts, part{Part: p})
	}
	for _, p := range e.none {
		parts = append(parts, part{target.Part{Name: partName(p.path)}, 1})
	}
	return parts
}

// most is how many deleted files are remembered, for generators that never use
// a name twice.
const most = 1000

// forget drops deleted files from memory once there are many and a listing
// without failure has said of all of them that they are gone.
func (s *source) forget(parts []part, e expansion) {
	if len(s.files) <= len(e.paths)+most || slices.ContainsFunc(parts, func(p part) bool { return p.Err != nil }) {
		return
	}
	for path, f := range s.files {
		if f.gone {
			delete(s.files, path)
		}
	}
}

// partName is the path, unless it has bytes that no name may have.
func partName(path string) string {
	if !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl) {
		return strconv.Quote(path)
	}
	return path
}

func (s *source) nextVersion() uint64 {
	s.versions = max(s.versions, 1) + 1
	return s.versions
}
