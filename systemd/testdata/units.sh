# The life of the units, run by TestUnits as root under a systemd of its own,
# with -e, -u, -x and pipefail, in the repository.

fails() { if "$@"; then echo "did not fail: $*" >&2; return 1; fi; } # what begins with ! ends no script
within() { timeout "$1" bash -c "until $2; do sleep 0.1; done" || { systemctl status --no-pager --full --lines=40 mcp-sd mcp-sd-once.service; false; }; }
property() { systemctl show -p "$1" --value "${2:-mcp-sd}"; }
# The same targets, with the same labels: none has begun a new series.
unchanged() { diff <(grep -v __meta_mcp_sd /run/before.json) <(grep -v __meta_mcp_sd $file); }
file=/etc/prometheus/targets/mcp-production.json

# --- Installed as the files say.
rm -rf /etc/prometheus/targets
go build -o /usr/local/bin/mcp-sd .
go build -o /run/mcp-server ./examples/mcp-server
install -m 0644 systemd/*.service systemd/*.timer /etc/systemd/system/
install -D -m 0644 systemd/sysusers.d/mcp-sd.conf -t /etc/sysusers.d/
install -D -m 0644 systemd/tmpfiles.d/mcp-sd.conf -t /etc/tmpfiles.d/
systemd-sysusers mcp-sd.conf
systemd-tmpfiles --create mcp-sd.conf
test "$(stat -c %U:%G:%a /etc/prometheus/targets)" = mcp-sd:mcp-sd:755
getent passwd mcp-sd | grep ':/usr/sbin/nologin$'
systemd-run --quiet --unit=mcp-server /run/mcp-server --web.listen-address=:3000
within 60 "(exec 3<>/dev/tcp/127.0.0.1/3000) 2>/dev/null"

# --- A Consul that takes connections and never answers: the start lasts until
# it has failed, far beyond TimeoutStartSec=, and the credential is read, by a
# program of the exec source, too.
systemd-run --quiet --unit=silent --socket-property=ListenStream=127.0.0.1:8500 sleep infinity
install -d /etc/mcp-sd
(umask 077 && echo secret >/etc/mcp-sd/consul-token)
cat >/etc/mcp-sd/racks.yml <<END
- targets: [127.0.0.1:3000]
  labels: {environment: production, region: us-east-1}
END
cat >/etc/mcp-sd/mcp-sd.yml <<'END'
global: {source_timeout: 25s}
sources:
  - name: racks
    static: {files: [racks.yml]}
  - name: program
    exec: {command: [/bin/sh, -c, 'test "$(cat "$CREDENTIALS_DIRECTORY/consul-token")" = secret && echo "[]"']}
  - name: silent
    consul: {server: 127.0.0.1:8500, token_file: "${CREDENTIALS_DIRECTORY}/consul-token"}
outputs:
  - path: /etc/prometheus/targets/mcp-{environment}.json
END
install -d /etc/systemd/system/mcp-sd.service.d
cat >/etc/systemd/system/mcp-sd.service.d/test.conf <<'END'
[Service]
TimeoutStartSec=8s
WatchdogSec=12s
RestartSec=100ms
LoadCredential=consul-token:/etc/mcp-sd/consul-token
END
install -d /etc/systemd/system/mcp-sd-once.service.d
printf '[Service]\nLoadCredential=consul-token:/etc/mcp-sd/consul-token\n' >/etc/systemd/system/mcp-sd-once.service.d/test.conf
systemctl daemon-reload
began=$SECONDS
systemctl start --no-block mcp-sd
within 20 "systemctl show -p StatusText --value mcp-sd | grep -q 'waiting for the first answer of silent'"
test "$(property ActiveState)" = activating
systemctl start mcp-sd
((SECONDS - began >= 9)) # TimeoutStartSec= was over
test -s $file # ready means: the first decision is on disk
within 60 "systemctl show -p StatusText --value mcp-sd | grep -q '^1 published; failing, their last good targets are kept: silent$'"
test "$(property NRestarts)" = 0
test "$(stat -c %U:%G:%a /var/lib/mcp-sd)" = mcp-sd:mcp-sd:700

# --- A reload that is refused fails, says why, and changes nothing.
sed -i s/static:/statik:/ /etc/mcp-sd/mcp-sd.yml
fails systemctl reload mcp-sd
within 60 "journalctl -u mcp-sd | grep -q 'mcp-sd.yml:4:.*statik'"
kill -HUP "$(property MainPID)" # past the check
within 60 "journalctl -u mcp-sd | grep -q 'the configuration was not reloaded'"
within 60 "test \$(systemctl show -p ActiveState --value mcp-sd) = active"
sed -i -e s/statik:/static:/ -e '/silent/,/consul:/d' /etc/mcp-sd/mcp-sd.yml
systemctl reload mcp-sd
within 60 "systemctl show -p StatusText --value mcp-sd | grep -q '^1 published$'"
test "$(property NRestarts)" = 0

# --- Prometheus, as a user of its own, reads what is written.
cat >/run/prometheus.yml <<'END'
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: mcp
    file_sd_configs: [{files: [/etc/prometheus/targets/mcp-*.json], refresh_interval: 1s}]
END
id prometheus || useradd --system prometheus
systemd-run --quiet --unit=prom --uid=prometheus -p RuntimeDirectory=prom prometheus \
	--config.file=/run/prometheus.yml --storage.tsdb.path=/run/prom/data --web.listen-address=127.0.0.1:9090
within 90 "promtool query instant http://127.0.0.1:9090 'up{job=\"mcp\",environment=\"production\"}' 2>/dev/null | grep -q '=> 1 @'"

# --- Killed: it comes back, and no target was away.
cp $file /run/before.json
kill -KILL "$(property MainPID)"
unchanged
within 60 "test \$(systemctl show -p NRestarts --value mcp-sd) = 1 -a \$(systemctl show -p ActiveState --value mcp-sd) = active"
unchanged

# --- It hangs: the watchdog ends it. Until now it was fed in time.
within 30 "test \$((\$(date +%s) - \$(date +%s -d \"\$(systemctl show -p ActiveEnterTimestamp --value mcp-sd)\"))) -gt 13"
test "$(property NRestarts)" = 1
systemctl reset-failed mcp-sd
kill -STOP "$(property MainPID)"
within 90 "journalctl -u mcp-sd | grep -q 'Watchdog timeout'"
within 60 "test \$(systemctl show -p NRestarts --value mcp-sd) = 1 -a \$(systemctl show -p ActiveState --value mcp-sd) = active"
unchanged

# --- Stopped and started anew while its source is broken: the state was kept.
began=$SECONDS
systemctl stop mcp-sd
((SECONDS - began <= 5))
test "$(property Result)" = success
test -s /var/lib/mcp-sd/state.json
echo broken: [ >/etc/mcp-sd/racks.yml
systemctl start mcp-sd
within 60 "systemctl show -p StatusText --value mcp-sd | grep -q '^1 published; failing, their last good targets are kept: racks$'"
unchanged

# --- The timer takes the daemon's place. A pass with a broken source fails, a
# good one does not, and the inventory can be kept from others.
install -d /etc/systemd/system/mcp-sd-once.timer.d
printf '[Timer]\nOnCalendar=\nOnCalendar=*:*:0/2\n' >/etc/systemd/system/mcp-sd-once.timer.d/test.conf
systemctl daemon-reload
systemctl start mcp-sd-once.timer
within 60 "test \$(systemctl show -p ActiveState --value mcp-sd) = inactive"
within 60 "test \$(systemctl show -p ExecMainStatus --value mcp-sd-once.service) = 5"
chgrp prometheus /etc/prometheus/targets /etc/prometheus/targets/.mcp-sd
chmod 2750 /etc/prometheus/targets /etc/prometheus/targets/.mcp-sd
systemd-tmpfiles --create mcp-sd.conf
test "$(stat -c %U:%G:%a /etc/prometheus/targets)" = mcp-sd:prometheus:2750
printf '    mode: "0640"\n' >>/etc/mcp-sd/mcp-sd.yml
cat >/etc/mcp-sd/racks.yml <<END
- targets: [127.0.0.1:3000]
  labels: {environment: production, region: us-east-1}
- targets: [127.0.0.2:3000]
  labels: {environment: private}
END
private=/etc/prometheus/targets/mcp-private.json
within 90 "test -s $private"
test "$(stat -c %U:%G:%a $private)" = mcp-sd:prometheus:640
fails runuser -u nobody -- cat $private
within 60 "test \$(systemctl show -p ActiveState --value mcp-sd-once.service) = inactive -a \$(systemctl show -p Result --value mcp-sd-once.service) = success"
within 90 "promtool query instant http://127.0.0.1:9090 'up{job=\"mcp\",environment=\"private\"}' 2>/dev/null | grep -q '=> 1 @'"
