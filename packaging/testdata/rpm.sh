# The package $rpm from installation to removal, and $next, the next version: run
# by TestPackages as root under a systemd of its own, with -e, -u, -x and
# pipefail, in the repository. rpm is Debian's, with an empty database, so the
# package's one dependency has to be waved through.

fails() { if "$@"; then echo "did not fail: $*" >&2; return 1; fi; } # what begins with ! ends no script
within() { timeout "$1" bash -c "until $2; do sleep 0.1; done" || { systemctl status --no-pager --full --lines=40 mcp-sd; false; }; }
rpm() { command rpm --nodeps --force-debian "$@" 2> >(tee -a /run/rpm.err >&2); }
file=/etc/prometheus/targets/mcp-production.json
rm -rf /etc/prometheus/targets /etc/mcp-sd /usr/share/mcp-sd /usr/share/doc/mcp-sd # whatever this machine has
install -d /etc/systemd/system-preset # as Fedora has it: nothing starts unless somebody says so
echo 'disable *' >/etc/systemd/system-preset/99-default.preset

# --- What it needs is systemd, and nothing else.
fails command rpm -i --force-debian "$rpm" 2>/run/needs
test "$(sed -n 's/^\s*\(.*\) is needed by mcp-sd-.*/\1/p' /run/needs)" = systemd

# --- Into an image that is only built: there is no systemd to talk to.
unshare --mount bash -ec 'mount -t tmpfs tmpfs /run && exec rpm -i --nodeps --force-debian "$1"' install "$rpm"
getent passwd mcp-sd | grep ':/usr/sbin/nologin$'
test "$(stat -c %U:%a /etc/prometheus/targets)" = mcp-sd:755
fails systemctl is-enabled mcp-sd
command rpm -V mcp-sd --nodeps
# and erased: of its files and directories nothing is left.
command rpm -ql mcp-sd | grep mcp-sd >/run/files
rpm -e mcp-sd
while read -r path; do test ! -e "$path" || { ls -laR "$path"; false; }; done </run/files

# --- Installed: it waits to be enabled, and then runs as it comes.
rpm -i "$rpm"
fails systemctl is-active mcp-sd
fails systemctl is-enabled mcp-sd
systemctl enable --now mcp-sd
within 60 "systemctl show -p StatusText --value mcp-sd | grep -q '^0 published$'"
runuser -u mcp-sd -- mcp-sd check-config
systemd-analyze verify --recursive-errors=yes /usr/lib/systemd/system/mcp-sd.service /usr/lib/systemd/system/mcp-sd-once.timer
go build -o /run/mcp-server ./examples/mcp-server
systemd-run --quiet --unit=mcp-server /run/mcp-server --web.listen-address=127.0.0.1:3000
printf -- '- targets: [127.0.0.1:3000]\n  labels: {environment: production, region: us-east-1}\n' >/etc/mcp-sd/static/racks.yml
within 60 "test -s $file"
runuser -u nobody -- grep -q 127.0.0.1:3000 $file
printf '\nglobal: {refresh_interval: 30s}\n' >>/etc/mcp-sd/mcp-sd.yml
systemctl reload mcp-sd
cp $file /run/before.json
unchanged() { diff <(grep -v __meta_mcp_sd /run/before.json) <(grep -v __meta_mcp_sd $file); }

# --- Upgraded: another process, the same configuration, the same targets.
pid=$(systemctl show -p MainPID --value mcp-sd)
rpm -U "$next"
mcp-sd --version | grep 'version 99.0.0 '
within 60 "systemctl is-active mcp-sd"
test "$(systemctl show -p MainPID --value mcp-sd)" != "$pid"
grep -q 'refresh_interval: 30s' /etc/mcp-sd/mcp-sd.yml
grep -q 'another default' /etc/mcp-sd/mcp-sd.yml.rpmnew
unchanged

# --- Stopped and disabled by the operator, it stays so.
systemctl disable --now mcp-sd
rpm -U --oldpackage "$rpm"
fails systemctl is-active mcp-sd
fails systemctl is-enabled mcp-sd
systemctl enable --now mcp-sd

# --- Erased: what Prometheus reads stays, and so do state, lists and the changed
# configuration.
rpm -e mcp-sd
fails systemctl is-active mcp-sd
fails systemctl cat mcp-sd
test ! -L /etc/systemd/system/multi-user.target.wants/mcp-sd.service
unchanged
test -s /var/lib/mcp-sd/state.json
test -s /etc/mcp-sd/static/racks.yml
grep -q 'refresh_interval: 30s' /etc/mcp-sd/mcp-sd.yml.rpmsave
rpm -i "$rpm" # and back
systemctl enable --now mcp-sd
within 60 "systemctl show -p StatusText --value mcp-sd | grep -q '^1 published$'"
unchanged

# --- No script failed on the way.
fails grep -e scriptlet -e ^error /run/rpm.err

# --- rpmlint unpacks it by cpio, which takes nfpm's absolute names as they are:
# here nothing can come to harm.
rpmlint --strict --config packaging/rpmlint.toml "$rpm"
