package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// resetting takes connections, counts them, and breaks them off: what it is
// asked then fails from another port every time.
func resetting(t *testing.T) (address string, asked *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked = &atomic.Int64{}
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			_, _ = c.Read(make([]byte, 4096))
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
	}()
	return l.Addr().String(), asked
}

// lines are those of the log that have all of these words.
func (d *daemon) lines(t *testing.T, words ...string) (found []string) {
	t.Helper()
	b, err := os.ReadFile(d.log)
	if err != nil {
		t.Fatal(err)
	}
next:
	for line := range strings.Lines(string(b)) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue next
			}
		}
		found = append(found, line)
	}
	return found
}

// TestLog has a Consul that breaks every connection off, a thousand targets that
// are rejected and listed again and again, writes that fail, and reloads that are
// refused: each is one line, or as many as it names, however often it is tried.
func TestLog(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t)
	server, asked := resetting(t)
	configuration := `
global: {refresh_interval: 1s}
sources:
  - {name: broken, consul: {server: %q, services: [a, b, c, d, e, f, g, h]}}
  - {name: racks, static: {files: ["$STATIC/*.yml"]}}
health: {enabled: false}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 1s}]
`
	var rejected strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&rejected, "- targets: [no-port-%d.]\n", i)
	}
	list := func(targets string) { replaceFile(t, filepath.Join(w.static, "racks.yml"), rejected.String()+targets) }
	list("- targets: ['10.0.0.1:80']\n")
	w.configure(t, configuration, server)
	d := w.start(t)
	eventually(t, soon, func() error { return fileHas(w.output("mcp.json"), map[string]labels{"10.0.0.1:80": {}}) })

	// The staging folder is gone for a while.
	stage := w.output(".mcp-sd")
	if err := os.Rename(stage, stage+"-away"); err != nil {
		t.Fatal(err)
	}
	list("- targets: ['10.0.0.1:80', '10.0.0.2:80']\n")
	eventually(t, soon, func() error {
		n, err := d.sample(`mcp_sd_writes_total{outcome="failure"}`)
		if err == nil && n < 3 {
			err = fmt.Errorf("%g writes have failed", n)
		}
		return err
	})
	if err := os.Rename(stage+"-away", stage); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, func() error {
		return fileHas(w.output("mcp.json"), map[string]labels{"10.0.0.1:80": {}, "10.0.0.2:80": {}})
	})
	w.configure(t, "sourcez: []")
	for n := range 2 {
		d.signal(t, syscall.SIGHUP)
		eventually(t, soon, func() error {
			if got := d.lines(t, "the configuration was not reloaded", "sourcez"); len(got) != n+1 {
				return fmt.Errorf("%d refused reloads were logged: %q", n+1, got)
			}
			return nil
		})
	}
	eventually(t, retried, func() error {
		if n := asked.Load(); n < 24 {
			return fmt.Errorf("it was asked %d times", n)
		}
		return nil
	})

	for words, most := range map[string]int{
		"a source failed": 2, // the first parts may fail before the others
		"could not write": 1, "writing works again": 1,
		"target left out": 20, "more was left out": 20,
		"level=ERROR": 3, // one write, two reloads
	} {
		if got := d.lines(t, words); len(got) == 0 || len(got) > most {
			t.Errorf("%q is logged %d times, want 1 to %d:\n%s", words, len(got), most, strings.Join(got, ""))
		}
	}
	for i := range 1000 {
		if got := d.lines(t, fmt.Sprintf("no-port-%d.", i)); len(got) != 1 {
			t.Fatalf("no-port-%d. is named in %d lines", i, len(got))
		}
	}
	d.stops(t)
	structured(t, d)
}

// structured checks that every line is one event as Prometheus writes it.
func structured(t *testing.T, d *daemon) {
	t.Helper()
	b, err := os.ReadFile(d.log)
	if err != nil {
		t.Fatal(err)
	}
	event := regexp.MustCompile(`^time=\S+Z level=[A-Z]+ source=\S+\.go:\d+ msg=("(\\.|[^"\\])*"|\S+)( [a-z0-9_]+=("(\\.|[^"\\])*"|\S*))*$`)
	for line := range bytes.Lines(b) {
		if !event.Match(bytes.TrimSuffix(line, []byte("\n"))) {
			t.Errorf("this is no structured line: %s", line)
		}
	}
}
