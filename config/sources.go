package config

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v3"

	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/sources"
	"github.com/mcp-sd/mcp-sd/target"
)

var sourceName = regexp.MustCompile(`^[a-z0-9_-]{1,63}$`)

// sourceFile is a file that source_files names.
type sourceFile struct {
	Sources []yaml.Node `yaml:"sources"`
}

// sourceKeys are the keys of a source but for those of the mechanisms.
type sourceKeys struct {
	// Name of the source in logs, metrics and __meta_mcp_sd_source; no two have the
	// same.
	Name string `yaml:"name"`
	// Labels for every target of the source that lacks them, before global.labels.
	Labels map[string]string `yaml:"labels"`
	// RelabelConfigs are Prometheus' own, run by its own library.
	RelabelConfigs []*relabel.Config `yaml:"relabel_configs"`
	// Health overrides keys of the section health for this source.
	Health health.Options `yaml:"health"`
	// Guard overrides keys of the section guard for this source.
	Guard discovery.GuardOptions `yaml:"guard"`
	// MCP, even empty ({}), has each server asked who it is, beside the probes and
	// within their bounds; without it nobody is.
	MCP *health.MCPOptions `yaml:"mcp"`
	// RefreshInterval between two listings, if the source polls; by default that of
	// global.
	RefreshInterval model.Duration `yaml:"refresh_interval"`
	// SourceTimeout of one question to the backend; by default that of global.
	SourceTimeout model.Duration       `yaml:"source_timeout"`
	Others        map[string]yaml.Node `yaml:",inline"` // the mechanism, or a mistake
}

// sources reads all of them: the main file's, then those of source_files in
// the files' order.
func (l *loader) sources(d *decoder, c *Config, m mainFile, dir string) {
	before := len(l.errs.list)
	names := map[string]place{}
	l.listed(d, c, m.Sources, absolute(dir), names)
	for _, path := range l.sourceFiles(d, m.SourceFiles, dir) {
		data, err := readFile(path, true)
		if err != nil {
			l.errs.add(Error{File: path, Err: err})
			continue
		}
		var f sourceFile
		if sub, ok := l.decode(path, data, &f); ok {
			l.listed(sub, c, f.Sources, absolute(filepath.Dir(path)), names)
		}
	}
	if len(c.Sources) == 0 && len(l.errs.list) == before && !d.told("sources") {
		d.fail("sources", errors.New("no source: name at least one, here or in a file that source_files names"))
	}
}

