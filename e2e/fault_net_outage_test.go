package e2e

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An outage is one mcp-sd with a source that is going to fail, consul, and one
// that must not notice, racks.
type outage struct {
	*workspace
	host   *host
	fleet  *fleet
	daemon *daemon
	racks  []string          // addresses in the static list
	want   map[string]labels // what is to be published
}

// newOutage starts mcp-sd with a block of Consul's options.
func newOutage(t *testing.T, h *host, block string) *outage {
	o := &outage{workspace: newWorkspace(t), host: h, fleet: newFleetOn(t, h), want: map[string]labels{}}
	o.configure(t, `
global: {refresh_interval: 1s, source_timeout: 3s}
sources:
  - {name: consul, consul: {%s}}
  - {name: racks, static: {files: ['$STATIC/racks.yml']}}
health: {interval: 2s, timeout: 2s, fall: 1, allow_cidrs: [127.0.0.0/8]}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, block)
	replaceFile(t, filepath.Join(o.static, "racks.yml"), "[]")
	o.daemon = h.start(t, o.workspace)
	return o
}

// joins registers an instance and waits until it is published.
func (o *outage) joins(t *testing.T, consul *consulServer, name, ip string) {
	t.Helper()
	o.registers(t, consul, name, ip)
	o.becomesComplete(t, retried)
}

// registers an instance that is to be published as soon as the source answers.
func (o *outage) registers(t *testing.T, consul *consulServer, name, ip string) {
	t.Helper()
	o.want[o.fleet.add(ip, "")] = labels{"region": "dc1", "version": "v1"}
	consul.register(t, o.fleet, service{name: name, ip: ip, meta: version("v1")})
}

// goes deregisters an instance that answers no more, and so is to leave as
// soon as the source answers.
func (o *outage) goes(t *testing.T, consul *consulServer, name, ip string) {
	t.Helper()
	consul.deregister(t, service{name: name, ip: ip})
	o.fleet.set(ip, off)
	delete(o.want, o.fleet.address(ip))
}

// racksGain shows that the other source goes on: it lists one more, which is
// published at once.
func (o *outage) racksGain(t *testing.T, ip string) {
	t.Helper()
	address := o.fleet.add(ip, "")
	o.racks = append(o.racks, address)
	replaceFile(t, filepath.Join(o.static, "racks.yml"),
		fmt.Sprintf("[{targets: ['%s'], labels: {version: v1}}]", strings.Join(o.racks, "', '")))
	began := time.Now()
	eventually(t, soon, func() error {
		_, err := fileLabels(o.file(), address)
		return err
	})
	t.Logf("the other source gained a target in %s", time.Since(began).Round(time.Millisecond))
	o.want[address] = labels{"version": "v1"}
}

func (o *outage) file() string { return o.output("mcp.json") }

func (o *outage) complete() error { return fileHas(o.file(), o.want) }

// becomesComplete waits for exactly what is wanted.
func (o *outage) becomesComplete(t *testing.T, within time.Duration) {
	t.Helper()
	eventually(t, within, o.complete)
}

// losesSource waits until the source is known to be failing; nothing may
// change before, then, or for a while afterwards.
func (o *outage) losesSource(t *testing.T) {
	t.Helper()
	began := time.Now()
	o.throughout(t, retried, func() error { return o.daemon.sourceUp("consul", "consul", "0") })
	t.Logf("the source was known to fail after %s", time.Since(began).Round(100*time.Millisecond))
	if err := o.daemon.sourceUp("racks", "static", "1"); err != nil {
		t.Error(err)
	}
	holds(t, 2*time.Second, func() error { return errors.Join(o.complete(), o.listed()) })
}

// listed checks that all that is published counts as listed: a source that
// fails has not said that anything is gone.
func (o *outage) listed() error {
	var wrong []error
	for address := range o.want {
		wrong = append(wrong, fileLabel(o.file(), address, "__meta_mcp_sd_state", "published"))
	}
	return errors.Join(wrong...)
}

// regainsSource waits until the source answers again.
func (o *outage) regainsSource(t *testing.T) {
	t.Helper()
	began := time.Now()
	eventually(t, retried, func() error { return o.daemon.sourceUp("consul", "consul", "1") })
	t.Logf("the source was back after %s", time.Since(began).Round(100*time.Millisecond))
}

// throughout waits for check while everything wanted is published all the time.
func (o *outage) throughout(t *testing.T, within time.Duration, check func() error) {
	t.Helper()
	eventually(t, within, func() error {
		if err := o.complete(); err != nil {
			t.Fatalf("meanwhile: %v", err)
		}
		return check()
	})
}

// restarts kills mcp-sd and starts it again, in the middle of whatever is
// wrong.
func (o *outage) restarts(t *testing.T) {
	t.Helper()
	o.daemon.kill()
	o.daemon = o.host.start(t, o.workspace)
}

// fileLabels returns the labels of one target in the file.
func fileLabels(path, address string) (labels, error) {
	targets, err := readTargets(path)
	if err != nil {
		return nil, err
	}
	l, ok := targets[address]
	if !ok {
		return nil, fmt.Errorf("%s does not list %s", path, address)
	}
	return l, nil
}

// atLeast checks that all of these are published, whatever else is.
func atLeast(path string, addresses ...string) error {
	targets, err := readTargets(path)
	if err != nil {
		return err
	}
	var missing []string
	for _, address := range addresses {
		if _, ok := targets[address]; !ok {
			missing = append(missing, address)
		}
	}
	if missing != nil {
		return errors.New(path + " lacks " + strings.Join(missing, ", "))
	}
	return nil
}
