package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mcp-sd/mcp-sd/config"
)

// mainSchema is the file with the schema of mcp-sd.yml.
const mainSchema = "mcp-sd.schema.json"

// generate makes all files by name.
func generate() (map[string][]byte, error) {
	r := &reference{keys: config.Outline(), comments: newComments(), limits: limits(), used: map[string]bool{}}
	schema, err := r.schema()
	if err != nil {
		return nil, err
	}
	sources, err := r.sourcesSchema()
	if err != nil {
		return nil, err
	}
	for name := range r.limits {
		if !r.used[name] {
			return nil, fmt.Errorf("the limit of %s belongs to no key", name)
		}
	}
	rows, err := r.rows("", r.keys, nil)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		mainSchema:                   schema,
		"mcp-sd.sources.schema.json": sources,
		"configuration.md":           markdown(rows),
		"mcp-sd.yml.5":               manual(rows),
	}, nil
}

// row is one key in the running text.
type row struct {
	path, kind, standard, text string
}

// rows lists the keys depth first. The HTTP client's stand there once, under
// health, and so do those that a source repeats of health and guard.
func (r *reference) rows(path string, keys []config.Key, out []row) ([]row, error) {
	for _, k := range keys {
		text, err := r.describe(k)
		if err != nil {
			return nil, err
		}
		at := strings.TrimPrefix(path+"."+k.Name, ".")
		if strings.HasPrefix(at, "sources[]") && k.Struct.PkgPath() == httpClient {
			continue
		}
		inner, list := k.Value, ""
		for inner.Kind == config.List && inner.Item.Kind != config.Text {
			inner, list = *inner.Item, list+"[]"
		}
		out = append(out, row{
			path: at + list, kind: r.words(k), standard: standard(k.Default), text: text,
		})
		if inner.Kind != config.Block || elsewhere(at) {
			continue
		}
		if out, err = r.rows(at+list, inner.Keys, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// httpClient is where the settings of HTTP clients come from.
const httpClient = "github.com/prometheus/common/config"

// elsewhere tells blocks that are described in another place.
func elsewhere(path string) bool {
	return path == "sources[].health" || path == "sources[].guard" || strings.HasSuffix(path, ".oauth2.tls_config")
}

// words says what belongs behind a key.
func (r *reference) words(k config.Key) string {
	l := r.limit(k, "")
	if l.enum != nil {
		return strings.Join(l.enum, " | ")
	}
	switch k.Value.Kind {
	case config.Block:
		return "block"
	case config.Table:
		return "name: " + string(k.Value.Item.Kind)
	case config.Anything:
		return "anything"
	case config.List:
		if items := r.limit(k, ".items").enum; items != nil {
			return "list of " + strings.Join(items, " | ")
		}
		if k.Value.Item.Kind == config.Block {
			return "list"
		}
		return "list of " + string(k.Value.Item.Kind)
	}
	return string(k.Value.Kind)
}

// standard is a default as one writes it.
func standard(v any) string {
	if v == nil {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	s := strings.Trim(string(text), `"`)
	if strings.HasPrefix(s, "[") {
		return strings.NewReplacer(`"`, "", ",", ", ").Replace(s)
	}
	return strings.ReplaceAll(s, `\\`, `\`)
}

// markdown is the reference that the README points to.
func markdown(rows []row) []byte {
	var b bytes.Buffer
	b.WriteString("# mcp-sd.yml\n\nEvery key, generated from the program by `go run ./docs/reference`; the README tells what they are for. " +
		"Any key of `health` and `guard` may also stand in a source. `consul`, `ec2` and `mcp_registry` also take the keys of `health.http_client` in their own block, for their own client. " +
		"`x[]` is an item of the list `x`.\n\n" +
		"[mcp-sd.schema.json](mcp-sd.schema.json) is for editors, and [mcp-sd.sources.schema.json](mcp-sd.sources.schema.json) beside it for the files that `source_files` names. " +
		"With yaml-language-server, the file begins with `# yaml-language-server: $schema=/usr/share/mcp-sd/mcp-sd.schema.json`, where the packages have them.\n")
	top := ""
	for _, r := range rows {
		if head, _, _ := strings.Cut(strings.ReplaceAll(r.path, "[]", ""), "."); head != top {
			top = head
			fmt.Fprintf(&b, "\n## %s\n\n| key | value | default | |\n|---|---|---|---|\n", top)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.path, cell(r.kind), code(r.standard), cell(r.text))
	}
	return b.Bytes()
}

func cell(s string) string { return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(s) }

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(s, "|", `\|`) + "`"
}

// manual is mcp-sd.yml(5). packaging/build fills in date and version.
func manual(rows []row) []byte {
	var b bytes.Buffer
	b.WriteString(`.TH MCP\-SD.YML 5 "@DATE@" "mcp\-sd @VERSION@" "File Formats"
.SH NAME
mcp\-sd.yml \- configuration of mcp\-sd
.SH DESCRIPTION
YAML, decoded strictly: an unknown or duplicate key, a wrong type or a bad value is an error with file, line and field. See all of them at once with
.BR "mcp\-sd check\-config" .
A key that is left out keeps its default.
.PP
At least one source and one output are needed. Any key of health and guard may also stand in a source. consul, ec2 and mcp_registry also take the keys of health.http_client in their own block, for their own client; x[] is an item of the list x. Relative paths start at the directory of the file.
.PP
Any key that ends in _file takes a path below ${CREDENTIALS_DIRECTORY}, for secrets that come by LoadCredential= of systemd.
.SH EXAMPLE
.nf
sources:
  \- name: consul\-prod
    consul: {server: localhost:8500, services: [mcp\-server]}
  \- name: racks
    static: {files: [/etc/mcp\-sd/static/*.yml]}
outputs:
  \- path: /etc/prometheus/targets/mcp\-{environment}.json
.fi
.SH KEYS
`)
	for _, r := range rows {
		fmt.Fprintf(&b, ".TP\n\\fB%s\\fR: %s\n", troff(r.path), troff(r.kind))
		if r.standard != "" {
			fmt.Fprintf(&b, "(default \\fI%s\\fR)\n", troff(r.standard))
		}
		if r.text != "" {
			fmt.Fprintf(&b, "%s\n", troff(r.text))
		} else if r.standard == "" {
			b.WriteString("\\&\n")
		}
	}
	b.WriteString(".SH FILES\n.TP\n\\fI/etc/mcp\\-sd/mcp\\-sd.yml\\fR\nThe default place.\n.TP\n\\fI/usr/share/mcp\\-sd/mcp\\-sd.schema.json\\fR\nThe JSON Schema, for editors: with yaml\\-language\\-server, the file begins with\n# yaml\\-language\\-server: $schema=/usr/share/mcp\\-sd/mcp\\-sd.schema.json\n.TP\n\\fI/usr/share/mcp\\-sd/mcp\\-sd.sources.schema.json\\fR\nThe same for files that source_files names.\n.SH SEE ALSO\n.BR mcp\\-sd (1),\n.BR prometheus (1)\n")
	return b.Bytes()
}

// troff escapes what would mean something to it.
func troff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
