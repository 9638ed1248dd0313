package ecs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/prometheus/common/model"

	"github.com/mcp-sd/mcp-sd/sources/amazon"
)

// Options is the block ecs: of a source (contract §4). Every key that
// Prometheus' ecs_sd_config has keeps its name and meaning, so that one item of
// that list can be pasted here unchanged. The endpoint is that of ECS alone: EC2,
// which knows the hosts, is found as the SDK finds it.
type Options struct {
	amazon.Access `yaml:",inline"`

	// Clusters to list, by name or ARN; if empty, all. Each is a part of its own.
	Clusters []string `yaml:"clusters"`
	// Port of a task none of whose containers has a docker label for it; where
	// it is mapped, the port on the host. 0 leaves such tasks out.
	Port int `yaml:"port"`
	// DockerLabels that name the ports of a container, one target for each; []
	// looks at none, and asks for no task definition.
	DockerLabels []DockerLabel `yaml:"docker_labels"`
	// RequestConcurrency is how many questions about one part may be under way
	// at once.
	RequestConcurrency int `yaml:"request_concurrency"`
	// Refresh is how often to ask; 0 leaves it to global.refresh_interval.
	Refresh model.Duration `yaml:"refresh_interval"`
}

// DockerLabel names docker labels of a container, as the OpenTelemetry
// collector's ecs_observer and the CloudWatch agent do.
type DockerLabel struct {
	// PortLabel names the label with the ports of the container ("8080,8081").
	PortLabel string `yaml:"port_label"`
	// MetricsPathLabel names the label with the path, which becomes
	// __meta_ecs_metrics_path.
	MetricsPathLabel string `yaml:"metrics_path_label"`
	// JobNameLabel names the label with the job, which becomes __meta_ecs_job.
	JobNameLabel string `yaml:"job_name_label"`
}

// Default returns the options that hold where the configuration is silent:
// those of Prometheus, and the docker labels that prometheus-ecs-discovery and
// the CloudWatch agent look for.
func Default() *Options {
	return &Options{
		Access: amazon.DefaultAccess(),
		Port:   80,
		DockerLabels: []DockerLabel{
			{PortLabel: "PROMETHEUS_EXPORTER_PORT", MetricsPathLabel: "PROMETHEUS_EXPORTER_PATH"},
			{PortLabel: "ECS_PROMETHEUS_EXPORTER_PORT", MetricsPathLabel: "ECS_PROMETHEUS_METRICS_PATH", JobNameLabel: "ECS_PROMETHEUS_JOB_NAME"},
		},
		RequestConcurrency: 20,
	}
}

// RefreshInterval is the source's own refresh_interval, or 0 for the global one.
func (o *Options) RefreshInterval() time.Duration { return time.Duration(o.Refresh) }

// Fingerprint changes when, and only when, an option changes that decides what
// is listed (contract §6). A profile is a set of credentials.
func (o *Options) Fingerprint() string {
	b, err := json.Marshal(struct {
		Endpoint                 string
		Regions, Roles, Clusters []string
		Port                     int
		DockerLabels             []DockerLabel
	}{o.Endpoint, o.AllRegions(), o.AllRoles(), amazon.Sorted(o.Clusters), o.Port, append([]DockerLabel{}, o.DockerLabels...)})
	if err != nil {
		panic(err) // strings and numbers only
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
