//go:build ci

package main

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Where Prometheus is installed, --stay runs it on the files and with the
// rules: it scrapes the fleet with its labels, the unhealthy server is down
// there, mcp-sd is one of its targets; and who stops a server as the guide
// says gets the alarm, on the screen and in Prometheus.
func TestStayWithPrometheus(t *testing.T) {
	ctx, ctrlC := context.WithCancel(t.Context())
	defer ctrlC()
	var out screen
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, flags{stay: true}, &out, &out) }()
	url := await(t, "Prometheus", func() (string, bool) {
		m := regexp.MustCompile(`(http://127\.0\.0\.1:\d+)\S*/targets   Prometheus`).FindStringSubmatch(out.String())
		if m == nil {
			return "", false
		}
		return m[1], true
	})
	victim := regexp.MustCompile(`http://(\S+)/mcp   production  us-east-1`).FindStringSubmatch(out.String())[1]
	pid := await(t, "the guide", func() (string, bool) {
		m := regexp.MustCompile(`kill (\d+) `).FindStringSubmatch(out.String())
		if m == nil {
			return "", false
		}
		return m[1], true
	})
	for query, want := range map[string]string{
		`count(up{job="mcp",environment="production",version=~"v2.3.*"} == 1)`:                      `"2"`,
		`count(up{job="mcp",environment="staging",region="eu-west-1"} == 0)`:                        `"1"`,
		`count(up{job=~"mcp-sd|prometheus"} == 1)`:                                                  `"2"`,
		`sum(mcp_sd_targets{state="published"})`:                                                    `"4"`,
		`count(sum by (tool_name, environment) (mcp_tool_invocations_total{status="success"}) > 0)`: `"`,
	} {
		await(t, query+" in Prometheus", func() (bool, bool) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v1/query", nil)
			if err != nil {
				t.Fatal(err)
			}
			q := req.URL.Query()
			q.Set("query", query)
			req.URL.RawQuery = q.Encode()
			_, value, found := strings.Cut(get(t, req.URL.String()), `"value":[`)
			return true, found && strings.Contains(value, want)
		})
	}
	stop(t, pid)
	await(t, "the alarm", func() (bool, bool) { // two minutes, and some to notice
		return true, regexp.MustCompile(`ALERT  MCPServerDown: .*` + regexp.QuoteMeta(victim)).MatchString(out.String())
	})
	ctrlC()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// Ctrl-C at a terminal ends all that was started, and is no failure.
func TestCtrlC(t *testing.T) {
	program := filepath.Join(t.TempDir(), "quickstart")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var out screen
	cmd := exec.CommandContext(t.Context(), program, "--stay")
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	pid := await(t, "the guide", func() (int, bool) {
		m := regexp.MustCompile(`kill (\d+) `).FindStringSubmatch(out.String())
		if m == nil {
			return 0, false
		}
		n, err := strconv.Atoi(m[1])
		return n, err == nil
	})
	await(t, "everything to run", func() (bool, bool) { return true, strings.Contains(out.String(), "Ctrl-C") })
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v and printed:\n%s", err, out.String())
	}
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("a server of the fleet is left: %v", err)
	}
	dir := filepath.Dir(filepath.Dir(regexp.MustCompile(`cat (/\S+/mcp-staging\.json)`).FindStringSubmatch(out.String())[1]))
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", dir, err)
	}
}
