package docs

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "draw the pictures anew")

// built is mcp-sd as the README's commands find it.
func built(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mcp-sd")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, ".")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building mcp-sd: %v\n%s", err, out)
	}
	return path
}

// goFiles are the files of a room that are no tests; those of the program
// itself where the room is the module's directory.
func goFiles(t *testing.T, room string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(room, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && room == ".." && path != room:
			return fs.SkipDir
		case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

const (
	picture = "quickstart.svg"
	golden  = "testdata/quickstart.txt" // what the picture is drawn from
)

// The README's first command, as it stands there; and its picture shows what
// it prints. After a change: go test ./docs -run Quickstart -update
func TestQuickstart(t *testing.T) {
	all := blocks(t, quickstart)
	if len(all) != 1 {
		t.Fatalf("README.md should have one quick start: %+v", all)
	}
	command := strings.TrimSpace(all[0].text)
	shell := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", command)
	shell.Dir = ".."
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	now := settled(string(out))
	if *update {
		write(t, golden, now)
		write(t, picture, string(Picture(command, shortened(now))))
	}
	if diff := cmp.Diff(squeezed(read(t, golden)), squeezed(now)); diff != "" {
		t.Errorf("the quick start prints something else than its picture shows (-picture +now); draw it anew with -update:\n%s", diff)
	}
	if diff := cmp.Diff(read(t, picture), string(Picture(command, shortened(read(t, golden))))); diff != "" {
		t.Errorf("the picture is not drawn from %s; draw it anew with -update:\n%s", golden, diff)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// settled takes out of an output what differs from run to run: the directory,
// the time, the line of code that logged, and the ports where the usual ones
// were taken.
func settled(out string) string {
	out = regexp.MustCompile(`/\S*/mcp-sd-quickstart-\d+`).ReplaceAllString(out, "/tmp/quickstart")
	out = regexp.MustCompile(`time=\S+ `).ReplaceAllString(out, "")
	out = regexp.MustCompile(`source=\S+\.go:\d+ `).ReplaceAllString(out, "")
	ports := map[string]string{}
	return regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllStringFunc(out, func(address string) string {
		if _, ok := ports[address]; !ok {
			ports[address] = fmt.Sprintf("127.0.0.1:%d", 3001+len(ports))
		}
		return ports[address]
	})
}

// squeezed evens out the columns of tables, which are as wide as the ports.
func squeezed(out string) string {
	return regexp.MustCompile(` {2,}`).ReplaceAllString(out, "  ")
}

// shortened leaves out of the picture what repeats: the second target of the
// first file.
func shortened(out string) string {
	return regexp.MustCompile(`(?s)\n  },\n  {\n.*?\n  }\n]\n`).ReplaceAllString(out, "\n  },\n  ⋮\n]\n")
}
