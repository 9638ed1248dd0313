package e2e

import (
	"fmt"
	"maps"
	"syscall"
	"testing"
	"time"
)

// TestReload adds a source with SIGHUP, and survives an invalid file.
func TestReload(t *testing.T) {
	t.Parallel()
	o := newOnce(t)
	o.fleet.add("127.0.7.3", "v1")
	more := o.racks("production") + fmt.Sprintf(`
  - name: more
    static: {targets: [{targets: [%q], labels: {environment: staging}}]}
`, o.fleet.address("127.0.7.3")) + onceOutputs
	daemon := o.start(t)
	loaded := func(want string) func() error {
		return func() error { return daemon.metric("mcp_sd_config_last_reload_successful", want) }
	}
	written := func() error { return fileHas(o.output("mcp.json"), o.want) }
	eventually(t, soon, written)
	eventually(t, soon, loaded("1"))

	o.configure(t, "%s", more+"sauces: []\n")
	daemon.signal(t, syscall.SIGHUP)
	eventually(t, soon, loaded("0"))
	holds(t, time.Second, written)

	o.want = maps.Clone(o.want)
	o.want[o.fleet.address("127.0.7.3")] = labels{"environment": "staging", "version": "v1"}
	o.configure(t, "%s", more)
	daemon.signal(t, syscall.SIGHUP)
	eventually(t, soon, written)
	eventually(t, soon, loaded("1"))
	eventually(t, soon, func() error { return daemon.sourceUp("more", "static", "1") })
	daemon.stops(t)
}