// sourceFiles expands the patterns. Hidden files match only where the pattern
// begins with a dot, as in a shell: editors leave theirs behind.
func (l *loader) sourceFiles(d *decoder, patterns []string, dir string) []string {
	var paths []string
	for i, p := range patterns {
		field := fmt.Sprintf("source_files[%d]", i)
		if p != "" && !filepath.IsAbs(p) {
			p = filepath.Join(dir, p)
		}
		matches, err := filepath.Glob(p)
		switch {
		case err != nil:
			d.fail(field, fmt.Errorf("bad pattern %q: close the [ or escape it with a backslash", p))
		case p == "":
			d.fail(field, errors.New("is empty: write a path such as /etc/mcp-sd/sources.d/*.yml"))
		case len(matches) == 0 && !strings.ContainsAny(p, `*?[\`):
			d.fail(field, fmt.Errorf("no such file: %s (a pattern such as *.yml may match none)", p))
		}
		hidden := strings.HasPrefix(filepath.Base(p), ".")
		for _, m := range matches {
			if hidden || !strings.HasPrefix(filepath.Base(m), ".") {
				paths = append(paths, m)
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// listed reads one file's sources. Every name is taken once over all files.
func (l *loader) listed(d *decoder, c *Config, nodes []yaml.Node, dir string, names map[string]place) {
	for i := range nodes {
		field := fmt.Sprintf("sources[%d]", i)
		if d.told(field) || d.stopped {
			continue // an empty item, or no end of aliases
		}
		s := l.source(d, c, &nodes[i], field, dir)
		if first, twice := names[s.Name]; twice {
			d.fail(field+".name", fmt.Errorf("%q is the name of %s in %s, line %d, already: names are unique over all files", s.Name, first.field, first.file, first.line))
		} else if s.Name != "" {
			names[s.Name] = d.place(field)
		}
		c.Sources = append(c.Sources, s)
	}
}

// source reads one item of sources.
func (l *loader) source(d *decoder, c *Config, n *yaml.Node, field, dir string) Source {
	k := sourceKeys{Health: c.Health, Guard: c.Guard, RefreshInterval: c.Global.RefreshInterval, SourceTimeout: c.Global.SourceTimeout}
	before := d.bad
	d.value(n, field, reflect.ValueOf(&k).Elem())
	s := Source{Name: k.Name, Dir: dir, File: d.file, Line: d.lines.of(field)}
	if d.stopped || d.bad > before && n.Kind != yaml.MappingNode {
		return s // no source at all, and said so
	}
	l.name(d, field, k.Name)
	l.mechanism(d, field, k, &s)
	l.overrides(d, c, field, &k, dir)
	d.labels(field+".labels", k.Labels)
	d.rules(field+".relabel_configs", k.RelabelConfigs)
	s.Labels = maps.Clone(c.Global.Labels)
	if s.Labels == nil {
		s.Labels = map[string]string{}
	}
	maps.Copy(s.Labels, k.Labels)
	s.RelabelConfigs, s.Health, s.Guard, s.MCP = k.RelabelConfigs, k.Health, k.Guard, k.MCP
	s.HealthEndpoint = c.HealthEndpoint || wroteEndpoint(d, field+".health")
	s.Timeout = time.Duration(k.SourceTimeout)
	s.RefreshInterval = l.refreshInterval(d, field, k, s)
	return s
}

func (l *loader) name(d *decoder, field, name string) {
	field += ".name"
	switch {
	case d.told(field):
	case name == "":
		d.fail(field, errors.New("a source needs a name: it stands in logs, metrics and __meta_mcp_sd_source"))
	case !sourceName.MatchString(name):
		d.fail(field, fmt.Errorf("%q is no source name: write 1 to 63 of a-z, 0-9, _ and -", name))
	}
}

// mechanism finds the one block that says how to discover, and decodes it.
func (l *loader) mechanism(d *decoder, field string, k sourceKeys, s *Source) {
	legal := d.sourceShape()
	var names, given []string
	for _, m := range sources.Mechanisms() {
		names = append(names, m.Name)
		if _, ok := k.Others[m.Name]; ok {
			given = append(given, m.Name)
		}
	}
	meant := false // by an unknown key, whose error says what to write
	for _, key := range slices.Sorted(maps.Keys(k.Others)) {
		if !slices.Contains(given, key) {
			d.unknown(field, key, legal)
			meant = meant || nearest(key, names) != "" || strings.HasSuffix(key, "_configs")
		}
	}
	switch {
	case len(given) == 0 && !meant:
		d.fail(field, fmt.Errorf("does not say how to discover: add one of %s", strings.Join(names, ", ")))
	case len(given) > 1:
		d.fail(field, fmt.Errorf("has %s at once: make a source of each", strings.Join(given, " and ")))
	}
	for _, key := range given {
		l.options(d, field+"."+key, key, k.Others[key], k.RelabelConfigs, s)
	}
}

// sourceShape is that of a source with every mechanism's block.
func (d *decoder) sourceShape() shape {
	if d.source.names != nil {
		return d.source
	}
	s := d.shape(reflect.TypeFor[sourceKeys]())
	s.names, s.blocks = slices.Clone(s.names), maps.Clone(s.blocks)
	for _, m := range sources.Mechanisms() {
		s.names = append(s.names, m.Name)
		s.nested(m.Name, reflect.TypeOf(m.Options()))
	}
	d.source = s
	return s
}

// options decodes the block of one mechanism. What is listed need be no address
// yet where relabel_configs make one of it.
func (l *loader) options(d *decoder, field, name string, n yaml.Node, rules []*relabel.Config, s *Source) {
	m, _ := sources.Lookup(name)
	if n.Kind == yaml.SequenceNode {
		d.refuse(field, errors.New(listOfBlocks(name)))
		return
	}
	s.Type, s.Operator, s.Mechanism = m.Name, m.Operator, m.Options()
	before := d.bad
	d.value(&n, field, reflect.ValueOf(s.Mechanism).Elem())
	l.files(d, field, s.Mechanism, s.Dir)
	if d.bad > before && n.Kind != yaml.MappingNode {
		return
	}
	errs := s.Mechanism.Validate()
	if rewriteAddress(rules) {
		errs = slices.DeleteFunc(errs, func(e target.FieldError) bool { return errors.Is(e.Err, target.ErrAddress) })
	}
	l.problems(d, field, errs)
}

// overrides checks a source's own health and guard. What is wrong with the
// global ones was said already.
func (l *loader) overrides(d *decoder, c *Config, field string, k *sourceKeys, dir string) {
	if d.wrote(field + ".health") {
		if d.wrote(field + ".health.http_client") {
			l.files(d, field+".health", &k.Health, dir)
		}
		l.problems(d, field+".health", without(k.Health.Validate(), c.Health.Validate()))
	}
	if d.wrote(field + ".guard") {
		l.problems(d, field+".guard", without(k.Guard.Validate(), c.Guard.Validate()))
	}
	if k.MCP != nil {
		l.problems(d, field+".mcp", k.MCP.Validate())
		if !k.Health.Enabled {
			d.fail(field+".mcp", errors.New("asks beside the probes, and health.enabled is false: take one of them out"))
		}
	}
	d.positive(field+".refresh_interval", k.RefreshInterval)
	d.positive(field+".source_timeout", k.SourceTimeout)
}

// positive reports a duration of 0 where it is written.
func (d *decoder) positive(field string, v model.Duration) {
	if v <= 0 && d.wrote(field) && !d.told(field) {
		d.fail(field, errors.New("must be longer than 0s"))
	}
}

func without(errs, known []target.FieldError) []target.FieldError {
	return slices.DeleteFunc(errs, func(e target.FieldError) bool {
		return slices.ContainsFunc(known, func(k target.FieldError) bool { return k.Error() == e.Error() })
	})
}

// refreshInterval also takes a refresh_interval inside the mechanism's block,
// where prometheus.yml has it. The source's own wins.
func (l *loader) refreshInterval(d *decoder, field string, k sourceKeys, s Source) time.Duration {
	if o, ok := s.Mechanism.(interface{ RefreshInterval() time.Duration }); ok && !d.wrote(field+".refresh_interval") {
		if v := o.RefreshInterval(); v > 0 {
			return v
		}
	}
	return time.Duration(k.RefreshInterval)
}
