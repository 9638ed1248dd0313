package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mcp-sd/mcp-sd"

// A pkg is what `go list -json` says about one package of ours; Path is its
// import path below the module, "." for the program itself.
type pkg struct {
	Path         string `json:"-"`
	ImportPath   string
	Dir          string
	Doc          string
	Name         string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
	Deps         []string
}

// ours returns the packages that p imports from this module.
func (p pkg) ours() []string {
	var paths []string
	for _, i := range p.Imports {
		if rel, ok := below(i); ok {
			paths = append(paths, rel)
		}
	}
	return paths
}

func below(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// packages lists the module, tests included, other modules not. What does not
// compile is listed all the same: the compiler says that better.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Dir,Doc,Name,GoFiles,TestGoFiles,XTestGoFiles,Imports,Deps", "./...")
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, stderr.String())
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		p.Path, _ = below(p.ImportPath)
		all = append(all, p)
	}
	if !slices.ContainsFunc(all, func(p pkg) bool { return p.Path == "target" }) {
		t.Fatalf("go list found %d packages, and package target is not among them", len(all))
	}
	return all
}
