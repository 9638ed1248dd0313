package writer

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mcp-sd/mcp-sd/target"
)

// The test binary runs itself as the process to be killed, or as one with
// file systems of its own.
const (
	childVar = "MCP_SD_WRITER_TEST_CHILD"
	dirVar   = "MCP_SD_WRITER_TEST_DIR"
)

func TestMain(m *testing.M) {
	switch os.Getenv(childVar) {
	case "publish":
		publishForEver(os.Getenv(dirVar))
	case "mounts":
		os.Exit(exitCode(inMounts(os.Getenv(dirVar))))
	default:
		os.Exit(m.Run())
	}
}

func exitCode(err error) int {
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func child(what, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"="+what, dirVar+"="+dir)
	return cmd
}

// generation is a fleet that always has the same addresses, but spreads them
// over the files anew each time, and files come and go.
func generation(n int) []target.Target {
	var ts []target.Target
	for i := range 40 {
		ts = append(ts, in(fmt.Sprintf("env%d", (i*n+n)%5), fmt.Sprintf("host%d:1", i), "generation", fmt.Sprint(n)))
	}
	return ts
}

func childOptions(dir string) Options {
	o := DefaultOutput()
	o.Path, o.MinWriteInterval = filepath.Join(dir, "mcp-{environment}.json"), 0
	return Options{Outputs: []Output{o}, Logger: slog.New(slog.DiscardHandler), Metrics: NewMetrics(prometheus.NewRegistry())}
}

func publishForEver(dir string) {
	w, err := Open(childOptions(dir))
	for n := 1; err == nil; n++ {
		_, err = w.Publish(context.Background(), refs(generation(n)))
		fmt.Println(n)
	}
	fmt.Println("failed:", err)
	os.Exit(1)
}

// Contract §7: killed at any moment, every file is whole, no target is in no
// file, nothing is locked, what was staged is swept, and what is there is
// known to be ours.
func TestKilled(t *testing.T) {
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	dir := t.TempDir()
	for range rounds {
		killOne(t, dir)
		seen := map[string]bool{}
		w, err := Open(childOptions(dir))
		ok(t, err)
		published, err := w.Load()
		ok(t, err)
		for _, ts := range published {
			for _, tg := range ts {
				seen[tg.Address] = true
			}
		}
		same(t, "targets", len(seen), 40)
		files, err := filepath.Glob(filepath.Join(dir, "*.json"))
		ok(t, err)
		same(t, "files that are known", len(published), len(files))
		same(t, "staging folder", list(t, filepath.Join(dir, stageName)), []string{"lock", "manifest.json"})
		ok(t, w.Close())
	}
}

// killOne lets a child publish a few times and kills it in the middle.
func killOne(t *testing.T, dir string) {
	t.Helper()
	cmd := child("publish", dir)
	out, err := cmd.StdoutPipe()
	ok(t, err)
	ok(t, cmd.Start())
	lines := bufio.NewReader(out)
	for range 1 + rand.IntN(4) {
		line, err := lines.ReadString('\n')
		if err != nil || strings.HasPrefix(line, "failed") {
			t.Fatalf("child: %q, %v", line, err)
		}
	}
	for range rand.IntN(2000) { // some moment within the next pass
		_ = os.Getpid()
	}
	ok(t, cmd.Process.Kill())
	_, err = io.Copy(io.Discard, lines)
	ok(t, err)
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
}
