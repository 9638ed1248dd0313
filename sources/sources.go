// Package sources is the table of discovery mechanisms: the one place that
// names them all.
//
// A mechanism is a folder beside this file and one line in the table below;
// nothing else in the program knows it by name. Its labels, options and defaults
// are Prometheus' own wherever Prometheus has the mechanism too (contract §3, §4).
package sources

import (
	"slices"

	"github.com/mcp-sd/mcp-sd/sources/consul"
	"github.com/mcp-sd/mcp-sd/sources/ec2"
	"github.com/mcp-sd/mcp-sd/sources/ecs"
	"github.com/mcp-sd/mcp-sd/sources/exec"
	"github.com/mcp-sd/mcp-sd/sources/mcpregistry"
	"github.com/mcp-sd/mcp-sd/sources/prometheus"
	"github.com/mcp-sd/mcp-sd/sources/static"
	"github.com/mcp-sd/mcp-sd/target"
)

// Options is the configuration block of one mechanism. The value behind it is
// a pointer to a struct that already holds the defaults, so that YAML can be
// decoded over it.
//
// A block that takes one item of Prometheus' list may have two of its keys more,
// for which the value then has a method: refresh_interval (RefreshInterval()
// time.Duration, 0 where it was not written) and paths of files (SetDirectory,
// as in Prometheus' config.DirectorySetter; New calls it with env.Dir).
type Options interface {
	// Validate says everything that is wrong with the block, field by field.
	Validate() []target.FieldError
	// New builds the source; it opens nothing and asks nobody. Its error is one
	// that no waiting mends, such as a secret file that is missing.
	New(env target.Env) (target.Source, error)
	// Fingerprint changes when, and only when, an option changes that decides
	// what is listed; credentials and HTTP client settings are none (contract §6).
	Fingerprint() string
}

// Mechanism is one way to discover targets.
type Mechanism struct {
	Name     string         // the key of its block in a source
	Operator bool           // its labels are the operator's own words (see relabel.Options)
	Options  func() Options // a pointer to its defaults
	Doc      string         // one line for people
}

// Mechanisms returns the table, ordered by name.
func Mechanisms() []Mechanism {
	return []Mechanism{
		{Name: "consul", Options: func() Options { return consul.Default() }, Doc: "services registered in Consul, followed by blocking queries"},
		{Name: "ec2", Options: func() Options { return ec2.Default() }, Doc: "instances of Amazon EC2, by tag or any other filter, in several regions and accounts"},
		{Name: "ecs", Options: func() Options { return ecs.Default() }, Doc: "tasks of Amazon ECS, on Fargate and EC2, by docker labels or one port, in several clusters, regions and accounts"},
		{Name: "exec", Operator: true, Options: func() Options { return exec.Default() }, Doc: "what a program prints in Prometheus' file_sd format: a source in any language"},
		{Name: "mcp_registry", Options: func() Options { return mcpregistry.Default() }, Doc: "servers of an MCP registry: the remotes that it lists, with version and status"},
		{Name: "prometheus", Options: func() Options { return prometheus.Default() }, Doc: "whatever Prometheus' own discovery finds, by the *_sd_configs of prometheus.yml: DNS, HTTP, Docker, Nomad, clouds and more"},
		{Name: "static", Operator: true, Options: func() Options { return static.Default() }, Doc: "targets written in the configuration, and watched files in Prometheus' file_sd format"},
	}
}

// Lookup returns the mechanism of that name.
func Lookup(name string) (Mechanism, bool) {
	all := Mechanisms()
	i := slices.IndexFunc(all, func(m Mechanism) bool { return m.Name == name })
	if i < 0 {
		return Mechanism{}, false
	}
	return all[i], true
}
