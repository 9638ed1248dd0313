package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// stay runs the daemon, and Prometheus where there is one, until ctx ends.
func (s *show) stay(ctx context.Context) error {
	address, err := freeAddress(ctx, "127.0.0.1:10917")
	if err != nil {
		return err
	}
	daemon, err := start(ctx, s.dir, s.errs, s.errs, s.path("bin", "mcp-sd"),
		"--config.file=mcp-sd.yml", "--state.path=state", "--web.listen-address="+address)
	if err != nil {
		return err
	}
	s.procs = append(s.procs, daemon)
	if err := ready(ctx, daemon, "http://"+address+"/-/ready"); err != nil {
		return fmt.Errorf("mcp-sd: %w", err)
	}
	prometheus, err := s.prometheus(ctx, address)
	if err != nil {
		return err
	}
	s.guide(address, pages(ctx, prometheus))
	for _, m := range s.fleet {
		go s.report(ctx, m)
	}
	if prometheus != "" {
		go s.watchAlerts(ctx, prometheus)
	}
	select {
	case <-ctx.Done():
		s.say("\nStopping the fleet and mcp-sd.")
		return nil
	case <-daemon.done:
		return fmt.Errorf("mcp-sd: %w", daemon.ended())
	}
}

// guide says where to look and what to try.
func (s *show) guide(address, prometheus string) {
	s.say(`
[4/4] Running until Ctrl-C. Its log follows; try in another terminal:
  Look     cat %s
           the unhealthy server arrives there as down, 10 s after the start
           http://%s/metrics   mcp-sd about itself`, s.path("targets", "mcp-staging.json"), address)
	ring := "so that Prometheus can raise the alarm"
	if prometheus != "" {
		s.say("           %s/targets   Prometheus on these files", prometheus)
		s.say("           %s/alerts    and with the rules of examples/prometheus", prometheus)
		ring = "so that MCPServerDown fires two minutes later: it will say so here"
	}
	s.say(`  Edit     $EDITOR %s
           take a server out, or damage the file: who still answers, stays
  Stop     kill %d   (%s)
           it stays too, marked down, %s
  Connect  your own Prometheus, by these lines in a scrape configuration:
             file_sd_configs:
               - files: [%s]`, s.path("racks.yml"), s.fleet[0].pid(), s.fleet[0], ring, s.path("targets", "mcp-*.json"))
	if prometheus == "" {
		s.say(`           There is no program called prometheus here; where there is one, this
           command runs it as well, with rules that raise the alarm.`)
	}
	s.say("")
}

// report says it when a server of the fleet was stopped.
func (s *show) report(ctx context.Context, m *server) {
	<-m.done
	if ctx.Err() == nil {
		s.say("      the server http://%s (%s) has ended", m.address, m)
	}
}

// freeAddress returns the address that it is asked for where nobody listens
// there, else another on loopback.
func freeAddress(ctx context.Context, prefers string) (string, error) {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", prefers)
	if err != nil {
		l, err = listen.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// free says no where somebody listens at the address.
func free(ctx context.Context, address string) error {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// ready waits until url answers 200.
func ready(ctx context.Context, p *process, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !answers(ctx, url) {
		select {
		case <-p.done:
			return p.ended()
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", url, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
