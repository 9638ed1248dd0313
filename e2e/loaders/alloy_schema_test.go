package loaders

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	alloyast "github.com/grafana/alloy/syntax/ast"
	alloyparser "github.com/grafana/alloy/syntax/parser"
)

// The release of Alloy whose components are read, pinned by what is in it.
const (
	alloyModule = "github.com/grafana/alloy"
	alloyTag    = "v1.11.0"
	alloySum    = "h1:Z7oJgYfpubg/OHPyY2CJe/c8CVsz+9TswbFkYozz6cY="
)

// TestAlloyArguments: each component takes the arguments and blocks that it is
// given, and is given what it needs. They stand in the tags of structs that no
// other module can import, so Alloy's source is read, not compiled.
func TestAlloyArguments(t *testing.T) {
	const path = "../../examples/alloy/config.alloy"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := alloyparser.ParseFile(path, text)
	if err != nil {
		t.Fatal(err)
	}
	source := alloySource(t)
	for _, statement := range file.Body {
		block := statement.(*alloyast.BlockStmt)
		name := strings.Join(block.Name, ".")
		folder := strings.ReplaceAll(strings.ReplaceAll(name, "_", ""), ".", "/")
		fields := source.fields(t, filepath.Join("internal/component", folder), "Arguments")
		fields.take(t, source, name+" "+strconv.Quote(block.Label), block.Body)
	}
	// What is no argument is told from one, or nothing above means anything.
	scrape := source.fields(t, "internal/component/prometheus/scrape", "Arguments")
	if scrape["interval"].kind != "" || scrape["basic_auth"].kind != "block" || scrape["targets"].optional || !scrape["job_name"].optional {
		t.Errorf("Alloy's source is misread: %v", scrape)
	}
}

// alloySource has the module unpacked.
func alloySource(t *testing.T) alloyTree {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", alloyModule+"@"+alloyTag)
	cmd.Dir = t.TempDir()
	out, err := cmd.Output()
	var module struct{ Dir, Sum, Error string }
	if jsonErr := json.Unmarshal(out, &module); err != nil || jsonErr != nil {
		t.Fatalf("%v: %v %v %s", cmd, err, jsonErr, module.Error)
	}
	if module.Sum != alloySum {
		t.Fatalf("%s is %s, not %s", alloyTag, module.Sum, alloySum)
	}
	return alloyTree(module.Dir)
}

// An alloyTree is the folder of Alloy's source.
type alloyTree string

// An argument is what a field of a struct stands for in Alloy's language.
type argument struct {
	kind     string // attr or block
	optional bool
	folder   string // of the field's type
	typ      string
}

type arguments map[string]argument

// take compares a block's body with what may and must be in it.
func (a arguments) take(t *testing.T, source alloyTree, where string, body alloyast.Body) {
	t.Helper()
	given := map[string]bool{}
	for _, statement := range body {
		switch s := statement.(type) {
		case *alloyast.AttributeStmt:
			given[s.Name.Name] = true
			if err := a[s.Name.Name].accepts(s.Value); err != nil {
				t.Errorf("%s: %s: %v", where, s.Name.Name, err)
			}
		case *alloyast.BlockStmt:
			name := strings.Join(s.Name, ".")
			given[name] = true
			if a[name].kind != "block" {
				t.Errorf("%s takes no block %s", where, name)
				continue
			}
			source.fields(t, a[name].folder, a[name].typ).take(t, source, where+" "+name, s.Body)
		}
	}
	for name, arg := range a {
		if !arg.optional && !given[name] {
			t.Errorf("%s lacks %s", where, name)
		}
	}
}

// accepts looks at literals; what is computed has its type elsewhere.
func (a argument) accepts(value alloyast.Expr) error {
	if a.kind != "attr" {
		return fmt.Errorf("there is no such argument")
	}
	_, isList := value.(*alloyast.ArrayExpr)
	literal, isLiteral := value.(*alloyast.LiteralExpr)
	switch {
	case strings.HasPrefix(a.typ, "[]") && isLiteral, !strings.HasPrefix(a.typ, "[]") && isList:
		return fmt.Errorf("it is a %s", a.typ)
	case a.typ == "time.Duration" && isLiteral:
		text, err := strconv.Unquote(literal.Value)
		if err == nil {
			_, err = time.ParseDuration(text)
		}
		return err
	case a.typ == "string" && isLiteral && !strings.HasPrefix(literal.Value, `"`):
		return fmt.Errorf("%s is no string", literal.Value)
	}
	return nil
}

// fields reads what a struct of a folder's package stands for.
func (tree alloyTree) fields(t *testing.T, folder, name string) arguments {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(string(tree), folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if s := structNamed(d, name); s != nil {
				return tree.arguments(t, folder, file, s)
			}
		}
	}
	t.Fatalf("Alloy %s has no %s in %s", alloyTag, name, folder)
	return nil
}

func structNamed(d ast.Decl, name string) *ast.StructType {
	g, ok := d.(*ast.GenDecl)
	if !ok {
		return nil
	}
	for _, spec := range g.Specs {
		if ts, ok := spec.(*ast.TypeSpec); ok && ts.Name.Name == name {
			s, _ := ts.Type.(*ast.StructType)
			return s
		}
	}
	return nil
}

func (tree alloyTree) arguments(t *testing.T, folder string, file *ast.File, s *ast.StructType) arguments {
	t.Helper()
	all := arguments{}
	for _, f := range s.Fields.List {
		if f.Tag == nil {
			continue
		}
		tag := strings.Split(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("alloy"), ",")
		if len(tag) < 2 {
			continue
		}
		arg := argument{kind: tag[1], optional: len(tag) > 2 && tag[2] == "optional", folder: folder, typ: typeName(f.Type)}
		if arg.kind != "attr" {
			arg.folder, arg.typ = declaredIn(folder, file, f.Type)
		}
		if arg.kind != "squash" {
			all[tag[0]] = arg
			continue
		}
		for name, inner := range tree.fields(t, arg.folder, arg.typ) {
			all[name] = inner
		}
	}
	return all
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return typeName(e.X) + "." + e.Sel.Name
	case *ast.ArrayType:
		return "[]" + typeName(e.Elt)
	case *ast.StarExpr:
		return typeName(e.X)
	}
	return ""
}

// declaredIn finds the folder of a block's type by the file's imports.
func declaredIn(folder string, file *ast.File, e ast.Expr) (in, name string) {
	name = strings.TrimPrefix(typeName(e), "[]")
	pkg, local, ok := strings.Cut(name, ".")
	if !ok {
		return folder, name
	}
	for _, i := range file.Imports {
		path, _ := strconv.Unquote(i.Path.Value)
		if i.Name != nil && i.Name.Name == pkg || i.Name == nil && filepath.Base(path) == pkg {
			return strings.TrimPrefix(path, alloyModule+"/"), local
		}
	}
	return folder, name
}
