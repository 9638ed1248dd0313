package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"go.uber.org/goleak"

	"github.com/mcp-sd/mcp-sd/examples/mcp-server/metrics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The program as the quick start uses it: a free port, its URL on the first
// line, every metric within a minute, a clean end.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	f := parse([]string{"--web.listen-address=127.0.0.1:0", "--server.version=v9.8.7", "--traffic.rate=5", "--log.level=error"})
	go func() { ended <- run(ctx, f, in) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if missing := awaitAll(t, strings.TrimSpace(line)+"/metrics", everything()); len(missing) > 0 {
		t.Errorf("within a minute, nothing moved: %q", missing)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// everything is a pattern for each metric, that a series of it which has moved
// fits.
func everything() (patterns []string) {
	const moved = `(?m)^%s(\{.*\})? [0-9.e+]*[1-9]`
	for _, m := range []string{
		"tool_invocations_total", "tool_duration_seconds_count", "tool_errors_total",
		"widget_renders_total", "widget_render_duration_seconds_count", "widget_state_updates_total",
		"active_connections", "connection_duration_seconds_count",
		"authentication_attempts_total", "authentication_failures_total",
		"user_signups_total", "subscription_upgrades_total", "revenue_total_usd",
		"database_query_duration_seconds_count", "cache_hit_ratio", "queue_depth",
		"http_requests_total", "http_request_duration_seconds_count", "http_request_size_bytes_sum", "http_response_size_bytes_sum",
	} {
		patterns = append(patterns, fmt.Sprintf(moved, "mcp_"+m))
	}
	return append(patterns, fmt.Sprintf(moved, "machine_memory_bytes"), `(?m)^mcp_build_info\{version="v9.8.7"\} 1$`)
}

// awaitAll returns what has never been seen after a minute.
func awaitAll(t *testing.T, url string, patterns []string) []string {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for len(patterns) > 0 {
		body := get(t, url)
		patterns = slices.DeleteFunc(patterns, func(p string) bool { return regexp.MustCompile(p).MatchString(body) })
		select {
		case <-tick.C:
		case <-deadline:
			return patterns
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

func TestRunSaysWhyItCannotListen(t *testing.T) {
	f := parse([]string{"--web.listen-address=127.0.0.1:99999"})
	if err := run(t.Context(), f, io.Discard); err == nil || !strings.Contains(err.Error(), "listening for MCP clients") {
		t.Errorf("got %v", err)
	}
}

// The package comment, --help and the flags are the same list.
func TestFlagsAreListed(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^//\t--(fault\.[a-z-]+)`).FindAllStringSubmatch(string(source), -1) {
		listed[m[1]] = true
	}
	app := kingpin.New("mcp-server", "")
	(&flags{}).faults(app)
	for _, f := range app.Model().Flags {
		if strings.HasPrefix(f.Name, "fault.") && !listed[f.Name] {
			t.Errorf("the package comment does not list --%s", f.Name)
		}
		delete(listed, f.Name)
	}
	for f := range listed {
		t.Errorf("the package comment lists --%s, which is no flag", f)
	}
}

func TestNumbersHaveBounds(t *testing.T) {
	for _, c := range []struct {
		given string
		good  bool
	}{{"0", true}, {"0.5", true}, {"1", true}, {"1.01", false}, {"-0.1", false}, {"NaN", false}, {"half", false}} {
		var x float64
		if err := upTo(&x, 1).Set(c.given); (err == nil) != c.good {
			t.Errorf("%s: %v", c.given, err)
		}
	}
}

// A cgroup with a limit, as a service or a container has it, is really filled
// in tests with the tag ci; here, that it stops where it should.
func TestHoardStopsAtItsShare(t *testing.T) {
	limit, known := metrics.MachineMemory()
	before, err := resident()
	if !known || err != nil {
		t.Fatalf("this machine says nothing of its memory: %v", err)
	}
	const more = 40 << 20
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		hoard(ctx, (float64(before)+more)/float64(limit), slog.New(slog.DiscardHandler))
	}()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for now := before; now < before+more-chunk; now, _ = resident() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it has %d bytes, and had %d", now, before)
		}
	}
	cancel()
	<-done
	if now, _ := resident(); now > before+more+32<<20 {
		t.Errorf("it has %d bytes, and had %d", now, before)
	}
}

// README.md lists the flags of faults that there are.
func TestReadme(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	app := kingpin.New("mcp-server", "")
	(&flags{}).faults(app)
	for _, f := range app.Model().Flags {
		if strings.HasPrefix(f.Name, "fault.") && !strings.Contains(string(b), "\n| `--"+f.Name+"` |") {
			t.Errorf("README.md has no row for --%s", f.Name)
		}
	}
}
