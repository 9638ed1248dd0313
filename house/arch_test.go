package house

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
)

type room struct {
	name string // of the package
	may  []string
	why  string
}

// rooms says what each package may import of this module. A pattern stands for
// the folders that path.Match finds; the first that fits a package counts.
// Tests may import more: only programs have an architecture to keep.
var rooms = []room{
	{"target", nil, "the vocabulary imports nothing of ours"},
	{"jsonstream", nil, "knows nothing of what it writes"},
	{"relabel", []string{"target"}, ""},
	{"health", []string{"target", "jsonstream"}, ""},
	{"writer", []string{"target"}, ""},
	{"sources", []string{"target", "sources/*"}, "the table names every mechanism"},
	{"sources/httpconfig", nil, "what blocks with an HTTP client in them share"},
	{"sources/filesd", []string{"target"}, "a format, no mechanism"},
	{"sources/amazon", []string{"target", "sources/httpconfig"}, "what mechanisms for Amazon's services share"},
	{"sources/ec2", []string{"target", "sources/amazon"}, "a mechanism knows no other mechanism"},
	{"sources/ecs", []string{"target", "sources/amazon"}, "a mechanism knows no other mechanism"},
	{"sources/static", []string{"target", "sources/filesd"}, "a mechanism knows no other mechanism"},
	{"sources/exec", []string{"target", "sources/filesd"}, "a mechanism knows no other mechanism"},
	{"sources/prometheus/mechanisms", nil, "links what Prometheus' library has"},
	{"sources/prometheus/weigh", nil, "a program that measures"},
	{"sources/*", []string{"target", "sources/httpconfig"}, "a mechanism knows no other room, and no other mechanism"},
	{"sources/*/*", []string{"target"}, ""},
	{"sources/*/*/*", []string{"sources/*/*"}, "a fake as a program, for e2e"},
	{"discovery", []string{"target", "relabel", "health", "jsonstream"}, "the writer and the state's folder come through interfaces that it declares"},
	{"state", nil, "a folder of small files; what is in them is discovery's business"},
	{"systemd", nil, "it is told what to say"},
	{"textfile", nil, "metrics of a single pass; it sees the state's folder through an interface"},
	{"config", []string{"target", "relabel", "sources", "health", "discovery", "writer"}, "gathers the options that each package owns"},
	{"web", []string{"target", "discovery", "health"}, "reads the views that discovery publishes; of health only the verdicts"},
	{"cli", []string{"target", "discovery"}, "reads the views that discovery publishes"},
	{".", []string{"*", "sources/*", "sources/prometheus/mechanisms"}, "main alone wires everything"},
	{"examples/*", []string{"examples/*", "examples/*/*"}, "an example uses the program, not its packages"},
	{"examples/*/*", []string{"examples/*", "examples/*/*"}, ""},
	{"docs", nil, ""},
	{"docs/reference", []string{"config"}, "what there is to read comes out of what is decoded"},
	{"docs/*", nil, ""},
	{"house", nil, ""},
	{"house/ports", nil, "for tests and benchmarks"},
	{"packaging", nil, ""},
}

// The arrows of the architecture: any import that rooms doesn't allow fails,
// and so does a package that has no row.
func TestArrows(t *testing.T) {
	for _, p := range packages(t) {
		for _, wrong := range arrows(p) {
			t.Error(wrong)
		}
	}
}

// arrows says what is wrong with the imports of a package.
func arrows(p pkg) (wrong []string) {
	i := slices.IndexFunc(rooms, func(r room) bool { return matches(r.name, p.Path) })
	if i < 0 {
		return []string{fmt.Sprintf("package %s has no row in rooms: say there what it may import, and draw it into the README's picture", p.Path)}
	}
	r := rooms[i]
	for _, imported := range p.ours() {
		if !anyMatches(r.may, imported) {
			wrong = append(wrong, fmt.Sprintf("package %s imports %s, but %s may import %s of ours (%s)", p.Path, imported, r.name, list(r.may), r.why))
		}
	}
	return wrong
}

// Heavy clients stay in the rooms that need them.
type client struct {
	prefix string
	rooms  []string // may import it
	reach  []string // may depend on a room that does; nil: anyone
	why    string
}

