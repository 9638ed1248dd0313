package e2e

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
)

// An injection is metadata that whoever registers a service may choose, and
// what becomes of them.
type injection struct {
	name        string
	tag         string // besides the metadata, which Consul keeps short
	meta        map[string]string
	environment string // label that is published
	file        string // that the target is in, by what stands for {environment}
}

var (
	longValue  = strings.Repeat("x", 1100)
	injections = []injection{
		{name: "good", meta: env("prod-1.eu_west"), environment: "prod-1.eu_west", file: "prod-1.eu_west"},
		{name: "traversal", meta: env("../../etc/cron.d/x"), environment: "../../etc/cron.d/x", file: "unknown"},
		{name: "absolute", meta: env("/etc/cron.d/x"), environment: "/etc/cron.d/x", file: "unknown"},
		{name: "backslash", meta: env(`..\x`), environment: `..\x`, file: "unknown"},
		{name: "parent", meta: env(".."), environment: "..", file: "unknown"},
		{name: "hidden", meta: env(".hidden"), environment: ".hidden", file: "unknown"},
		{name: "staging", meta: env(".mcp-sd/x"), environment: ".mcp-sd/x", file: "unknown"},
		{name: "glob", meta: env("*"), environment: "*", file: "unknown"},
		{name: "template", meta: env("{region}"), environment: "{region}", file: "unknown"},
		{name: "long name", meta: env(strings.Repeat("a", 65)), environment: strings.Repeat("a", 65), file: "unknown"},
		{name: "accents", meta: env("prodüktion"), environment: "prodüktion", file: "unknown"},
		{name: "markup", meta: env("<script>alert(1)</script>"), environment: "<script>alert(1)</script>", file: "unknown"},
		{name: "quotes", meta: env(`"}],[{"targets":["10.0.0.1:1"]}`), environment: `"}],[{"targets":["10.0.0.1:1"]}`, file: "unknown"},
		{name: "newline", meta: env("a\nb"), file: "unknown"},
		{name: "escape", meta: env("\x1b]0;pwned\x07"), file: "unknown"},
		{name: "nul", meta: env("a\x00b"), file: "unknown"},
		{name: "C1", meta: env("a\u009bb"), file: "unknown"},
		{name: "vmagent's environment", meta: env("%{HOME}"), file: "unknown"},
		{name: "long value", tag: "environment=" + longValue, file: "unknown"},
		{name: "tag", tag: "env=../x", environment: "../x", file: "unknown"},
		{name: "labels", environment: "e", file: "e", meta: map[string]string{
			"environment": "e", "team": "blue", "version": "v1", "bad-name": "x",
			"job": "evil", "instance": "evil", "__address__": "169.254.169.254:80", "__scheme__": "https",
			"__metrics_path__": "/evil", "__param_target": "evil", "__scrape_interval__": "1ms", "__scrape_timeout__": "1h",
			"__unix_socket__": "/run/docker.sock", "__meta_mcp_sd_source": "evil", "__meta_mcp_sd_state": "evil",
			"__name__": "evil", "__tmp_x": "x", "__evil": "x",
		}},
	}
)

func env(value string) map[string]string { return map[string]string{"environment": value} }

// TestInjection lets Consul's metadata try to choose files, labels, addresses
// and what people see. Every target is published, in a file of the directory;
// what is wrong with it costs it a label at most (contract §7).
func TestInjection(t *testing.T) {
	t.Parallel()
	j := newInjected(t)
	for _, in := range injections {
		for _, pattern := range []string{"mcp-%s.json", "bare/%s.json"} {
			file := j.output(fmt.Sprintf(pattern, in.file))
			eventually(t, soon, func() error { return j.published(file, in) })
		}
	}
	j.prometheusReads(t)
	j.harmless(t)
	j.daemon.stops(t)
	j.filesAre(t, "e", "prod-1.eu_west", "unknown")
}

// An injected is one Consul full of evil, and one mcp-sd.
type injected struct {
	*workspace
	fleet  *fleet
	daemon *daemon
	before map[string]string // files around the directory
	ips    map[string]string // by the injection's name
}

