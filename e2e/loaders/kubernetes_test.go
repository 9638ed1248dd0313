package loaders

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	// Its module carries the published definitions.
	_ "github.com/prometheus-operator/prometheus-operator/pkg/versionutil"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	prometheusyaml "go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"sigs.k8s.io/yaml"
)

const kubernetes = "../../examples/kubernetes/"

// A monitor is what the tests below read of the ServiceMonitor.
type monitor struct {
	Metadata struct{ Name string }
	Spec     struct {
		Selector        struct{ MatchLabels map[string]string }
		AttachMetadata  struct{ Node bool }
		TargetLabels    []string
		PodTargetLabels []string
		Endpoints       []struct {
			Port                           string
			Relabelings, MetricRelabelings []rule
		}
	}
}

// A rule is a relabelling in the operator's spelling.
type rule struct {
	SourceLabels []model.LabelName
	TargetLabel  string
	Regex        string
	Replacement  string
	Action       string
}

func read(t *testing.T, path string, into any, options ...yaml.JSONOpt) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into, options...); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return text
}

// The ServiceMonitor is one that the operator's published definition takes,
// without a field that it does not know.
func TestServiceMonitorFitsItsDefinition(t *testing.T) {
	var published apiextensionsv1.CustomResourceDefinition
	read(t, filepath.Join(operator(t), "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml"), &published)
	var all apiextensions.CustomResourceDefinition
	if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(&published, &all, nil); err != nil {
		t.Fatal(err)
	}
	schema := all.Spec.Versions[0].Schema
	if schema == nil {
		schema = all.Spec.Validation
	}
	check := func(object map[string]any) (wrong []string) {
		validator, _, err := validation.NewSchemaValidator(schema.OpenAPIV3Schema)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range validation.ValidateCustomResource(nil, object, validator) {
			wrong = append(wrong, err.Error())
		}
		structural, err := structuralschema.NewStructural(schema.OpenAPIV3Schema)
		if err != nil {
			t.Fatal(err)
		}
		unknown := pruning.PruneWithOptions(object, structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
		return append(wrong, unknown...)
	}
	var object map[string]any
	read(t, kubernetes+"servicemonitor.yml", &object)
	if wrong := check(object); len(wrong) > 0 {
		t.Errorf("the ServiceMonitor does not fit: %q", wrong)
	}

	// The check itself can fail, for each of its reasons.
	endpoint := object["spec"].(map[string]any)["endpoints"].([]any)[0].(map[string]any)
	endpoint["scrapetimeout"], endpoint["interval"] = "10s", "soon"
	if wrong := check(object); len(wrong) != 2 {
		t.Errorf("an unknown field and a wrong duration: %q", wrong)
	}
}

// operator is the directory of the operator's module.
func operator(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/prometheus-operator/prometheus-operator").Output()
	if err != nil || len(out) == 0 {
		t.Fatalf("finding the operator's module: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// The Service is one, and the monitor finds it and its port.
func TestServiceIsMonitored(t *testing.T) {
	var service corev1.Service
	read(t, kubernetes+"service.yml", &service, yaml.DisallowUnknownFields)
	var m monitor
	read(t, kubernetes+"servicemonitor.yml", &m)
	for name, value := range m.Spec.Selector.MatchLabels {
		if service.Labels[name] != value {
			t.Errorf("the monitor selects services with %s=%s, the Service has %v", name, value, service.Labels)
		}
	}
	if service.Spec.Ports[0].Name != m.Spec.Endpoints[0].Port {
		t.Errorf("the monitor scrapes the port %q, the Service has %q", m.Spec.Endpoints[0].Port, service.Spec.Ports[0].Name)
	}
}

// A pod gets the labels that mcp-sd gives, by Prometheus' own relabelling.
func TestPodsGetTheLabelsOfTheFleet(t *testing.T) {
	var m monitor
	read(t, kubernetes+"servicemonitor.yml", &m)
	if !m.Spec.AttachMetadata.Node {
		t.Error("without the node's metadata there is no region")
	}
	pod := map[string]string{
		"__address__": "10.1.2.3:3000", "job": "mcp-server",
		"__meta_kubernetes_namespace":                                "staging",
		"__meta_kubernetes_pod_name":                                 "mcp-server-7d9f",
		"__meta_kubernetes_pod_node_name":                            "node-a",
		"__meta_kubernetes_pod_label_app_kubernetes_io_version":      "v2.3.1",
		"__meta_kubernetes_node_label_topology_kubernetes_io_region": "eu-west-1",
	}
	want := map[string]string{
		"__address__": "10.1.2.3:3000", "job": "mcp", "environment": "staging", "region": "eu-west-1",
		"version": "v2.3.1", "pod": "mcp-server-7d9f", "node": "node-a", "namespace": "staging",
	}
	if got := relabelled(t, pod, m.Spec.Endpoints[0].Relabelings); !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	pod["__meta_kubernetes_pod_label_environment"], want["environment"] = "production", "production"
	if got := relabelled(t, pod, m.Spec.Endpoints[0].Relabelings); !maps.Equal(got, want) {
		t.Errorf("with a label of its own:\ngot  %v\nwant %v", got, want)
	}
	for name, kept := range map[string]bool{"go_gc_duration_seconds": false, "go_goroutines": true, "mcp_tool_errors_total": true} {
		got := relabelled(t, map[string]string{"__name__": name}, m.Spec.Endpoints[0].MetricRelabelings)
		if (got != nil) != kept {
			t.Errorf("%s: kept is %t", name, got != nil)
		}
	}
}

// relabelled runs rules; nil is dropped. What begins with __meta_ goes, as it
// does after relabelling.
func relabelled(t *testing.T, from map[string]string, rules []rule) map[string]string {
	t.Helper()
	var configs []*relabel.Config
	for _, r := range rules {
		text, err := json.Marshal(map[string]any{
			"source_labels": r.SourceLabels, "target_label": r.TargetLabel, "regex": orDefault(r.Regex, "(.*)"),
			"replacement": orDefault(r.Replacement, "$1"), "action": orDefault(r.Action, "replace"),
		})
		if err != nil {
			t.Fatal(err)
		}
		c := &relabel.Config{}
		if err := prometheusyaml.Unmarshal(text, c); err != nil {
			t.Fatal(err)
		}
		c.NameValidationScheme = model.LegacyValidation
		if err := c.Validate(model.LegacyValidation); err != nil {
			t.Fatal(err)
		}
		configs = append(configs, c)
	}
	b := labels.NewBuilder(labels.FromMap(from))
	if !relabel.ProcessBuilder(b, configs...) {
		return nil
	}
	got := b.Labels().Map()
	for _, name := range slices.Collect(maps.Keys(got)) {
		if strings.HasPrefix(name, "__meta_") {
			delete(got, name)
		}
	}
	return got
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
