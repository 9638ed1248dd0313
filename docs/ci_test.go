//go:build ci

package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever follows the README from the installation on ends up with a daemon
// that runs as its own user under its hardened unit, with files that another
// user can read, and with a pass from cron that works. On a throw-away overlay
// of this machine, under a systemd of its own: see testdata/booted.sh.
func TestInstallation(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test boots systemd in namespaces of its own, which needs root")
	}
	var script strings.Builder
	add := func(parts ...string) { script.WriteString(strings.Join(parts, "\n") + "\n") }
	for _, b := range blocks(t, install) {
		add(b.text)
	}
	// "Put your fleet into racks.yml": a real server, and one that is not there.
	add(`go build -o /run/mcp-server ./examples/mcp-server
systemd-run --quiet --unit=mcp-server /run/mcp-server --web.listen-address=127.0.0.1:3000
cat >/etc/mcp-sd/racks.yml <<END
- targets: [127.0.0.1:3000, 127.0.0.1:3001]
  labels: {environment: production, region: us-east-1}
END`)
	for _, b := range blocks(t, installed) {
		add(b.text)
	}
	add(`file=/etc/prometheus/targets/mcp-production.json
timeout 60 bash -c "until [ -e $file ]; do sleep 0.1; done"
runuser -u nobody -- grep -q 127.0.0.1:3000 $file
runuser -u nobody -- grep -q '"version": "v1.0.0"' $file
test "$(stat -c %U $file)" = mcp-sd
mcp-sd targets
mcp-sd targets | grep 127.0.0.1:3000
mcp-sd explain 127.0.0.1:3001 | grep pending
systemctl reload mcp-sd
systemctl is-active mcp-sd
systemctl stop mcp-sd
test "$(systemctl show -p Result --value mcp-sd)" = success
install -m 0644 examples/cron/mcp-sd /etc/cron.d/mcp-sd
rm $file`)
	for _, b := range blocks(t, cron) {
		add("runuser -u mcp-sd -- bash -euxo pipefail -c '" + b.text + "'")
	}
	// As cron would: the line's five times, the user, the command.
	add(`runuser -u nobody -- cat $file
rm $file
( set -f; set -- $(grep '^[*]' /etc/cron.d/mcp-sd); user=$6; shift 6
  runuser -u "$user" -- env -i "$(grep ^PATH= /etc/cron.d/mcp-sd)" "$@" )
test -s $file`)
	// "Where the inventory should not be public": nobody's group is nogroup.
	add(`rm -r /etc/prometheus/targets /var/lib/mcp-sd
install -d -m 2750 -o mcp-sd -g nogroup /etc/prometheus/targets
printf '    mode: "0640"\n' >>/etc/mcp-sd/mcp-sd.yml
systemctl start mcp-sd
timeout 60 bash -c "until [ -e $file ]; do sleep 0.1; done"
test "$(stat -c %G:%a $file)" = nogroup:640
runuser -u nobody -- grep -q 127.0.0.1:3000 $file
! runuser -u daemon -- cat $file`)

	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte(script.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	booted, err := filepath.Abs("testdata/booted.sh")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), booted, path)
	cmd.Dir = ".."
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
