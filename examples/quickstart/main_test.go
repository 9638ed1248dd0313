package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// screen is what the quick start prints, readable while it runs.
type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// await waits until found says something.
func await[T any](t *testing.T, what string, found func() (T, bool)) T {
	t.Helper()
	deadline := time.After(4 * time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if v, ok := found(); ok {
			return v
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still waiting for: %s", what)
		}
	}
}

// With --stay everything goes on until Ctrl-C: the unhealthy server arrives as
// down, a stopped one stays, an edit of the list is followed, Prometheus can be
// pointed at the files, and nothing is left at the end.
func TestStay(t *testing.T) {
	ctx, ctrlC := context.WithCancel(t.Context())
	var out screen
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, flags{stay: true}, &out, &out) }()
	t.Cleanup(func() {
		ctrlC()
		if t.Failed() {
			t.Logf("it printed:\n%s", out.String())
		}
	})

	shown := func(pattern string) []string {
		return await(t, pattern, func() ([]string, bool) {
			select {
			case err := <-ended:
				t.Fatalf("it ended: %v", err)
			default:
			}
			m := regexp.MustCompile(pattern).FindStringSubmatch(out.String())
			return m, m != nil
		})
	}
	staging := shown(`cat (/\S+/mcp-staging\.json)`)[1]
	dir := filepath.Dir(filepath.Dir(staging))
	mcpsd := shown(`(http://127\.0\.0\.1:\d+)/metrics   mcp-sd`)[1]
	pid := shown(`kill (\d+) `)[1]
	victim := regexp.MustCompile(`http://(\S+)/mcp   production  us-east-1`).FindStringSubmatch(out.String())[1]
	sick := regexp.MustCompile(`http://(\S+)/mcp .*answers 500`).FindStringSubmatch(out.String())[1]

	stop(t, pid)
	shown("the server http://" + regexp.QuoteMeta(victim) + ` \(production us-east-1\) has ended`)
	await(t, "the unhealthy server in the file, as down", func() (bool, bool) {
		return true, target(t, staging, sick)["__meta_mcp_sd_health"] == "down"
	})
	await(t, "the stopped server to be seen as down", func() (bool, bool) {
		return true, strings.Contains(get(t, mcpsd+"/metrics"), `mcp_sd_target_health{health="down",source="racks"} 2`)
	})
	if target(t, filepath.Join(dir, "targets", "mcp-production.json"), victim) == nil {
		t.Error("the stopped server has left its file")
	}

	list := filepath.Join(dir, "racks.yml")
	b, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(b), "environment: staging, region: us-east-1", "environment: staging, region: ap-south-1", 1)
	if err := os.WriteFile(list, []byte(edited), 0o644); err != nil {
		t.Fatal(err)
	}
	await(t, "the edit in the file", func() (bool, bool) {
		b, err := os.ReadFile(staging)
		return true, err == nil && bytes.Contains(b, []byte("ap-south-1"))
	})

	ctrlC()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", dir, err)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// stop does what the guide says: kill PID.
func stop(t *testing.T, pid string) {
	t.Helper()
	var n int
	if err := json.Unmarshal([]byte(pid), &n); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(n, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// target returns the labels of a target in a file, nil where it isn't there.
func target(t *testing.T, path, address string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var groups []struct {
		Targets []string
		Labels  map[string]string
	}
	if err := json.Unmarshal(b, &groups); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for _, g := range groups {
		for _, a := range g.Targets {
			if a == address {
				return g.Labels
			}
		}
	}
	return nil
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A directory that holds something is left alone.
func TestDirMustBeEmpty(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mcp-sd.yml"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), flags{dir: dir}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "mcp-sd.yml")); string(b) != "mine" {
		t.Errorf("the file is %q now", b)
	}
}
