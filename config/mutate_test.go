package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

// Mistakes in the right places: a good file with some of its values replaced,
// taken out, doubled or swapped. Every error has its place, nothing panics, and
// what loads can be printed and read back.
func TestMutatedFiles(t *testing.T) {
	paths, err := filepath.Glob("testdata/good/*.yml")
	if err != nil || len(paths) == 0 {
		t.Fatal("no files:", err)
	}
	rapid.Check(t, func(r *rapid.T) {
		data, err := os.ReadFile(rapid.SampledFrom(paths).Draw(r, "file"))
		if err != nil {
			r.Fatal(err)
		}
		var root yaml.Node
		if err := yaml.Unmarshal(data, &root); err != nil {
			r.Fatal(err)
		}
		for range rapid.IntRange(1, 4).Draw(r, "mistakes") {
			mutate(r, &root)
		}
		text, err := yaml.Marshal(&root)
		if err != nil {
			return // an alias whose anchor was taken out
		}
		judge(r, strings.ReplaceAll(string(text), "source_files:", "source_file_:"))
	})
}

func judge(r *rapid.T, text string) {
	c, err := Parse("x.yml", []byte(text), "/nonexistent")
	if err == nil {
		readBack(r, c)
		return
	}
	var all *Errors
	if !errors.As(err, &all) || len(all.List) == 0 {
		r.Fatalf("%T: %v", err, err)
	}
	for _, e := range all.List {
		if e.Line < 1 || e.Line > 1+strings.Count(text, "\n") || e.File != "x.yml" {
			r.Fatalf("%v\nof\n%s", e, text)
		}
	}
}

func mutate(r *rapid.T, root *yaml.Node) {
	var all []*yaml.Node
	collect(root.Content[0], &all)
	n := rapid.SampledFrom(all[1:]).Draw(r, "where")
	other := rapid.SampledFrom(all).Draw(r, "other")
	switch rapid.IntRange(0, 5).Draw(r, "how") {
	case 0:
		*n = yaml.Node{Kind: yaml.ScalarNode, Value: rapid.SampledFrom([]string{"", "~", "x", "-1", "0", "1.5", "true", "1e99", "30s", "a: b", "*", "(", "{shard}", "<<", "9999999999999999999", "[::1]:80", "../x"}).Draw(r, "value")}
	case 1:
		*n = yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "x"}}}
	case 2:
		*n = yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "name"}, {Kind: yaml.ScalarNode, Value: "x"}}}
	case 3: // twice
		if k := len(n.Content); k >= 2 && n.Kind == yaml.MappingNode {
			n.Content = append(n.Content, n.Content[0], n.Content[1])
		}
	case 4: // gone
		if k := len(n.Content); k >= 2 && n.Kind == yaml.MappingNode {
			n.Content = n.Content[2:]
		}
	case 5: // in the wrong place
		if n.Kind != yaml.AliasNode && other.Kind == yaml.ScalarNode {
			*n = *other
		}
	}
}

func collect(n *yaml.Node, all *[]*yaml.Node) {
	*all = append(*all, n)
	for _, c := range n.Content {
		collect(c, all)
	}
}
