package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/mcp-sd/mcp-sd/house/ports"
)

// MCPSD is a running daemon.
type MCPSD struct {
	*Process
	URL string
}

// MCPSD starts the daemon without waiting for it.
func (s *Stage) MCPSD(config string, env ...string) (*MCPSD, error) {
	args, err := s.configured(config)
	if err != nil {
		return nil, err
	}
	port, err := ports.Next()
	if err != nil {
		return nil, err
	}
	d := &MCPSD{URL: fmt.Sprintf("http://127.0.0.1:%d", port)}
	d.Process, err = s.StartWith(env, "mcp-sd", s.bins.MCPSD, append(args, fmt.Sprintf("--web.listen-address=127.0.0.1:%d", port))...)
	return d, err
}

// Ready waits until the daemon is.
func (d *MCPSD) Ready(ctx context.Context) error {
	return Await(ctx, time.Millisecond, time.Minute, func() error {
		if err := d.Running(); err != nil {
			return err
		}
		_, err := Get(ctx, d.URL+"/-/ready")
		return err
	})
}

// Once runs mcp-sd --once and returns how long the whole process took.
func (s *Stage) Once(config string) (time.Duration, error) {
	args, err := s.configured(config)
	if err != nil {
		return 0, err
	}
	_, took, err := Run(s.ctx, s.bins.MCPSD, append(args, "--once")...)
	return took, err
}

// configured writes the configuration, and returns the flags that go with it
// and a state of its own.
func (s *Stage) configured(config string) ([]string, error) {
	dir, err := s.Path("mcp-sd")
	if err != nil {
		return nil, err
	}
	file, state := filepath.Join(dir, "mcp-sd.yml"), filepath.Join(dir, "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		return nil, err
	}
	return []string{"--config.file=" + file, "--state.path=" + state}, Write(file, []byte(config))
}

// ConsulTemplate starts consul-template, which renders template into out.
func (s *Stage) ConsulTemplate(consul, template, out string) (*Process, error) {
	dir, err := s.Path("consul-template")
	if err != nil {
		return nil, err
	}
	in := filepath.Join(dir, "in.tmpl")
	if err := Write(in, []byte(template)); err != nil {
		return nil, err
	}
	return s.Start("consul-template", s.bins.ConsulTemplate, "-consul-addr="+consul, "-log-level=warn", "-template="+in+":"+out)
}

// Role starts this very program in one of its other roles.
func (s *Stage) Role(role string, args ...string) (*Process, error) {
	return s.Start(role, s.bins.Self, append([]string{role}, args...)...)
}

// RunRole runs it to its end.
func (s *Stage) RunRole(role string, args ...string) (stdout []byte, took time.Duration, err error) {
	return Run(s.ctx, s.bins.Self, append([]string{role}, args...)...)
}

// Prometheus is a running Prometheus.
type Prometheus struct {
	*Process
	URL string
}

// Prometheus starts one with the given scrape configurations and waits until
// it is ready.
func (s *Stage) Prometheus(scrapeConfigs string) (*Prometheus, error) {
	dir, err := s.Path("prometheus")
	if err != nil {
		return nil, err
	}
	port, err := ports.Next()
	if err != nil {
		return nil, err
	}
	file, listen := filepath.Join(dir, "prometheus.yml"), fmt.Sprintf("127.0.0.1:%d", port)
	if err := Write(file, []byte("global: {scrape_interval: 1m}\nscrape_configs:\n"+scrapeConfigs)); err != nil {
		return nil, err
	}
	p := &Prometheus{URL: "http://" + listen}
	p.Process, err = s.Start("prometheus", s.bins.Prometheus, "--config.file="+file,
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+listen, "--log.level=warn")
	if err != nil {
		return nil, err
	}
	return p, Await(s.ctx, 20*time.Millisecond, time.Minute, func() error {
		if err := p.Running(); err != nil {
			return err
		}
		_, err := Get(s.ctx, p.URL+"/-/ready")
		return err
	})
}

// Versions returns the version label of each target that Prometheus has, by
// its address.
func (p *Prometheus) Versions(ctx context.Context) (map[string]string, error) {
	body, err := Get(ctx, p.URL+"/api/v1/targets?state=active")
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct {
			ActiveTargets []struct {
				Labels, DiscoveredLabels map[string]string
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	versions := map[string]string{}
	for _, t := range answer.Data.ActiveTargets {
		versions[t.DiscoveredLabels["__address__"]] = t.Labels["version"]
	}
	return versions, nil
}

// Get asks for a page; any status but 200 is an error.
func Get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(url + ": " + resp.Status)
	}
	return body, err
}
