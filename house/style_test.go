package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	maxFileLines     = 350
	maxFunctionLines = 60
	minDocLength     = 60 // shorter package comments only repeat the name
)

// parsed calls check with every Go file of the module.
func parsed(t *testing.T, check func(p pkg, name string, isTest bool, fset *token.FileSet, f *ast.File)) {
	t.Helper()
	for _, p := range packages(t) {
		for _, name := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			check(p, filepath.Join(p.Path, name), strings.HasSuffix(name, "_test.go"), fset, f)
		}
	}
}

func TestPackageComments(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 && len(p.Doc) < minDocLength {
			t.Errorf("package %s: the package comment %q does not say what the package is for", p.Path, p.Doc)
		}
	}
}

func TestNames(t *testing.T) {
	vague := []string{"manager", "util", "utils", "helper", "helpers", "common", "misc", "base"}
	for _, p := range packages(t) {
		if slices.Contains(vague, p.Name) {
			t.Errorf("package %s: %q says nothing about what is in it", p.Path, p.Name)
		}
	}
}

func TestSizes(t *testing.T) {
	parsed(t, func(_ pkg, name string, isTest bool, fset *token.FileSet, f *ast.File) {
		if isTest {
			return
		}
		if n := fset.File(f.FileStart).LineCount(); n > maxFileLines {
			t.Errorf("%s has %d lines, at most %d: split it by idea", name, n, maxFileLines)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1
			if lines > maxFunctionLines {
				t.Errorf("%s: %s has %d lines, at most %d", name, fn.Name.Name, lines, maxFunctionLines)
			}
		}
	})
}

// Registration is a readable table: nothing happens by importing a package.
func TestNoInit(t *testing.T) {
	parsed(t, func(_ pkg, name string, _ bool, _ *token.FileSet, f *ast.File) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: has an init()", name)
			}
		}
	})
}

// Tests wait for what they test, in virtual time where time matters, and none
// of them stands aside.
func TestTestsNeitherSleepNorSkip(t *testing.T) {
	banned := map[string]string{
		"time.Sleep": "wait for the condition itself, or use testing/synctest",
		"t.Skip":     "a test that is left out guards nothing",
		"t.Skipf":    "a test that is left out guards nothing",
		"t.SkipNow":  "a test that is left out guards nothing",
		"b.Skip":     "a benchmark that is left out rots",
	}
	parsed(t, func(_ pkg, name string, isTest bool, fset *token.FileSet, f *ast.File) {
		if !isTest {
			return
		}
		virtual := slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` })
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if virtual && called(call) == "time.Sleep" {
				return true // in a bubble it takes no time
			}
			if why, bad := banned[called(call)]; bad {
				t.Errorf("%s:%d calls %s: %s", name, fset.Position(call.Pos()).Line, called(call), why)
			}
			return true
		})
	})
}

// called is "x.F" for a call of x.F.
func called(call *ast.CallExpr) string {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return x.Name + "." + sel.Sel.Name
}

// The standard library's slog is the only logger; the one that packages of
// others write to is led there.
func TestOneLogger(t *testing.T) {
	parsed(t, func(_ pkg, name string, isTest bool, _ *token.FileSet, f *ast.File) {
		for _, i := range f.Imports {
			if !isTest && i.Path.Value == `"log"` && filepath.Base(name) != "libraries.go" {
				t.Errorf("%s: imports log: take a *slog.Logger instead", name)
			}
		}
	})
}
