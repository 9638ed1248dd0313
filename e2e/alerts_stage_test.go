package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	examples = "../examples/"

	// shortening is by how much the shipped rules are quicker here. The shortest
	// "for:" is 2 minutes, which have to be more than the few scrapes that a
	// busy machine loses.
	shortening = 30
	// raised is for the longest of them, 15 minutes and what the expression
	// looks back.
	raised = 150 * time.Second
)

// A stage is all that an operator runs: example servers under real traffic,
// mcp-sd that finds them in a list, and Prometheus with the shipped
// configuration and the shipped rules, whose minutes are seconds here.
type stage struct {
	*workspace
	daemon       *daemon
	prometheus   *prometheusServer
	alertmanager string // its address
	replica      string // the address of a second mcp-sd, if any
	servers      []*exampleServer
}

// An exampleServer is a running examples/mcp-server.
type exampleServer struct {
	*process
	address             string
	environment, region string
	version             string
}

// stagedConfig is what mcp-sd runs with; the list of the fleet is beside it.
const stagedConfig = `
global: {refresh_interval: 1s}
sources: [{name: racks, static: {files: [$STATIC/racks.yml]}}]
health: {interval: 1s, timeout: 1s}
outputs: [{path: '$TARGETS/mcp-{environment}.json', min_write_interval: 100ms}]
`

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{workspace: newWorkspace(t), alertmanager: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	s.configure(t, "%s", stagedConfig)
	return s
}

// serve starts an example server in production of us-east-1.
func (s *stage) serve(t *testing.T, version string, flags ...string) *exampleServer {
	t.Helper()
	return s.serveIn(t, "production", "us-east-1", version, flags...)
}

func (s *stage) serveIn(t *testing.T, environment, region, version string, flags ...string) *exampleServer {
	t.Helper()
	m := newExampleServer(t, environment, region, version)
	m.process = startProcess(t, "mcp-server-"+version, need(t, exampleServerBinary), m.args(flags)...)
	s.servers = append(s.servers, m)
	return m
}

func newExampleServer(t *testing.T, environment, region, version string) *exampleServer {
	t.Helper()
	return &exampleServer{
		address: fmt.Sprintf("127.0.0.1:%d", freePort(t)), environment: environment, region: region, version: version,
	}
}

func (m *exampleServer) args(flags []string) []string {
	return append([]string{"--web.listen-address=" + m.address, "--server.version=" + m.version, "--log.level=warn"}, flags...)
}

// list writes the fleet's list, as an operator would; versions come from the
// servers' own metrics.
func (s *stage) list(t *testing.T, servers ...*exampleServer) {
	t.Helper()
	var b strings.Builder
	for _, m := range servers {
		fmt.Fprintf(&b, "- {targets: [%q], labels: {environment: %s, region: %s}}\n", m.address, m.environment, m.region)
	}
	replaceFile(t, filepath.Join(s.static, "racks.yml"), b.String())
}

// open starts mcp-sd and Prometheus, and waits until every server is scraped
// with its version.
func (s *stage) open(t *testing.T, version prometheusVersion) {
	t.Helper()
	s.list(t, s.servers...)
	s.daemon = s.start(t)
	s.prometheus = version.startShipped(t, s)
	eventually(t, inStep, func() error {
		for _, m := range s.servers {
			target, err := s.prometheus.target(m.address)
			if err != nil {
				return err
			}
			if target.Labels["version"] != m.version || target.Health != "up" {
				return fmt.Errorf("%s is %s with %v, want version %s", m.address, target.Health, target.Labels, m.version)
			}
		}
		return nil
	})
}

