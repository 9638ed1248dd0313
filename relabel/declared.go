package relabel

import (
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// declares reports whether a label of an instance, before relabel_configs, says
// that it is an MCP server: a label, tag or metadata called mcp that is not
// false, a tag mcp in a list of tags, or one of a mechanism that lists nothing
// but MCP servers.
func declares(l labels.Label) bool {
	name, meta := strings.CutPrefix(l.Name, target.MetaPrefix)
	switch {
	case !meta:
		return strings.EqualFold(name, "mcp") && affirms(l.Value)
	case strings.HasPrefix(name, "mcp_"):
		return l.Value != ""
	case strings.HasSuffix(strings.ToLower(name), "_mcp"):
		return affirms(l.Value)
	case strings.HasSuffix(name, "_tags"):
		return tagged(l.Value)
	}
	return false
}

func affirms(value string) bool {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "", "0", "false", "no", "off":
		return false
	}
	return true
}

// tagged looks for mcp among tags, whatever separates them; mcp=false is one
// that says no.
func tagged(tags string) bool {
	between := func(r rune) bool { return strings.ContainsRune(",;| \t", r) }
	for tag := range strings.FieldsFuncSeq(tags, between) {
		name, value, valued := strings.Cut(tag, "=")
		if strings.EqualFold(name, "mcp") && (!valued || affirms(value)) {
			return true
		}
	}
	return false
}
