package config

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"go.yaml.in/yaml/v3"

	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/sources"
	"github.com/mcp-sd/mcp-sd/writer"
)

// Summary says for people what was understood: every source and what it will
// look at, every output, and where defaults apply. Secrets are hidden. It is
// what check-config prints.
func (c *Config) Summary() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s is valid\n\n%s", c.File, count(len(c.Sources), "source"))
	if len(c.Sources) > 1 {
		fmt.Fprint(w, " (where two list the same target, the labels of the earlier win)")
	}
	fmt.Fprintln(w)
	for _, s := range c.Sources {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", s.Name, s.Type, s.summary(c))
	}
	fmt.Fprintf(w, "\n%s\n", count(len(c.Outputs), "output"))
	for _, o := range c.Outputs {
		rest := writer.DefaultOutput()
		rest.Path = o.Path
		fmt.Fprintf(w, "  %s\t%s\n", o.Path, orDefaults(changed(o, rest)))
	}
	fmt.Fprintln(w, "\nsettings")
	for _, section := range []struct {
		name         string
		is, defaults any
	}{
		{"global", c.Global, DefaultGlobal()},
		{"health", c.Health, health.DefaultOptions()},
		{"guard", c.Guard, discovery.DefaultGuardOptions()},
		{"version", c.Version, discovery.DefaultVersionOptions()},
	} {
		fmt.Fprintf(w, "  %s\t%s\n", section.name, orDefaults(changed(section.is, section.defaults)))
	}
	w.Flush()
	return b.String()
}

// summary says what one source looks at, and what it has of its own.
func (s Source) summary(c *Config) string {
	var defaults sources.Options
	if m, ok := sources.Lookup(s.Type); ok {
		defaults = m.Options()
	}
	parts := []string{orDefaults(changed(s.Mechanism, defaults))}
	if health := changed(s.Health, c.Health); health != "" {
		parts = append(parts, "health "+health)
	}
	if guard := changed(s.Guard, c.Guard); guard != "" {
		parts = append(parts, "guard "+guard)
	}
	if s.MCP != nil {
		parts = append(parts, "mcp "+orDefaults(changed(s.MCP, health.DefaultMCPOptions())))
	}
	if n := len(s.RelabelConfigs); n > 0 {
		parts = append(parts, count(n, "relabel rule"))
	}
	return strings.Join(parts, ", ")
}

func orDefaults(s string) string {
	if s == "" {
		return "defaults"
	}
	return s
}

// changed prints in one line what an option struct has that another has not.
func changed(v, other any) string {
	n, err := node(v)
	if err != nil {
		return "?"
	}
	o, err := node(other)
	if err != nil {
		return "?"
	}
	same(n, o, false)
	if len(n.Content) == 0 {
		return ""
	}
	hide(n)
	shorten(n)
	line, err := yaml.Marshal(n)
	if err != nil {
		return "?"
	}
	return strings.Join(strings.Fields(string(line)), " ")
}

// shorten makes a value fit for one line.
func shorten(n *yaml.Node) {
	const most = 4
	n.Style = yaml.FlowStyle
	if n.Kind == yaml.ScalarNode {
		n.Style = 0
	}
	if n.Kind == yaml.SequenceNode {
		targets, groups := inside(n)
		switch {
		case groups:
			*n = yaml.Node{Kind: yaml.ScalarNode, Value: count(targets, "target")}
		case len(n.Content) > most:
			*n = yaml.Node{Kind: yaml.ScalarNode, Value: count(len(n.Content), "item")}
		}
	}
	for _, c := range n.Content {
		shorten(c)
	}
}

// inside counts the targets of a list of groups, as static_configs is one.
func inside(list *yaml.Node) (targets int, groups bool) {
	for _, item := range list.Content {
		t := get(item, "targets")
		if t == nil {
			return 0, false
		}
		targets += len(t.Content)
	}
	return targets, len(list.Content) > 0
}
