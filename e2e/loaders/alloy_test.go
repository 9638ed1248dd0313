package loaders

import (
	"os"
	"strings"
	"testing"

	"github.com/grafana/alloy/syntax/ast"
	"github.com/grafana/alloy/syntax/parser"
)

// Alloy's own parser takes the example, every component that is referred to is
// there, and it reads the files that Prometheus reads.
func TestAlloy(t *testing.T) {
	const path = "../../examples/alloy/config.alloy"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(path, text)
	if err != nil {
		t.Fatal(err)
	}
	defined, used := components(file)
	for _, want := range []string{"discovery.file.mcp", "prometheus.scrape.mcp", "prometheus.scrape.mcp_sd", "prometheus.remote_write.fleet"} {
		if !defined[want] {
			t.Errorf("there is no %s, but %v", want, defined)
		}
	}
	for _, reference := range used {
		component := reference[:strings.LastIndex(reference, ".")]
		if !defined[component] {
			t.Errorf("%s is used and not defined", component)
		}
	}
	if len(used) != 3 {
		t.Errorf("three references are expected: %q", used)
	}
	shipped, err := os.ReadFile("../../examples/prometheus/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, same := range []string{"/etc/prometheus/targets/mcp-*.json", "127.0.0.1:10917"} {
		if !strings.Contains(string(text), `"`+same+`"`) || !strings.Contains(string(shipped), same) {
			t.Errorf("%s should be in both configurations", same)
		}
	}
}

// components are those that a file defines, and the exports that it uses.
func components(file *ast.File) (defined map[string]bool, used []string) {
	defined = map[string]bool{}
	for _, statement := range file.Body {
		block, ok := statement.(*ast.BlockStmt)
		if !ok {
			continue
		}
		defined[strings.Join(block.Name, ".")+"."+block.Label] = true
		ast.Walk(accesses(func(path string) { used = append(used, path) }), block)
	}
	return defined, used
}

// accesses is called with each a.b.c of an expression.
type accesses func(path string)

// Visit is ast.Visitor's.
func (f accesses) Visit(n ast.Node) ast.Visitor {
	access, ok := n.(*ast.AccessExpr)
	if !ok {
		return f
	}
	f(dotted(access))
	return nil
}

func dotted(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.AccessExpr:
		return dotted(e.Value) + "." + e.Name.Name
	case *ast.IdentifierExpr:
		return e.Ident.Name
	}
	return "?"
}
