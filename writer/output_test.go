package writer

import (
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// Contract §3, outputs: the defaults.
func TestOutputDefaults(t *testing.T) {
	var got []Output
	ok(t, yaml.Unmarshal([]byte("- path: /a/mcp.json\n- {path: /b/mcp.json, mode: 0640, min_write_interval: 5s}\n"), &got))
	want := []Output{
		{Path: "/a/mcp.json", Mode: "0644", MinWriteInterval: model.Duration(2 * time.Second), Shards: 1},
		{Path: "/b/mcp.json", Mode: "0640", MinWriteInterval: model.Duration(5 * time.Second), Shards: 1},
	}
	same(t, "outputs", got, want)
}

func TestOutputIsStrict(t *testing.T) {
	d := yaml.NewDecoder(strings.NewReader("- {path: /a/mcp.json, modes: x}\n"))
	d.KnownFields(true)
	var got []Output
	says(t, d.Decode(&got), "modes")
}

// Contract §3: the template is in the last element only; §7 for the rest.
func TestOutputValidate(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	ok(t, os.WriteFile(file, nil, 0o600))
	tests := []struct {
		name  string
		path  string
		set   func(*Output)
		field string
		want  string // empty: valid
	}{
		{name: "literal", path: "mcp.json"},
		{name: "every field", path: "{source}-{environment}.{region}_{shard}.json", set: sharded(2)},
		{name: "most shards", path: "mcp-{shard}.json", set: sharded(1000)},
		{name: "no path", path: "", field: "path", want: "is missing: write the file to keep"},
		{name: "yaml", path: "mcp.yml", field: "path", want: "does not end in .json: mcp-sd writes JSON only"},
		{name: "upper case", path: "mcp.JSON", field: "path", want: "does not end in .json"},
		{name: "hidden", path: ".mcp.json", field: "path", want: "is a hidden file"},
		{name: "nothing but the ending", path: ".json", field: "path", want: "is a hidden file"},
		{name: "star", path: "mcp-*.json", field: "path", want: "glob patterns: name one file; several come from fields"},
		{name: "field in a directory", path: "{environment}/mcp.json", field: "path", want: "only the last element of the path may have one"},
		{name: "staging folder", path: ".mcp-sd/mcp.json", field: "path", want: "inside a staging folder"},
		{name: "control character", path: "mcp\n.json", field: "path", want: "control character"},
		{name: "unknown field", path: "mcp-{env}.json", field: "path", want: "the field {env} is unknown: {environment}, {region}, {source} and {shard} may be used"},
		{name: "empty field", path: "mcp-{}.json", field: "path", want: "the field {} is unknown"},
		{name: "open brace", path: "mcp-{shard.json", field: "path", want: "{ without }"},
		{name: "closed brace", path: "mcp-shard}.json", field: "path", want: "} without {"},
		{name: "two shards", path: "{shard}{shard}.json", set: sharded(2), field: "path", want: "twice"},
		{name: "shard without shards", path: "mcp-{shard}.json", field: "path", want: "shards is 1: set shards to the number of files, or take {shard} out"},
		{name: "shards without shard", path: "mcp.json", set: sharded(3), field: "path", want: "the name has no {shard}: write it in"},
		{name: "no shards", path: "mcp.json", set: sharded(0), field: "shards", want: "0 is out of range: write 1 to 1000"},
		{name: "too many shards", path: "mcp-{shard}.json", set: sharded(1001), field: "shards", want: "out of range"},
		{name: "missing directory", path: "none/mcp.json", field: "path", want: "does not exist: create it, writable for mcp-sd and readable for Prometheus"},
		{name: "file for directory", path: "file/mcp.json", field: "path", want: "no directory"},
		{name: "matchers", path: "mcp.json", set: func(o *Output) { o.Match = `{environment!="",region=~"eu-.*"}` }},
		{name: "empty matcher", path: "mcp.json", set: func(o *Output) { o.Match = `{environment=""}` }},
		{name: "bad matchers", path: "mcp.json", set: func(o *Output) { o.Match = `environment=prod` }, field: "match", want: `write PromQL matchers in braces, such as {environment="production"}`},
		{name: "bad regexp in matchers", path: "mcp.json", set: func(o *Output) { o.Match = `{a=~"("}` }, field: "match", want: "missing closing )"},
		{name: "metric name", path: "mcp.json", set: func(o *Output) { o.Match = `up{a="b"}` }, field: "match", want: "selects a metric name, and targets have none"},
		{name: "group readable", path: "mcp.json", set: func(o *Output) { o.Mode = "640" }},
		{name: "symbolic mode", path: "mcp.json", set: func(o *Output) { o.Mode = "u=rw" }, field: "mode", want: `no octal file mode: write one such as "0644"`},
		{name: "decimal mode", path: "mcp.json", set: func(o *Output) { o.Mode = "0888" }, field: "mode", want: "no octal"},
		{name: "world-writable", path: "mcp.json", set: func(o *Output) { o.Mode = "0666" }, field: "mode", want: "lets everybody write to the list that Prometheus scrapes"},
		{name: "set-user-id", path: "mcp.json", set: func(o *Output) { o.Mode = "4644" }, field: "mode", want: "more than permissions"},
		{name: "unreadable", path: "mcp.json", set: func(o *Output) { o.Mode = "0200" }, field: "mode", want: "lets nobody read"},
		{name: "unknown group", path: "mcp.json", set: func(o *Output) { o.Group = "no-such-group" }, field: "group", want: "create it, or name one that exists"},
		{name: "negative interval", path: "mcp.json", set: interval(-time.Second), field: "min_write_interval", want: "negative: write 0s or more"},
		{name: "no interval", path: "mcp.json", set: interval(0)},
		{name: "meta labels", path: "mcp.json", set: func(o *Output) { o.MetaLabels = "__meta_consul_(dc|node)" }},
		{name: "bad meta labels", path: "mcp.json", set: func(o *Output) { o.MetaLabels = "(" }, field: "meta_labels", want: "write a regular expression of whole label names"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := DefaultOutput()
			if tt.path != "" {
				o.Path = dir + "/" + tt.path
			}
			if tt.set != nil {
				tt.set(&o)
			}
			errs := append(o.Validate(), o.CheckMachine()...)
			if tt.want == "" {
				same(t, "errors", errs, nil)
				return
			}
			same(t, "number of errors", len(errs), 1)
			same(t, "field", errs[0].Field, tt.field)
			says(t, errs[0].Err, tt.want)
		})
	}
}

