package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
	"github.com/mcp-sd/mcp-sd/writer"
)

// Load reads a configuration and the files it names. The error is an *Errors
// with every problem, among them secret files that can't be read. What only the
// machine can be blamed for, a missing output directory, is left to
// CheckEnvironment, unless there are errors anyway: then it is among them.
func Load(path string) (*Config, error) {
	l := newLoader()
	l.machine = true
	data, err := readFile(path, false)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: name the configuration with --config.file", err)
		}
		l.errs.add(Error{File: path, Err: err})
		return nil, l.errs.err()
	}
	c := l.config(path, data, filepath.Dir(path))
	if l.errs.err() != nil {
		c.checkEnvironment(&l.errs)
		return nil, l.errs.err()
	}
	return c, nil
}

// Parse is Load for bytes at hand. Relative paths start at dir; source_files
// are read, secret files are not looked at.
func Parse(name string, data []byte, dir string) (*Config, error) {
	l := newLoader()
	c := l.config(name, data, dir)
	if err := l.errs.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// loader gathers one configuration and everything wrong with it.
type loader struct {
	errs    errorList
	machine bool           // report what only this machine is to blame for, too
	blamed  map[place]bool // fields of which it is
}

func newLoader() *loader { return &loader{blamed: map[place]bool{}} }

// place is where something is written.
type place struct {
	file  string
	line  int
	field string
}

func (d *decoder) place(field string) place { return place{d.file, d.lines.of(field), field} }

// mainFile is mcp-sd.yml. Sources are decoded last, because health and guard
// are their defaults.
type mainFile struct {
	// Global has defaults for all sources.
	Global Global `yaml:"global"`
	// SourceFiles are further files with a list of sources, patterns allowed; they
	// come after those of this file.
	SourceFiles []string `yaml:"source_files"`
	// Sources say how to discover, each with one mechanism. Where two list the same
	// target, the labels of the earlier one win.
	Sources []yaml.Node `yaml:"sources"`
	// Health says how targets are probed and what follows from it.
	Health health.Options `yaml:"health"`
	// Guard bounds what may leave at once.
	Guard discovery.GuardOptions `yaml:"guard"`
	// Version says where the label version comes from.
	Version discovery.VersionOptions `yaml:"version"`
	// Outputs are the files to keep. A target goes to every one that selects it.
	Outputs []writer.Output `yaml:"outputs"`
}

func (l *loader) config(name string, data []byte, dir string) *Config {
	abs := absolute(dir)
	m := mainFile{
		Global:  DefaultGlobal(),
		Health:  health.DefaultOptions(),
		Guard:   discovery.DefaultGuardOptions(),
		Version: discovery.DefaultVersionOptions(),
	}
	c := &Config{File: name}
	d, ok := l.decode(name, data, &m)
	if !ok {
		return c
	}
	l.files(d, "health", &m.Health, abs)
	c.Global, c.Health, c.Guard, c.Version, c.Outputs = m.Global, m.Health, m.Guard, m.Version, m.Outputs
	c.HealthEndpoint = wroteEndpoint(d, "health")
	l.global(d, c.Global)
	l.problems(d, "health", c.Health.Validate())
	l.problems(d, "guard", c.Guard.Validate())
	l.problems(d, "version", c.Version.Validate())
	l.outputs(d, c, abs)
	l.sources(d, c, m, dir)
	l.versionByMCP(d, c)
	return c
}

// versionByMCP reports a version that is wanted from answers to what nobody asks.
func (l *loader) versionByMCP(d *decoder, c *Config) {
	i := slices.Index(c.Version.From, discovery.FromMCP)
	asked := func(s Source) bool { return s.MCP != nil }
	if i < 0 || slices.ContainsFunc(c.Sources, asked) || len(l.errs.list) > 0 {
		return
	}
	d.fail(fmt.Sprintf("version.from[%d]", i), errors.New("mcp, and no server is asked: write mcp: {} into the sources whose servers are to be"))
}

// absolute leaves a path alone where there is no working directory.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// decode reads one file into out; false where not even its outline is right.
func (l *loader) decode(name string, data []byte, out any) (*decoder, bool) {
	d := newDecoder(name, &l.errs)
	root, line, err := parseYAML(data)
	if err != nil {
		l.errs.add(Error{File: name, Line: line, Err: err})
		return d, false
	}
	d.lines[""] = root.Line
	d.value(root, "", reflect.ValueOf(out).Elem())
	return d, unalias(root).Kind == yaml.MappingNode && !d.stopped
}

// problems puts a place to what a Validate found. A field has its error already
// where its value could not be decoded or this machine is to blame.
func (l *loader) problems(d *decoder, field string, errs []target.FieldError) {
	for _, e := range errs {
		if at := below(field, e.Field); !d.told(at) && !l.blamed[d.place(at)] {
			d.fail(at, e.Err)
		}
	}
}

// below joins the path of a block and a path below it.
func below(field, sub string) string {
	switch {
	case sub == "":
		return field
	case sub[0] == '[', field == "":
		return field + sub
	}
	return field + "." + sub
}

// wroteEndpoint reports whether the health block at field says where to ask.
func wroteEndpoint(d *decoder, field string) bool {
	return d.wrote(field+".scheme") || d.wrote(field+".path")
}

// wrote reports whether the file has that field.
func (d *decoder) wrote(field string) bool {
	_, ok := d.lines[field]
	return ok
}

func (l *loader) global(d *decoder, g Global) {
	d.positive("global.refresh_interval", g.RefreshInterval)
	d.positive("global.source_timeout", g.SourceTimeout)
	d.labels("global.labels", g.Labels)
}
