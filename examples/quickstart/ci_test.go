//go:build ci

package main

import (
	"context"
	"net/http"
	"regexp"
	"strings"
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
