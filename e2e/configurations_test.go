package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestVMAgent: vmagent runs with its example and scrapes what mcp-sd finds,
// with the labels that Prometheus would see.
func TestVMAgent(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	m := s.serve(t, good, "--traffic.rate=1")
	s.list(t, m)
	s.daemon = s.start(t)
	eventually(t, soon, func() error { _, err := os.Stat(s.output("mcp-production.json")); return err })
	text, err := os.ReadFile(examples + "vmagent/vmagent.yml")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(s.dir, "vmagent.yml")
	replaceFile(t, config, edited(t, string(text), "scrape_interval: 15s", "scrape_interval: 1s", "scrape_timeout: 10s", "scrape_timeout: 1s",
		"/etc/prometheus/targets", s.targets, "127.0.0.1:10917", strings.TrimPrefix(s.daemon.url, "http://")))
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	args := []string{
		"-promscrape.config=" + config, "-promscrape.config.strictParse=true", "-promscrape.fileSDCheckInterval=1s",
		"-remoteWrite.url=http://127.0.0.1:1/", "-remoteWrite.tmpDataPath=" + s.dir, "-httpListenAddr=" + listen,
	}
	if out, err := exec.CommandContext(t.Context(), need(t, vmagentBinary), append(args, "-dryRun")...).CombinedOutput(); err != nil {
		t.Fatalf("vmagent refuses its example: %v\n%s", err, out)
	}
	startProcess(t, "vmagent", need(t, vmagentBinary), args...)
	want := labels{"job": "mcp", "environment": "production", "region": "us-east-1", "version": good}
	eventually(t, inStep, func() error { return scrapes(listen, m.address, want) })
	eventually(t, inStep, func() error {
		return scrapes(listen, strings.TrimPrefix(s.daemon.url, "http://"), labels{"job": "mcp-sd"})
	})
}

// scrapes checks one target of vmagent.
func scrapes(agent, address string, want labels) error {
	body, err := httpGet("http://" + agent + "/api/v1/targets?state=active")
	if err != nil {
		return err
	}
	var answer struct {
		Data struct{ ActiveTargets []scraped }
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	for _, target := range answer.Data.ActiveTargets {
		if target.Labels["instance"] == address && target.Labels.has(want) && target.Health == "up" {
			return nil
		}
	}
	return fmt.Errorf("vmagent does not scrape %s with %v: %s", address, want, body)
}

// TestAlertmanagerRoutes: who hears of what, by the shipped stub and
// Alertmanager's own program.
func TestAlertmanagerRoutes(t *testing.T) {
	t.Parallel()
	config := examples + "alertmanager/alertmanager.yml"
	amtool := need(t, amtoolBinary)
	if out, err := exec.CommandContext(t.Context(), amtool, "check-config", config).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for alert, want := range map[string]string{
		"severity=critical environment=production": "pager,chat",
		"severity=warning environment=production":  "chat",
		"severity=critical environment=staging":    "chat",
		"severity=critical":                        "pager,chat", // about mcp-sd itself
	} {
		args := append([]string{"config", "routes", "test", "--config.file=" + config}, strings.Fields(alert)...)
		out, err := exec.CommandContext(t.Context(), amtool, args...).Output()
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%s goes to %q, want %q: %v", alert, out, want, err)
		}
	}
}
