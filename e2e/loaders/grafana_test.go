package loaders

import (
	"os"
	"strings"
	"testing"
)

// Grafana's provisioning files say what the README beside them does: where the
// dashboards go, and which Prometheus they ask.
func TestGrafanaProvisioning(t *testing.T) {
	const grafana = "../../examples/grafana/"
	var dashboards struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Type    string
			Options struct{ Path string }
		}
	}
	load(t, grafana+"provisioning/dashboards/mcp.yml", &dashboards)
	readme, err := os.ReadFile(grafana + "README.md")
	if err != nil {
		t.Fatal(err)
	}
	if len(dashboards.Providers) != 1 || dashboards.APIVersion != 1 || dashboards.Providers[0].Type != "file" {
		t.Fatalf("one provider of files is expected: %+v", dashboards)
	}
	if path := dashboards.Providers[0].Options.Path; !strings.Contains(string(readme), "install -d "+path+"\n") {
		t.Errorf("the README puts the dashboards elsewhere than %s", path)
	}
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Type, URL string
			JSON      struct {
				Interval string `yaml:"timeInterval"`
			} `yaml:"jsonData"`
		}
	}
	load(t, grafana+"provisioning/datasources/prometheus.yml", &sources)
	var prometheus struct {
		Global struct {
			Interval string `yaml:"scrape_interval"`
		}
	}
	load(t, rulesDir+"prometheus.yml", &prometheus)
	if len(sources.Datasources) != 1 || sources.APIVersion != 1 || sources.Datasources[0].Type != "prometheus" {
		t.Fatalf("one Prometheus is expected: %+v", sources)
	}
	if got := sources.Datasources[0].JSON.Interval; got != prometheus.Global.Interval || got == "" {
		t.Errorf("the data source believes in an interval of %q, prometheus.yml scrapes every %q", got, prometheus.Global.Interval)
	}
}
