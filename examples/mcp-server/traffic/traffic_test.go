package traffic

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mcp-sd/mcp-sd/examples/mcp-server/server"
	"github.com/mcp-sd/mcp-sd/house/ports"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte("s3cret")

// serve runs a server at an address until the test or stop ends it.
func serve(t *testing.T, address string) (url string, stop func()) {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := server.New(server.Options{Version: "v1.0.0", Secret: secret})
	h := s.HTTP()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = h.Serve(s.Connections().Listener(l))
	}()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		_ = h.Close()
		<-ended
		s.Close()
	}
	t.Cleanup(stop)
	return "http://" + l.Addr().String(), stop
}

// run lets traffic run until the test or stop ends it.
func run(t *testing.T, o Options) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	o.Credentials, o.Logger = server.Credentials{Secret: secret}, slog.New(slog.DiscardHandler)
	go func() {
		defer close(done)
		Run(ctx, o)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

// sum adds up the series whose text fits the pattern.
func sum(t *testing.T, url, pattern string) (total float64) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url + server.MetricsPath)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^`+pattern+` (\S+)$`).FindAllStringSubmatch(string(b), -1) {
		v, err := strconv.ParseFloat(m[len(m)-1], 64)
		if err != nil {
			t.Fatal(err)
		}
		total += v
	}
	return total
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still waiting for %s", what)
		}
	}
}

const (
	attempts = `mcp_authentication_attempts_total\{.*\}`
	failures = `mcp_authentication_failures_total\{.*\}`
	active   = `mcp_active_connections\{.*\}`
	calls    = `mcp_tool_invocations_total\{.*\}`
)

// Users make mistakes, but far fewer than mean trouble: nothing that is wrong
// by itself may set off the alarms that the faults are for.
func TestHealthyTraffic(t *testing.T) {
	url, _ := serve(t, "127.0.0.1:0")
	stop := run(t, Options{URL: url, Rate: 200, AuthFailureRate: 0.02})
	await(t, "some rounds", func() bool { return sum(t, url, calls) > 300 })
	stop()
	for _, tool := range []string{"search_documents", "count_words", "convert", "wait", "show_widget", "update_widget", "sign_up", "upgrade_subscription"} {
		all := sum(t, url, `mcp_tool_invocations_total\{status=".*",tool_name="`+tool+`",.*\}`)
		// Those that stop has canceled are no mistakes.
		failed := sum(t, url, `mcp_tool_errors_total\{error_type="(?:invalid_params|timeout|unavailable|internal)",tool_name="`+tool+`"\}`)
		if all == 0 || failed/all >= 0.05 {
			t.Errorf("%v of %v calls of %s failed", failed, all, tool)
		}
	}
	if got := sum(t, url, failures) / sum(t, url, attempts); got == 0 || got > 0.1 {
		t.Errorf("%v of the authentications failed", got)
	}
	if got := sum(t, url, `mcp_tool_errors_total\{error_type="invalid_params",tool_name="convert"\}`); got == 0 {
		t.Error("nobody made a mistake")
	}
	// Every connection that the users had ends with them.
	await(t, "the last connection to end", func() bool { return sum(t, url, active) == 0 })
}

func TestAuthFailureRate(t *testing.T) {
	for rate, bounds := range map[float64][2]float64{0.5: {0.35, 0.65}, 1: {1, 1}} {
		url, _ := serve(t, "127.0.0.1:0")
		stop := run(t, Options{URL: url, Rate: 100, AuthFailureRate: rate})
		await(t, "some hundred attempts", func() bool { return sum(t, url, attempts) > 400 })
		stop()
		if got := sum(t, url, failures) / sum(t, url, attempts); got < bounds[0] || got > bounds[1] {
			t.Errorf("%v of the authentications failed, want %v", got, rate)
		}
	}
}

func TestAuthAttempts(t *testing.T) {
	url, _ := serve(t, "127.0.0.1:0")
	began := time.Now()
	stop := run(t, Options{URL: url, AuthAttempts: 250, AuthFailureRate: 0.02})
	await(t, "some hundred attempts", func() bool { return sum(t, url, attempts) >= 500 })
	stop()
	if most := 250*time.Since(began).Seconds() + 5; sum(t, url, attempts) > most {
		t.Errorf("%v attempts, at most %v were asked for", sum(t, url, attempts), most)
	}
	if got := sum(t, url, failures) / sum(t, url, attempts); got > 0.1 {
		t.Errorf("%v of them failed", got)
	}
}

func TestConnectionsAreHeld(t *testing.T) {
	url, _ := serve(t, "127.0.0.1:0")
	stop := run(t, Options{URL: url, Connections: 60})
	const authenticated = `mcp_active_connections\{authenticated="true",.*\}`
	await(t, "60 connections, all of them authenticated", func() bool { // one that a busy machine broke is opened anew
		return sum(t, url, active) == 60 && sum(t, url, authenticated) == 60
	})
	stop()
	await(t, "the last connection to end", func() bool { return sum(t, url, active) == 0 })
}

// Users come back to a server that was down, and so do the connections.
func TestServerComesBack(t *testing.T) {
	address, err := ports.Address() // nobody else takes it meanwhile
	if err != nil {
		t.Fatal(err)
	}
	url, stopServer := serve(t, address)
	run(t, Options{URL: url, Rate: 50, Connections: 3})
	await(t, "calls", func() bool { return sum(t, url, calls) > 20 })
	stopServer()
	serve(t, address)
	await(t, "calls and connections of the next server", func() bool {
		return sum(t, url, calls) > 20 && sum(t, url, active) >= 3
	})
}
