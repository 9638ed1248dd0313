package house

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sections are those of docs/contract.md that are built, each
// with the packages whose tests have to guard it.
var sections = map[int][]string{
	2:  {"."},
	3:  {"config"},
	4:  {"sources/static", "sources/consul", "sources/ec2", "sources/ecs", "sources/exec", "sources/mcpregistry", "sources/prometheus"},
	5:  {"health", "discovery"},
	6:  {"discovery"},
	7:  {"writer", "relabel"},
	8:  {"discovery"},
	9:  {"web"},
	10: {"discovery", "health", "writer"},
}

var citation = regexp.MustCompile(`[Cc]ontract §+(\d+)(?:, §(\d+))*`)

// A rule of the contract that is built is cited by the tests that guard it, so
// that one finds them from the rule and the rule from them.
func TestContractIsCited(t *testing.T) {
	cited := map[int][]string{}
	parsed(t, func(p pkg, _ string, isTest bool, _ *token.FileSet, f *ast.File) {
		if !isTest {
			return
		}
		for _, c := range f.Comments {
			text := strings.Join(strings.Fields(c.Text()), " ")
			for _, group := range citation.FindAllString(text, -1) {
				for n := range 11 {
					if regexp.MustCompile(fmt.Sprintf(`§%d\b`, n)).MatchString(group) {
						cited[n] = append(cited[n], p.Path)
					}
				}
			}
		}
	})
	for n, rooms := range sections {
		for _, room := range rooms {
			if !slices.Contains(cited[n], room) {
				t.Errorf("no test in %s cites contract §%d", room, n)
			}
		}
	}
}