func TestOutputGroup(t *testing.T) {
	me, err := user.Current()
	ok(t, err)
	g, err := user.LookupGroupId(me.Gid)
	ok(t, err)
	for _, name := range []string{me.Gid, g.Name} {
		gid, err := parseGroup(name)
		ok(t, err)
		same(t, "gid of "+name, gid, os.Getgid())
	}
}

// All problems at once, each with its place; two outputs that can be the same
// file are one.
func TestValidateOutputs(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) Output { o := DefaultOutput(); o.Path = filepath.Join(dir, name); return o }
	same(t, "none", len(ValidateOutputs(nil)), 1)
	same(t, "apart", ValidateOutputs([]Output{at("a-{environment}.json"), at("b-{environment}.json")}), nil)

	bad := at("{region}-a.json")
	bad.Mode = "0777"
	errs := ValidateOutputs([]Output{at("mcp-{environment}.json"), bad})
	same(t, "number of errors", len(errs), 2)
	same(t, "field", errs[0].Field, "[1].mode")
	same(t, "field", errs[1].Field, "[1].path")
	says(t, errs[1], "mcp-{environment}.json", "{region}-a.json", "can be the same file", "a directory of its own")
}

func TestSetDirectory(t *testing.T) {
	for path, want := range map[string]string{"t/a.json": "/etc/mcp-sd/t/a.json", "/x/a.json": "/x/a.json", "": ""} {
		o := Output{Path: path}
		o.SetDirectory("/etc/mcp-sd")
		same(t, path, o.Path, want)
	}
}