var clients = []client{
	{
		"github.com/hashicorp/consul/",
		[]string{"sources/consul", "sources/consul/*"},
		[]string{"sources", "config", "docs/reference", "."},
		"Consul is one mechanism among many",
	},
	{
		"github.com/aws/",
		[]string{"sources/amazon", "sources/ec2", "sources/ec2/*", "sources/ecs"},
		[]string{"sources", "config", "docs/reference", ".", "sources/prometheus/mechanisms"},
		"it makes binaries large and builds slow",
	},
	{
		"github.com/prometheus/prometheus/discovery/",
		[]string{"sources/prometheus", "sources/prometheus/*"},
		[]string{"sources", "config", "docs/reference", "."},
		"its mechanisms are heavy: only main links them",
	},
	{
		"github.com/modelcontextprotocol/",
		[]string{"examples/mcp-server", "examples/mcp-server/*"},
		nil, "its client reads bodies without a limit",
	},
	{
		"github.com/prometheus/exporter-toolkit", []string{"web", "."}, nil, "only web listens",
	},
	{
		"github.com/alecthomas/kingpin", []string{".", "cli", "examples/*"}, nil, "only programs have flags",
	},
}

func TestClientsStayInTheirRooms(t *testing.T) {
	for _, p := range packages(t) {
		for _, wrong := range strayClients(p) {
			t.Error(wrong)
		}
	}
}

func strayClients(p pkg) (wrong []string) {
	for _, c := range clients {
		if anyMatches(c.rooms, p.Path) {
			continue
		}
		is := func(i string) bool { return strings.HasPrefix(i, c.prefix) }
		if slices.ContainsFunc(p.Imports, is) {
			wrong = append(wrong, fmt.Sprintf("package %s imports %s, which belongs into %s: %s", p.Path, c.prefix, list(c.rooms), c.why))
		} else if c.reach != nil && !anyMatches(c.reach, p.Path) && slices.ContainsFunc(p.Deps, is) {
			wrong = append(wrong, fmt.Sprintf("package %s depends on %s through what it imports: %s", p.Path, c.prefix, c.why))
		}
	}
	return wrong
}

// The rules above see what they are made for.
func TestArrowsAndClientsAreSeen(t *testing.T) {
	const consul = "github.com/hashicorp/consul/api"
	for _, c := range []struct {
		name string
		p    pkg
		want string
	}{
		{"target imports one of ours", pkg{Path: "target", Imports: []string{module + "/health"}}, "package target imports health"},
		{"a room imports main", pkg{Path: "web", Imports: []string{module}}, "package web imports ."},
		{"one mechanism imports another", pkg{Path: "sources/static", Imports: []string{module + "/sources/consul"}}, "package sources/static imports sources/consul"},
		{"the engine imports the writer", pkg{Path: "discovery", Imports: []string{module + "/writer"}}, "package discovery imports writer"},
		{"a room imports config", pkg{Path: "health", Imports: []string{module + "/config"}}, "package health imports config"},
		{"a package without a row", pkg{Path: "pkg/retry"}, "package pkg/retry has no row"},
		{"Consul's client in the engine", pkg{Path: "discovery", Imports: []string{consul}}, "package discovery imports github.com/hashicorp/consul/"},
		{"Consul's client below the engine", pkg{Path: "discovery", Deps: []string{consul}}, "package discovery depends on github.com/hashicorp/consul/"},
		{"the AWS SDK in static", pkg{Path: "sources/static", Imports: []string{"github.com/aws/aws-sdk-go-v2/aws"}}, "package sources/static imports github.com/aws/"},
	} {
		got := strings.Join(append(arrows(c.p), strayClients(c.p)...), "\n")
		if !strings.HasPrefix(got, c.want) || strings.Contains(got, "\n") {
			t.Errorf("%s: got %q, want one that begins with %q", c.name, got, c.want)
		}
	}
	fine := pkg{Path: "sources/consul", Imports: []string{module + "/target", consul}, Deps: []string{consul}}
	if got := append(arrows(fine), strayClients(fine)...); len(got) > 0 {
		t.Errorf("an allowed package: got %q", got)
	}
}

func anyMatches(patterns []string, p string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, p) })
}

func matches(pattern, p string) bool {
	ok, err := path.Match(pattern, p)
	if err != nil {
		panic(err) // a typing error in the table above
	}
	return ok
}

func list(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}