func newInjected(t *testing.T) *injected {
	consul := startConsul(t, "", "")
	j := &injected{workspace: newWorkspace(t), fleet: newFleet(t), ips: map[string]string{}}
	for i, in := range injections {
		ip := fmt.Sprintf("127.0.55.%d", 1+i)
		j.ips[in.name] = ip
		j.fleet.add(ip, "")
		err := consul.Agent().ServiceRegister(&api.AgentServiceRegistration{
			ID: in.name, Name: "mcp", Address: ip, Port: j.fleet.port, Meta: in.meta, Tags: []string{in.tag},
		})
		if err != nil {
			t.Fatalf("%s: %v", in.name, err)
		}
	}
	// Where evil paths would lead to, with and without something in front.
	j.targets = filepath.Join(j.dir, "etc", "prometheus", "targets")
	for _, dir := range []string{"/bare", "/../etc/cron.d", "/etc/cron.d", "/../../etc/cron.d", "/mcp-..", "/bare/.."} {
		if err := os.MkdirAll(j.targets+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	j.configure(t, `
sources:
  - name: consul
    consul: {server: %q, services: [mcp]}
    relabel_configs: [{action: labelmap, regex: __meta_consul_service_metadata_(.+)}]
health: {interval: 1s, timeout: 1s, allow_cidrs: [127.0.0.0/8]}
outputs:
  - {path: '$TARGETS/mcp-{environment}.json', min_write_interval: 100ms}
  - {path: '$TARGETS/bare/{environment}.json', min_write_interval: 100ms, meta_labels: '.*'}
`, consul.address)
	j.before = tree(t, j.dir)
	j.daemon = (*host)(nil).start(t, j.workspace, "--log.level=debug")
	return j
}

// published checks the target's labels in one file.
func (j *injected) published(file string, in injection) error {
	l, err := fileLabels(file, j.fleet.address(j.ips[in.name]))
	if err != nil {
		return err
	}
	want := labels{"region": "dc1"}
	if in.environment != "" {
		want["environment"] = in.environment
	}
	if in.name == "labels" {
		want["team"], want["version"], want["bad_name"] = "blue", "v1", "x" // named as Prometheus does
	}
	var wrong []error
	if !maps.Equal(l.series(), want) {
		wrong = append(wrong, fmt.Errorf("%s: %v, want %v", in.name, l.series(), want))
	}
	for name, value := range l {
		if strings.HasPrefix(name, "__") && !strings.HasPrefix(name, "__meta_") ||
			strings.HasPrefix(name, "__meta_mcp_sd_") && value == "evil" {
			wrong = append(wrong, fmt.Errorf("%s: %s=%q", in.name, name, value))
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r >= 0x7f && r <= 0x9f }) || strings.Contains(value, "%{") || len(value) > 1024 {
			wrong = append(wrong, fmt.Errorf("%s: %s=%.100q is no value to publish", in.name, name, value))
		}
	}
	return errors.Join(wrong...)
}

// filesAre checks that the directory has these files, that nothing else was
// written around it, and that what was there is as it was.
func (j *injected) filesAre(t *testing.T, names ...string) {
	t.Helper()
	var want []string
	for _, name := range names {
		want = append(want, j.output("bare/"+name+".json"), j.output("mcp-"+name+".json"))
	}
	var got []string
	for path, content := range tree(t, j.dir) {
		before, was := j.before[path]
		switch {
		case was && before != content:
			t.Errorf("%s has changed", path)
		case was, strings.HasPrefix(path, j.state+"/"), strings.Contains(strings.TrimPrefix(path, j.targets), "/.mcp-sd/"):
		default:
			got = append(got, path)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the files are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// prometheusReads: the older of the two, which is the stricter one, scrapes
// all of them where they are, under the job that its own configuration gives.
func (j *injected) prometheusReads(t *testing.T) {
	t.Helper()
	prometheus := prometheus2.start(t, fmt.Sprintf("- {job_name: mcp, file_sd_configs: [{files: ['%s/mcp-*.json']}]}\n", j.targets))
	eventually(t, inStep, func() error {
		for _, ip := range j.ips {
			target, err := prometheus.target(j.fleet.address(ip))
			if err != nil {
				return err
			}
			if target.ScrapeURL != "http://"+j.fleet.address(ip)+"/metrics" || target.Labels["job"] != "mcp" || target.Health != "up" {
				return fmt.Errorf("%s scrapes %+v", prometheus.name, target)
			}
		}
		return nil
	})
}

// harmless: nothing that people look at carries markup or control sequences.
func (j *injected) harmless(t *testing.T) {
	t.Helper()
	_, page, err := httpAsk(http.MethodGet, j.daemon.url+"/")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(page), "<script>alert(1)") {
		t.Errorf("the status page has a script:\n%s", page)
	}
	log, err := os.ReadFile(j.daemon.log)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{"log": string(log), "page": string(page), "targets": j.call(t, "targets").stdout}
	for name, ip := range j.ips {
		said["explain "+name] = j.call(t, "explain", j.fleet.address(ip)).stdout
	}
	for where, text := range said {
		if i := strings.IndexFunc(text, func(r rune) bool {
			return r < ' ' && r != '\n' && r != '\t' && r != '\r' || r >= 0x7f && r <= 0x9f
		}); i >= 0 {
			t.Errorf("%s has a control character: %q", where, text[max(0, i-100):min(len(text), i+100)])
		}
	}
}
