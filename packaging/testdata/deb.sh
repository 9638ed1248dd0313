# The package $deb from installation to purge, and $next, the next version: run
# by TestPackages as root under a systemd of its own, with -e, -u, -x and
# pipefail, in the repository.

fails() { if "$@"; then echo "did not fail: $*" >&2; return 1; fi; } # what begins with ! ends no script
within() { timeout "$1" bash -c "until $2; do sleep 0.1; done" || { systemctl status --no-pager --full --lines=40 mcp-sd; false; }; }
file=/etc/prometheus/targets/mcp-production.json
rm -rf /etc/prometheus/targets
rm -f /usr/sbin/policy-rc.d # some containers forbid packages to start services

# --- Installed: it runs with the configuration as it comes, as its own user.
dpkg -i "$deb"
systemctl is-enabled mcp-sd
systemctl is-active mcp-sd
within 60 "systemctl show -p StatusText --value mcp-sd | grep -q '^0 published$'"
test "$(stat -c %U:%a /etc/prometheus/targets)" = mcp-sd:755
runuser -u mcp-sd -- mcp-sd check-config
fails runuser -u nobody -- mcp-sd targets 2>/run/refused
grep 'permission denied: do it as root' /run/refused
systemd-analyze verify --recursive-errors=yes /lib/systemd/system/mcp-sd.service /lib/systemd/system/mcp-sd-once.timer
bash -c '. /usr/share/bash-completion/completions/mcp-sd && COMP_LINE="mcp-sd check" COMP_POINT=12 && _mcp_sd mcp-sd && test "${COMPREPLY[0]}" = check-config'

# --- As its first lines say.
go build -o /run/mcp-server ./examples/mcp-server
systemd-run --quiet --unit=mcp-server /run/mcp-server --web.listen-address=127.0.0.1:3000
printf -- '- targets: [127.0.0.1:3000]\n  labels: {environment: production, region: us-east-1}\n' >/etc/mcp-sd/static/racks.yml
within 60 "test -s $file"
runuser -u nobody -- grep -q 127.0.0.1:3000 $file
printf '\nglobal: {refresh_interval: 30s}\n' >>/etc/mcp-sd/mcp-sd.yml
mcp-sd check-config >/dev/null && systemctl reload mcp-sd
cp $file /run/before.json
unchanged() { diff <(grep -v __meta_mcp_sd /run/before.json) <(grep -v __meta_mcp_sd $file); }

# --- Upgraded: another process, the same configuration, the same targets.
pid=$(systemctl show -p MainPID --value mcp-sd)
dpkg -i --force-confdef --force-confold "$next"
mcp-sd --version | grep 'version 99.0.0 '
test "$(systemctl show -p MainPID --value mcp-sd)" != "$pid"
systemctl is-active mcp-sd
grep -q 'refresh_interval: 30s' /etc/mcp-sd/mcp-sd.yml
grep -q 'another default' /etc/mcp-sd/mcp-sd.yml.dpkg-dist
unchanged

# --- Stopped and disabled by the operator, it stays so.
systemctl disable --now mcp-sd
dpkg -i --force-confdef --force-confold "$deb"
fails systemctl is-active mcp-sd
fails systemctl is-enabled mcp-sd
systemctl enable --now mcp-sd

# --- Removed: what Prometheus reads stays, and so do state and configuration.
dpkg -r mcp-sd
fails systemctl is-active mcp-sd
unchanged
test -s /var/lib/mcp-sd/state.json
test -s /etc/mcp-sd/mcp-sd.yml
dpkg -i "$deb" # and back
within 60 "systemctl show -p StatusText --value mcp-sd | grep -q '^1 published$'"
unchanged

# --- Purged: the state goes; the lists and what Prometheus reads are not ours.
dpkg -P mcp-sd
test ! -e /var/lib/mcp-sd
test ! -e /etc/mcp-sd/mcp-sd.yml
test -s /etc/mcp-sd/static/racks.yml
unchanged
test ! -e /etc/prometheus/targets/.mcp-sd
fails systemctl cat mcp-sd
