package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A rack is a small fleet in a watched file, for tests in which everything else
// goes wrong.
type rack struct {
	*workspace
	fleet *fleet
	wrap  []string          // what mcp-sd's command line begins with
	path  string            // of the binary
	want  map[string]labels // what is listed now
}

const rackSource = `
global: {refresh_interval: 1s}
sources: [{name: racks, static: {files: ['$STATIC/*.json']}}]
health: {interval: 2s, timeout: 2s, fall: 1}
`

// newRack has four healthy instances, of which three are listed.
func newRack(t testing.TB) *rack {
	t.Helper()
	r := &rack{workspace: newWorkspace(t), fleet: newFleet(t), path: mcpSD}
	for i := range 4 {
		r.fleet.add(rackIP(1+i), "")
	}
	r.configure(t, "%s", rackSource+"outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]\n")
	r.lists(t, "v1", 1, 2, 3)
	return r
}

func rackIP(i int) string { return fmt.Sprintf("127.0.12.%d", i) }

func (r *rack) address(i int) string { return r.fleet.address(rackIP(i)) }

func (r *rack) addresses(instances ...int) []string {
	var addresses []string
	for _, i := range instances {
		addresses = append(addresses, r.address(i))
	}
	return addresses
}

// lists makes these instances the listed ones, with this label.
func (r *rack) lists(t testing.TB, release string, instances ...int) {
	t.Helper()
	r.want = map[string]labels{}
	for _, address := range r.addresses(instances...) {
		r.want[address] = labels{"release": release}
	}
	replaceFile(t, filepath.Join(r.static, "a.json"), fmt.Sprintf(
		`[{"targets": ["%s"], "labels": {"release": %q}}]`, strings.Join(r.addresses(instances...), `", "`), release))
}

// breaks makes the source fail: its file is not JSON any more.
func (r *rack) breaks(t testing.TB) {
	t.Helper()
	replaceFile(t, filepath.Join(r.static, "a.json"), "[{")
}

func (r *rack) file() string { return r.output("mcp.json") }

// written checks that what is listed is what is published.
func (r *rack) written() error { return fileHas(r.file(), r.want) }

// run calls mcp-sd --once in the way of the rack.
func (r *rack) run(t testing.TB, flags ...string) result {
	t.Helper()
	return r.calls(t, append([]string{"--once"}, flags...)...)
}

// calls runs one of mcp-sd's commands in the way of the rack.
func (r *rack) calls(t testing.TB, args ...string) result {
	t.Helper()
	line := append(r.commandLine(), args...)
	return call(t, line[0], line[1:]...)
}

func (r *rack) commandLine() []string {
	return append(r.wrap[:len(r.wrap):len(r.wrap)], r.path, "--config.file="+r.config, "--state.path="+r.state)
}

// launch runs the daemon in the way of the rack, without waiting for it.
func (r *rack) launch(t testing.TB) *daemon {
	t.Helper()
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	args := append(r.commandLine(), "--web.listen-address="+listen)
	return &daemon{url: "http://" + listen, process: startProcess(t, "mcp-sd", args[0], args[1:]...)}
}

// start runs the daemon and waits until it is ready.
func (r *rack) start(t testing.TB) *daemon {
	t.Helper()
	d := r.launch(t)
	d.getsReady(t)
	return d
}

func (d *daemon) getsReady(t testing.TB) {
	t.Helper()
	eventually(t, soon, func() error {
		if err := d.running(); err != nil {
			return err
		}
		_, err := httpGet(d.url + "/-/ready")
		return err
	})
}

// ended is nil once the daemon has ended, not cleanly.
func (d *daemon) ended() error {
	if d.running() == nil {
		return errors.New("mcp-sd still runs")
	}
	if d.err == nil {
		return errors.New("mcp-sd ended with exit status 0")
	}
	return nil
}

// says checks that the log has these words.
func (d *daemon) says(words string) error {
	log, err := os.ReadFile(d.log)
	if err == nil && !bytes.Contains(log, []byte(words)) {
		err = fmt.Errorf("the log lacks %q", words)
	}
	return err
}

// sample returns one of the daemon's own metrics.
func (d *daemon) sample(series string) (float64, error) {
	body, err := httpGet(d.url + "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(body)) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), series+" "); found {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("no metric %s", series)
}
