package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

// A prometheusVersion is one of the Prometheus generations to test with.
type prometheusVersion struct {
	name   string
	binary func() (string, error)
}

var (
	prometheus2        = prometheusVersion{"prometheus-2.42", prometheus2Binary}
	prometheus3        = prometheusVersion{"prometheus-3.15", prometheus3Binary}
	prometheusVersions = []prometheusVersion{prometheus2, prometheus3}
)

// eachPrometheus runs the scenario once per version, at the same time.
func eachPrometheus(t *testing.T, scenario func(*testing.T, prometheusVersion)) {
	for _, version := range prometheusVersions {
		t.Run(version.name, func(t *testing.T) {
			t.Parallel()
			scenario(t, version)
		})
	}
}

type prometheusServer struct {
	*process
	url string
}

// A scraped target as Prometheus' API shows it.
type scraped struct {
	Labels           labels `json:"labels"`
	DiscoveredLabels labels `json:"discoveredLabels"`
	ScrapePool       string `json:"scrapePool"`
	ScrapeURL        string `json:"scrapeUrl"`
	Health           string `json:"health"`
	LastError        string `json:"lastError"`
}

// start runs Prometheus with the given scrape_configs.
func (v prometheusVersion) start(t testing.TB, scrapeConfigs string) *prometheusServer {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	content := "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n" + scrapeConfigs
	if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	p := &prometheusServer{url: "http://" + listen}
	p.process = startProcess(t, v.name, need(t, v.binary),
		"--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
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

// startReading runs Prometheus on the files in dir, which is all that a user
// of mcp-sd configures.
func (v prometheusVersion) startReading(t testing.TB, dir string) *prometheusServer {
	t.Helper()
	return v.start(t, fmt.Sprintf("- {job_name: mcp, file_sd_configs: [{files: ['%s/*.json']}]}\n", dir))
}

func (p *prometheusServer) targets() ([]scraped, error) {
	var data struct {
		ActiveTargets []scraped `json:"activeTargets"`
	}
	err := p.api("/api/v1/targets?state=active", &data)
	return data.ActiveTargets, err
}

// target returns the one target with this address.
func (p *prometheusServer) target(address string) (scraped, error) {
	targets, err := p.targets()
	if err != nil {
		return scraped{}, err
	}
	for _, target := range targets {
		if target.DiscoveredLabels["__address__"] == address {
			return target, nil
		}
	}
	return scraped{}, fmt.Errorf("%s does not scrape %s", p.name, address)
}

// has checks that exactly these targets are scraped, with exactly these labels
// besides job and instance.
func (p *prometheusServer) has(want map[string]labels) error {
	targets, err := p.targets()
	if err != nil {
		return err
	}
	got := map[string]labels{}
	for _, target := range targets {
		address := target.DiscoveredLabels["__address__"]
		if _, twice := got[address]; twice {
			return fmt.Errorf("%s scrapes %s twice", p.name, address)
		}
		if target.Labels["instance"] != address || target.Labels["job"] != "mcp" {
			return fmt.Errorf("%s has instance or job of %s wrong: %v", p.name, address, target.Labels)
		}
		got[address] = target.Labels.without("instance", "job")
	}
	if err := sameTargets(got, want); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// up checks the value of the up series of the address, of which there must be
// exactly one over the whole life of this Prometheus: a second one would mean
// that a label changed.
func (p *prometheusServer) up(address, want string) error {
	var series []labels
	selector := url.QueryEscape(fmt.Sprintf("up{instance=%q}", address))
	if err := p.api("/api/v1/series?match[]="+selector, &series); err != nil {
		return err
	}
	if len(series) != 1 {
		return fmt.Errorf("%s has %d up series of %s, want 1: %v", p.name, len(series), address, series)
	}
	var data struct {
		Result []struct {
			Value [2]any `json:"value"`
		} `json:"result"`
	}
	if err := p.api("/api/v1/query?query="+selector, &data); err != nil {
		return err
	}
	if len(data.Result) != 1 || data.Result[0].Value[1] != want {
		return fmt.Errorf("%s has up of %s as %v, want %s", p.name, address, data.Result, want)
	}
	return nil
}

func (p *prometheusServer) api(path string, data any) error {
	if err := p.running(); err != nil {
		return err
	}
	body, err := httpGet(p.url + path)
	if err != nil {
		return err
	}
	var answer struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("%s%s: %w", p.name, path, err)
	}
	return json.Unmarshal(answer.Data, data)
}

func httpGet(url string) ([]byte, error) {
	status, body, err := httpAsk(http.MethodGet, url)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("GET %s: status %d: %s", url, status, body)
	}
	return body, err
}
