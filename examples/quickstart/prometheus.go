package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// prometheus runs it on mcp-sd's files and with the example's rules, where it
// is installed, and returns its address.
func (s *show) prometheus(ctx context.Context, mcpsd string) (string, error) {
	program, err := exec.LookPath("prometheus")
	if err != nil {
		return "", nil
	}
	address, err := freeAddress(ctx, "127.0.0.1:9090")
	if err != nil {
		return "", err
	}
	if err := errors.Join(s.rules(), s.scrapeAlso("mcp-sd", mcpsd), s.scrapeAlso("prometheus", address)); err != nil {
		return "", fmt.Errorf("configuring Prometheus: %w", err)
	}
	log, err := os.Create(s.path("prometheus.log"))
	if err != nil {
		return "", fmt.Errorf("running Prometheus: %w", err)
	}
	defer log.Close()
	p, err := start(ctx, s.dir, log, log, program, "--config.file=prometheus.yml", "--storage.tsdb.path=prometheus", "--web.listen-address="+address)
	if err != nil {
		return "", err
	}
	s.procs = append(s.procs, p)
	if err := ready(ctx, p, "http://"+address+"/-/ready"); err != nil {
		return "", fmt.Errorf("prometheus, see %s: %w", log.Name(), err)
	}
	return address, nil
}

// pages is where Prometheus shows what it has: Debian's, which comes without
// the newer pages, below /classic.
func pages(ctx context.Context, prometheus string) string {
	switch {
	case prometheus == "":
		return ""
	case answers(ctx, "http://"+prometheus+"/classic/targets"):
		return "http://" + prometheus + "/classic"
	default:
		return "http://" + prometheus
	}
}

// rules copies the rule files of examples/prometheus.
func (s *show) rules() error {
	paths, err := filepath.Glob(filepath.Join(s.module, "examples", "prometheus", "*.yml"))
	if err != nil {
		return err
	}
	if err := os.Mkdir(s.path("rules"), 0o755); err != nil {
		return err
	}
	isRules := regexp.MustCompile(`(?m)^groups:`)
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !isRules.Match(content) {
			continue // prometheus.yml, and the rules' tests
		}
		if err := os.WriteFile(s.path("rules", filepath.Base(path)), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// scrapeAlso adds a job with one target to Prometheus' configuration.
func (s *show) scrapeAlso(job, address string) error {
	f, err := os.OpenFile(s.path("prometheus.yml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "\n  - job_name: %s\n    static_configs:\n      - targets: [%q]\n", job, address)
	return errors.Join(err, f.Close())
}

// An alert as Prometheus' API tells it.
type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	State       string            `json:"state"`
}

func (a alert) String() string { return a.Labels["alertname"] + ": " + a.Annotations["summary"] }

// watchAlerts says it when an alert begins or ceases to fire, until ctx ends.
func (s *show) watchAlerts(ctx context.Context, prometheus string) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var before []string
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, err := firing(ctx, prometheus)
		if err != nil {
			continue // it may be stopped as well: that it answers is not the question here
		}
		for _, a := range now {
			if !slices.Contains(before, a) {
				s.say("      ALERT  %s", a)
			}
		}
		for _, a := range before {
			if !slices.Contains(now, a) {
				s.say("      over   %s", a)
			}
		}
		before = now
	}
}

// firing returns the alerts that fire, sorted.
func firing(ctx context.Context, prometheus string) (now []string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+prometheus+"/api/v1/alerts", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			Alerts []alert `json:"alerts"`
		} `json:"data"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("reading Prometheus' alerts: %w", err)
	}
	for _, a := range answer.Data.Alerts {
		if strings.EqualFold(a.State, "firing") {
			now = append(now, a.String())
		}
	}
	slices.Sort(now)
	return slices.Compact(now), nil
}
