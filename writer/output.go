package writer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/mcp-sd/mcp-sd/target"
)

const maxShards = 1000

// Output is one item of the configuration's outputs (contract §3).
type Output struct {
	// Path of the file. Its last element may hold {environment}, {region}, {source}
	// and {shard}.
	Path string `yaml:"path"`
	// Match selects targets: PromQL matchers on the published labels, in braces.
	Match string `yaml:"match"`
	// Mode of the file, octal.
	Mode string `yaml:"mode"`
	// Group of the file; if empty, that of the directory's folder in which it is
	// made.
	Group string `yaml:"group"`
	// MinWriteInterval gathers bursts: the first change is written at once, the next
	// one after this time.
	MinWriteInterval model.Duration `yaml:"min_write_interval"`
	// Shards is the number of files that the targets are spread over, by Prometheus'
	// hashmod over __address__.
	Shards int `yaml:"shards"`
	// MetaLabels is a regular expression of the source's __meta_* labels to publish
	// as well.
	MetaLabels string `yaml:"meta_labels"`
}

// DefaultOutput has the defaults of contract §3.
func DefaultOutput() Output {
	return Output{Mode: "0644", MinWriteInterval: model.Duration(2 * time.Second), Shards: 1}
}

// UnmarshalYAML fills in the defaults. Its older signature keeps the decoder's
// strictness about unknown keys.
func (o *Output) UnmarshalYAML(unmarshal func(any) error) error {
	*o = DefaultOutput()
	type plain Output
	return unmarshal((*plain)(o))
}

// SetDirectory resolves a relative path against dir, as Prometheus does with
// the paths in its configuration: against the folder of the file.
func (o *Output) SetDirectory(dir string) {
	if o.Path != "" && !filepath.IsAbs(o.Path) {
		o.Path = filepath.Join(dir, o.Path)
	}
}

// KeepsMeta reports whether targets need their source's __meta_* labels for
// this output.
func (o Output) KeepsMeta() bool { return o.MetaLabels != "" }

// Validate says what is wrong with one output, field by field, on whatever
// machine.
func (o Output) Validate() []target.FieldError {
	_, errs := o.compile()
	return errs
}

// CheckMachine says what this machine lacks for an output: its directory, its
// group.
func (o Output) CheckMachine() []target.FieldError {
	var errs []target.FieldError
	if _, err := parsePath(o.Path); err == nil { // else Validate says what is wrong with it
		if err := checkDir(filepath.Dir(o.Path)); err != nil {
			errs = append(errs, target.FieldError{Field: "path", Err: err})
		}
	}
	if _, err := parseGroup(o.Group); err != nil {
		errs = append(errs, target.FieldError{Field: "group", Err: err})
	}
	return errs
}

// ValidateOutputs validates a whole list: every item, that there is one, and
// that no two can write the same file. Fields begin with the index, "[1].path".
func ValidateOutputs(outputs []Output) []target.FieldError {
	if len(outputs) == 0 {
		return []target.FieldError{{Err: errors.New("at least one output is needed: write a path, such as /etc/prometheus/targets/mcp-{environment}.json")}}
	}
	var errs []target.FieldError
	for i, o := range outputs {
		for _, e := range o.Validate() {
			errs = append(errs, target.FieldError{Field: fmt.Sprintf("[%d].%s", i, e.Field), Err: e.Err})
		}
		for _, before := range outputs[:i] {
			if mayOverlap(before.Path, o.Path) {
				errs = append(errs, target.FieldError{Field: fmt.Sprintf("[%d].path", i), Err: overlapError(before.Path, o.Path)})
			}
		}
	}
	return errs
}

func mayOverlap(a, b string) bool {
	if filepath.Dir(a) != filepath.Dir(b) {
		return false
	}
	ta, erra := parseTemplate(filepath.Base(a))
	tb, errb := parseTemplate(filepath.Base(b))
	return erra == nil && errb == nil && ta.overlaps(tb)
}

func overlapError(a, b string) error {
	return fmt.Errorf("%q can be the same file as %q of another output: give one of them a directory of its own, or names that no value makes equal", b, a)
}

// output is an Output made ready.
type output struct {
	Output
	dir      *directory
	tmpl     template
	layout   string // what decides which target is in which file of the directory
	matchers []*labels.Matcher
	meta     *metaSelection // nil: none
	mode     fs.FileMode
	gid      int // -1: as it comes
	interval time.Duration
	families map[string]*family
}

