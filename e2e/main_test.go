package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mcpSD is the path of the binary under test.
var mcpSD string

// scratch is a directory for what is built from this checkout; it ends with
// the run.
var scratch string

// waiting is how many tests run at once, unless -parallel says otherwise. They
// mostly wait for servers, so the number of processors is no measure.
const waiting = "5"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", waiting); err != nil {
		panic(err)
	}
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "mcp-sd-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	scratch = dir
	if mcpSD, err = findOrBuild(dir); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	return m.Run()
}

// findOrBuild compiles the parent module into dir, with the version that a
// package would have, unless the environment names a binary.
func findOrBuild(dir string) (string, error) {
	if path := os.Getenv("MCP_SD_BINARY"); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("MCP_SD_BINARY: %w", err)
		}
		return filepath.Abs(path)
	}
	version, err := os.ReadFile("../VERSION")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "mcp-sd")
	cmd := exec.Command("go", "build", "-o", path,
		"-ldflags=-X github.com/prometheus/common/version.Version="+strings.TrimSpace(string(version)), ".")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building mcp-sd: %w\n%s", err, out)
	}
	return path, nil
}
