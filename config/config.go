package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v3"

	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/sources"
	"github.com/mcp-sd/mcp-sd/target"
	"github.com/mcp-sd/mcp-sd/writer"
)

// Config is a valid configuration with all defaults filled in (contract §3).
// It is not changed after Load; a reload makes a new one.
//
// It may hold secrets. Printing it in any way (%v, slog, JSON) shows none of
// them, and Marshal hides them; the option structs inside do not all take such
// care when they are printed on their own.
type Config struct {
	File    string // as it was named
	Global  Global
	Sources []Source // in the order that decides between duplicates
	Health  health.Options
	// HealthEndpoint says that health.scheme or health.path was written down:
	// then both are part of every target (contract §5).
	HealthEndpoint bool
	Guard          discovery.GuardOptions
	Version        discovery.VersionOptions
	Outputs        []writer.Output

	lines lines // of the outputs, for CheckEnvironment
}

// Global is the section of the same name.
type Global struct {
	// RefreshInterval of sources that poll.
	RefreshInterval model.Duration `yaml:"refresh_interval"`
	// SourceTimeout of one question to a backend.
	SourceTimeout model.Duration `yaml:"source_timeout"`
	// Labels for every target that lacks them.
	Labels map[string]string `yaml:"labels"`
}

// DefaultGlobal are the defaults of contract §3.
func DefaultGlobal() Global {
	return Global{
		RefreshInterval: model.Duration(60 * time.Second),
		SourceTimeout:   model.Duration(30 * time.Second),
	}
}

// Source is one item of sources with everything that applies to it: the global
// settings are merged in already.
type Source struct {
	Name      string
	Type      string // the mechanism's name
	Operator  bool   // its labels are the operator's own words, see sources.Mechanism
	Mechanism sources.Options
	Labels    map[string]string // the source's own over the global ones

	RelabelConfigs  []*relabel.Config
	RefreshInterval time.Duration
	Timeout         time.Duration
	Health          health.Options
	HealthEndpoint  bool // as Config.HealthEndpoint, or written down in the source itself
	Guard           discovery.GuardOptions
	MCP             *health.MCPOptions // nil: nobody is asked who he is

	Dir  string // absolute; relative paths in the source start here
	File string // where it is written
	Line int
}

// Env is what the source's mechanism is built with.
func (s Source) Env(log *slog.Logger) target.Env {
	return target.Env{
		Source:          s.Name,
		Dir:             s.Dir,
		RefreshInterval: s.RefreshInterval,
		Timeout:         s.Timeout,
		Logger:          log.With("from", s.Name),
	}
}

// Fingerprint changes when the mechanism's options (credentials and HTTP client
// settings aside) or the relabel_configs do, and with nothing else: the first
// listing after such a change is free of the guard's ratio (contract §6).
func (s Source) Fingerprint() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q\n", s.Type, s.Mechanism.Fingerprint())
	rules, err := yaml.Marshal(s.RelabelConfigs)
	if err != nil { // of plain strings and numbers: can't happen
		rules = []byte(err.Error())
	}
	h.Write(rules)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Format prints the name only, whatever the verb: the rest may hold secrets.
func (s Source) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.text()) }

// MarshalText is what slog and JSON print.
func (s Source) MarshalText() ([]byte, error) { return []byte(s.text()), nil }

func (s Source) text() string { return "source " + s.Name + " (" + s.Type + ")" }

// Format prints the file's name only, whatever the verb: the rest may hold
// secrets. Marshal prints the whole.
func (c Config) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.text()) }

// MarshalText is what slog and JSON print.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.text()), nil }

func (c Config) text() string {
	return fmt.Sprintf("configuration %s (%s, %s)", c.File, count(len(c.Sources), "source"), count(len(c.Outputs), "output"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