func (o Output) compile() (*output, []target.FieldError) {
	c := &output{Output: o, interval: time.Duration(o.MinWriteInterval), families: map[string]*family{}}
	var errs []target.FieldError
	check := func(field string, err error) {
		if err != nil {
			errs = append(errs, target.FieldError{Field: field, Err: err})
		}
	}
	var err error
	c.tmpl, err = parsePath(o.Path)
	check("path", err)
	if err == nil {
		check(shardsMismatch(c.tmpl, o.Shards))
	}
	c.layout = fmt.Sprintf("%s/%d", filepath.Base(o.Path), o.Shards)
	c.matchers, err = parseMatch(o.Match)
	check("match", err)
	c.meta, err = parseMeta(o.MetaLabels)
	check("meta_labels", err)
	c.mode, err = parseMode(o.Mode)
	check("mode", err)
	if o.MinWriteInterval < 0 {
		check("min_write_interval", fmt.Errorf("%s is negative: write 0s or more", o.MinWriteInterval))
	}
	return c, errs
}

func shardsMismatch(t template, shards int) (field string, err error) {
	switch {
	case shards < 1 || shards > maxShards:
		return "shards", fmt.Errorf("%d is out of range: write 1 to %d", shards, maxShards)
	case shards > 1 && !t.sharded:
		return "path", fmt.Errorf("shards is %d, but the name has no {shard}: write it in, as in mcp-{shard}.json", shards)
	case shards == 1 && t.sharded:
		return "path", errors.New("the name has {shard}, but shards is 1: set shards to the number of files, or take {shard} out")
	}
	return "", nil
}

// parsePath checks the whole path; only its last element is a template.
func parsePath(path string) (template, error) {
	dir, base := filepath.Split(path)
	switch {
	case path == "":
		return template{}, errors.New("is missing: write the file to keep, such as /etc/prometheus/targets/mcp-{environment}.json")
	case strings.ContainsAny(path, "*?[]\\"):
		return template{}, fmt.Errorf("%q holds a character of glob patterns: name one file; several come from fields such as {environment}", path)
	case strings.ContainsFunc(path, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		return template{}, fmt.Errorf("%q holds a control character: take it out", path)
	case strings.ContainsAny(dir, "{}"):
		return template{}, fmt.Errorf("%q has a field in a directory: only the last element of the path may have one", path)
	case strings.Contains(dir+"/", "/"+stageName+"/"):
		return template{}, fmt.Errorf("%q is inside a staging folder: write beside %s, not into it", path, stageName)
	case strings.HasPrefix(base, "."):
		return template{}, fmt.Errorf("%q is a hidden file: begin the name with a letter or a digit", base)
	case !strings.HasSuffix(base, ".json"):
		return template{}, fmt.Errorf("%q does not end in .json: mcp-sd writes JSON only, because a truncated YAML file can pass for a shorter list", base)
	}
	return parseTemplate(base)
}

func parseMatch(s string) ([]*labels.Matcher, error) {
	if s == "" {
		return nil, nil
	}
	const hint = `write PromQL matchers in braces, such as {environment="production"}`
	ms, err := parser.NewParser(parser.Options{}).ParseMetricSelector(s)
	if err != nil {
		return nil, fmt.Errorf("%q: %w: %s", s, err, hint)
	}
	for _, m := range ms {
		if m.Name == model.MetricNameLabel {
			return nil, fmt.Errorf("%q selects a metric name, and targets have none: %s", s, hint)
		}
	}
	return ms, nil
}

func parseMeta(s string) (*metaSelection, error) {
	if s == "" {
		return nil, nil
	}
	re, err := regexp.Compile("^(?s:" + s + ")$") // anchored as Prometheus anchors its own
	if err != nil {
		return nil, fmt.Errorf("%q: %w: write a regular expression of whole label names, such as __meta_consul_(dc|node)", s, err)
	}
	return &metaSelection{re: re, chosen: map[string]bool{}}, nil
}

func parseMode(s string) (fs.FileMode, error) {
	v, err := strconv.ParseUint(s, 8, 32)
	switch {
	case err != nil:
		return 0, fmt.Errorf(`%q is no octal file mode: write one such as "0644"`, s)
	case v&^0o777 != 0:
		return 0, fmt.Errorf(`%q has more than permissions: write one such as "0644"`, s)
	case v&0o002 != 0:
		return 0, fmt.Errorf(`%q lets everybody write to the list that Prometheus scrapes: write "0644", or "0664" with a group`, s)
	case v&0o444 == 0:
		return 0, fmt.Errorf(`%q lets nobody read the file: write one such as "0644"`, s)
	}
	return fs.FileMode(v), nil
}

func parseGroup(name string) (gid int, err error) {
	if name == "" {
		return -1, nil
	}
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return -1, fmt.Errorf("%q: %w: create it, or name one that exists", name, err)
	}
	return strconv.Atoi(g.Gid)
}

func checkDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("directory %q does not exist: create it, writable for mcp-sd and readable for Prometheus", dir)
	case err != nil:
		return fmt.Errorf("directory %q: %w: give mcp-sd access to it", dir, err)
	case !info.IsDir():
		return fmt.Errorf("%q is no directory: name a file inside one", dir)
	}
	return nil
}
