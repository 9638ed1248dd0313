package main

import (
	"bytes"
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
)

// comments reads what stands in the source about the fields of structs.
type comments struct {
	fields map[string]string          // "import/path.Struct.Field" → text
	read   map[string]map[string]bool // import path → its structs
}

func newComments() *comments {
	return &comments{fields: map[string]string{}, read: map[string]map[string]bool{}}
}

// of returns the comment on a field, in one paragraph.
func (c *comments) of(t reflect.Type, field string) (string, error) {
	if c.read[t.PkgPath()] == nil {
		if err := c.parse(t.PkgPath()); err != nil {
			return "", fmt.Errorf("reading the comments of %s: %w", t.PkgPath(), err)
		}
	}
	return c.fields[t.PkgPath()+"."+t.Name()+"."+field], nil
}

func (c *comments) parse(path string) error {
	c.read[path] = map[string]bool{}
	list := exec.CommandContext(context.Background(), "go", "list", "-f", "{{.Dir}}{{range .GoFiles}}\n{{.}}{{end}}", path)
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("%w: %s", err, stderr.String())
	}
	names := strings.Fields(string(out))
	for _, name := range names[1:] {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(names[0], name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				c.structure(path, spec)
			}
			return true
		})
	}
	return nil
}

func (c *comments) structure(path string, spec *ast.TypeSpec) {
	s, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	c.read[path][spec.Name.Name] = true
	for _, f := range s.Fields.List {
		text := f.Doc.Text()
		if text == "" {
			text = f.Comment.Text()
		}
		for _, name := range f.Names {
			c.fields[path+"."+spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(text), " ")
		}
	}
}
