package config

import (
	"bytes"
	"fmt"
	"net/url"
	"regexp"
	"slices"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/mcp-sd/mcp-sd/sources"
)

// effective is the outline of what Marshal prints.
type effective struct {
	Global  Global       `yaml:"global"`
	Sources []*yaml.Node `yaml:"sources"`
	Health  *yaml.Node   `yaml:"health"`
	Guard   any          `yaml:"guard"`
	Version any          `yaml:"version"`
	Outputs any          `yaml:"outputs"`
}

// Marshal returns the effective configuration as YAML: one file, with all
// defaults filled in, paths absolute and secrets hidden (contract §9, /config).
// Read back, it means the same, but for the secrets.
func (c *Config) Marshal() ([]byte, error) {
	all, err := c.node()
	if err != nil {
		return nil, err
	}
	hide(all)
	for i, n := range get(all, "sources").Content {
		n.HeadComment = fmt.Sprintf("from %s:%d", c.Sources[i].File, c.Sources[i].Line)
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(all); err != nil {
		return nil, err
	}
	return b.Bytes(), enc.Close()
}

func (c *Config) node() (*yaml.Node, error) {
	e := effective{Global: c.Global, Guard: c.Guard, Version: c.Version, Outputs: c.Outputs}
	var err error
	if e.Health, err = node(c.Health); err != nil {
		return nil, err
	}
	for _, s := range c.Sources {
		n, err := s.node(c, e.Health)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", s.Name, err)
		}
		e.Sources = append(e.Sources, n)
	}
	if !c.HealthEndpoint { // written down they would become part of every target
		drop(e.Health, "scheme", "path")
	}
	return node(e)
}

// node prints one source: what it overrides, not what is global.
func (s Source) node(c *Config, global *yaml.Node) (*yaml.Node, error) {
	out, err := node(struct {
		Name            string                     `yaml:"name"`
		Labels          map[string]string          `yaml:"labels"`
		RelabelConfigs  any                        `yaml:"relabel_configs"`
		RefreshInterval model.Duration             `yaml:"refresh_interval"`
		SourceTimeout   model.Duration             `yaml:"source_timeout"`
		Mechanism       map[string]sources.Options `yaml:",inline"`
	}{
		s.Name, s.Labels, s.RelabelConfigs, model.Duration(s.RefreshInterval), model.Duration(s.Timeout),
		map[string]sources.Options{s.Type: s.Mechanism},
	})
	if err != nil {
		return nil, err
	}
	last := len(out.Content) - 2 // the mechanism, which reads best below the name
	out.Content = slices.Insert(out.Content[:last], 2, out.Content[last:]...)
	own, err := node(s.Health)
	if err != nil {
		return nil, err
	}
	if !s.HealthEndpoint {
		drop(own, "scheme", "path")
	}
	same(own, global, s.HealthEndpoint && !c.HealthEndpoint)
	set(out, "health", own)
	guard, err := node(s.Guard)
	if err != nil {
		return nil, err
	}
	if s.Guard != c.Guard {
		set(out, "guard", guard)
	}
	if s.MCP != nil {
		own, err := node(s.MCP)
		if err != nil {
			return nil, err
		}
		set(out, "mcp", own)
	}
	return out, nil
}

func node(v any) (*yaml.Node, error) {
	n := &yaml.Node{}
	if err := n.Encode(v); err != nil {
		return nil, err
	}
	return n, nil
}

// same takes out of a mapping what another has in the same words; scheme and
// path are kept where they are told apart by being written at all.
func same(n, other *yaml.Node, endpoint bool) {
	for i := 0; i+1 < len(n.Content); {
		key := n.Content[i].Value
		kept := endpoint && (key == "scheme" || key == "path")
		if o := get(other, key); !kept && o != nil && equal(n.Content[i+1], o) {
			n.Content = slices.Delete(n.Content, i, i+2)
			continue
		}
		i += 2
	}
}

func get(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func drop(n *yaml.Node, keys ...string) {
	for i := 0; i+1 < len(n.Content); {
		if slices.Contains(keys, n.Content[i].Value) {
			n.Content = slices.Delete(n.Content, i, i+2)
			continue
		}
		i += 2
	}
}

// set adds a block, unless it is empty.
func set(n *yaml.Node, key string, block *yaml.Node) {
	if len(block.Content) > 0 {
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, block)
	}
}

func equal(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.Value == b.Value && slices.EqualFunc(a.Content, b.Content, equal)
}

// hide takes the credentials out of every URL, and what was not set at all.
// Secrets hide themselves when they are encoded; plain text fields that hold a
// URL do not.
func hide(n *yaml.Node) {
	n.Value = redactURLs(n.Value)
	for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); {
		if n.Content[i+1].ShortTag() == "!!null" {
			n.Content = slices.Delete(n.Content, i, i+2)
			continue
		}
		i += 2
	}
	for _, c := range n.Content {
		hide(c)
	}
}

var (
	userinfo = regexp.MustCompile(`://[^\s"'<>]*@`)
	hasPath  = regexp.MustCompile(`^://[^/?#]*[/?#]`)
)

// redactURLs replaces user and password of every URL in a text.
func redactURLs(s string) string {
	return userinfo.ReplaceAllStringFunc(s, func(m string) string {
		if _, err := url.Parse("x" + m + "host"); err == nil && hasPath.MatchString(m) {
			return m // an @ in the path is no credential
		}
		return "://<secret>@"
	})
}
