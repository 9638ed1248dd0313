package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// play lets an instance answer in a way of its own.
func (f *fleet) play(ip string, answers http.HandlerFunc) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instances[ip] = &instance{metrics: answers}
	return f.address(ip)
}

const textFormat = "text/plain; version=0.0.4; charset=utf-8"

// drips a sample now and then, always in time for a timeout that starts anew
// with each.
func drips(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", textFormat)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		_, _ = io.WriteString(w, "mcp_sessions 1\n")
		w.(http.Flusher).Flush()
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// bomb is 256 MiB of samples in some 250 KB.
var bomb = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	block := bytes.Repeat([]byte("mcp_sessions 1\n"), 1<<20/15)
	for range 256 {
		_, _ = z.Write(block)
	}
	_ = z.Close()
	return b.Bytes()
})

func bombs(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", textFormat)
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write(bomb())
}

// endless writes samples for as long as somebody reads.
func endless(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", textFormat)
	block := bytes.Repeat([]byte("mcp_sessions 1\n"), 4<<10)
	for {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// headers sends a megabyte of them.
func headers(w http.ResponseWriter, _ *http.Request) {
	for i := range 1 << 10 {
		w.Header().Set("X-Much-"+strconv.Itoa(i), strings.Repeat("x", 1<<10))
	}
	_, _ = io.WriteString(w, "mcp_sessions 1\n")
}

// redirects sends everybody elsewhere.
func redirects(location string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, location, http.StatusTemporaryRedirect)
	}
}

func hangs(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// A shown is a target as mcp-sd targets --format=json shows it.
type shown struct {
	Address   string `json:"address"`
	Health    string `json:"health"`
	State     string `json:"state"`
	LastError string `json:"last_error"`
}

// targetsByAddress asks the daemon for all of its targets.
func (w *workspace) targetsByAddress(t testing.TB) (map[string]shown, error) {
	t.Helper()
	got := w.call(t, "targets", "--format=json")
	if got.code != 0 {
		return nil, fmt.Errorf("mcp-sd targets ended with %d: %s", got.code, got.stderr)
	}
	var list []shown
	if err := json.Unmarshal([]byte(got.stdout), &list); err != nil {
		return nil, fmt.Errorf("mcp-sd targets: %w\n%s", err, got.stdout)
	}
	byAddress := map[string]shown{}
	for _, target := range list {
		byAddress[target.Address] = target
	}
	return byAddress, nil
}

// shows checks the health of targets and the beginning of what their last
// failure was. It takes its time: a process for each question costs as much as
// a hundred probes.
func (w *workspace) shows(t testing.TB, addresses []string, health, failure string) error {
	t.Helper()
	return w.judged(t, addresses, health, failure)()
}

// judged is shows for what is called several times: it is enough that each of
// the addresses has had the verdict at one of the calls. A busy machine lets one
// or another probe fail in between.
func (w *workspace) judged(t testing.TB, addresses []string, health, failure string) func() error {
	seen := map[string]bool{}
	return func() error {
		t.Helper()
		<-time.After(time.Second / 4)
		targets, err := w.targetsByAddress(t)
		if err != nil {
			return err
		}
		wrong := map[string]shown{}
		for _, address := range addresses {
			got := targets[address]
			seen[address] = seen[address] || got.Health == health && strings.HasPrefix(got.LastError, failure)
			if !seen[address] {
				wrong[address] = got
			}
		}
		if len(wrong) == 0 {
			return nil
		}
		example := slices.Sorted(maps.Keys(wrong))[0]
		return fmt.Errorf("%d of %d targets are not %s (%s); %s is %+v",
			len(wrong), len(addresses), health, failure, example, wrong[example])
	}
}

// value is that of one sample of the daemon's own metrics.
func (d *daemon) value(series string) (string, error) {
	body, err := httpGet(d.url + "/metrics")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(body)) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), series+" "); found {
			return value, nil
		}
	}
	return "", fmt.Errorf("no metric %s", series)
}

// resident is the daemon's memory in MiB.
func (d *daemon) resident(t testing.TB) float64 {
	t.Helper()
	text, err := d.value("process_resident_memory_bytes")
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return bytes / (1 << 20)
}