// startShipped runs Prometheus with examples/prometheus, as it is but for
// addresses, directories and times.
func (v prometheusVersion) startShipped(t testing.TB, s *stage) *prometheusServer {
	t.Helper()
	dir := t.TempDir()
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	config, err := os.ReadFile(examples + "prometheus/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	content := edited(t, string(config),
		"scrape_interval: 15s", "scrape_interval: 1s", "scrape_timeout: 10s", "scrape_timeout: 1s",
		"evaluation_interval: 30s", "evaluation_interval: 1s", "refresh_interval: 1m", "refresh_interval: 1s",
		"/etc/prometheus/targets", s.targets, "127.0.0.1:10917", s.replicas(),
		"127.0.0.1:9090", listen, "127.0.0.1:9093", s.alertmanager)
	replaceFile(t, filepath.Join(dir, "prometheus.yml"), content)
	for _, name := range ruleFiles(t) {
		short, err := exec.Command(need(t, shortenBinary), strconv.Itoa(shortening), examples+"prometheus/"+name).Output()
		if err != nil {
			t.Fatalf("shortening %s: %v", name, err)
		}
		replaceFile(t, filepath.Join(dir, name), string(short))
	}
	p := &prometheusServer{url: "http://" + listen}
	p.process = startProcess(t, v.name, need(t, v.binary),
		"--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+listen, "--log.level=warn")
	eventually(t, soon, func() error {
		if err := p.running(); err != nil {
			return err
		}
		_, err := httpGet(p.url + "/-/ready")
		return err
	})
	return p
}

// replicas are the addresses of mcp-sd, as a YAML list has them.
func (s *stage) replicas() string {
	all := strings.TrimPrefix(s.daemon.url, "http://")
	if s.replica != "" {
		all += ", " + s.replica
	}
	return all
}

// alertNames are those of all shipped alerts.
func alertNames(t testing.TB) []string {
	t.Helper()
	var names []string
	for _, file := range ruleFiles(t) {
		text, err := os.ReadFile(examples + "prometheus/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^ +- alert: (\S+)$`).FindAllSubmatch(text, -1) {
			names = append(names, string(m[1]))
		}
	}
	if len(names) < 17 {
		t.Fatalf("only %d alerts were found: %q", len(names), names)
	}
	return names
}

// ruleFiles are the shipped ones, tests aside.
func ruleFiles(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob(examples + "prometheus/mcp*.yml")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range paths {
		if !strings.HasSuffix(path, ".test.yml") {
			names = append(names, filepath.Base(path))
		}
	}
	if len(names) < 3 {
		t.Fatalf("examples/prometheus has the rules %q, want three files or more", names)
	}
	return names
}

// edited replaces each old by the new that follows it. A text that lacks one
// has changed, and the test with it must.
func edited(t testing.TB, text string, oldNew ...string) string {
	t.Helper()
	for pair := range slices.Chunk(oldNew, 2) {
		if !strings.Contains(text, pair[0]) {
			t.Fatalf("%q is no longer in\n%s", pair[0], text)
		}
		text = strings.ReplaceAll(text, pair[0], pair[1])
	}
	return text
}

// An alert as /api/v1/alerts shows it.
type alert struct {
	Labels labels `json:"labels"`
	State  string `json:"state"`
	Value  string `json:"value"`
}

func (p *prometheusServer) alerts() ([]alert, error) {
	var data struct {
		Alerts []alert `json:"alerts"`
	}
	err := p.api("/api/v1/alerts", &data)
	return data.Alerts, err
}

// fires waits until the alert fires with these labels, among others.
func (s *stage) fires(t *testing.T, name string, want labels) {
	t.Helper()
	want = want.and("alertname", name)
	eventually(t, raised, func() error {
		all, err := s.prometheus.alerts()
		if err != nil {
			return err
		}
		for _, a := range all {
			if a.State == "firing" && a.Labels.has(want) {
				return nil
			}
		}
		return fmt.Errorf("%v does not fire; there are %v", want, all)
	})
}

// spares checks that nothing but the named alerts has been raised for what has
// these labels, not even for a moment.
func (s *stage) spares(t *testing.T, what labels, but ...string) {
	t.Helper()
	var pairs []string
	for name, value := range what {
		pairs = append(pairs, fmt.Sprintf("%s=%q", name, value))
	}
	slices.Sort(pairs)
	query := fmt.Sprintf(`count by (alertname) (last_over_time(ALERTS{alertstate="firing", alertname!~%q, %s}[1h]))`,
		strings.Join(but, "|"), strings.Join(pairs, ","))
	found, err := s.prometheus.query(query)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Errorf("%s fired for %v", f.labels["alertname"], what)
	}
}

// A sample is one element of an instant query's answer.
type sample struct {
	labels labels
	value  float64
}

// query evaluates PromQL now.
func (p *prometheusServer) query(expr string) ([]sample, error) {
	var data struct {
		ResultType string          `json:"resultType"`
		Result     json.RawMessage `json:"result"`
	}
	if err := p.api("/api/v1/query?query="+url.QueryEscape(expr), &data); err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	if data.ResultType != "vector" {
		return nil, fmt.Errorf("%s is a %s, want a vector", expr, data.ResultType)
	}
	var rows []struct {
		Metric labels `json:"metric"`
		Value  [2]any `json:"value"`
	}
	if err := json.Unmarshal(data.Result, &rows); err != nil {
		return nil, err
	}
	all := make([]sample, len(rows))
	for i, row := range rows {
		value, err := strconv.ParseFloat(fmt.Sprint(row.Value[1]), 64)
		if err != nil {
			return nil, err
		}
		all[i] = sample{row.Metric, value}
	}
	return all, nil
}
