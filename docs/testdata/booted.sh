#!/usr/bin/env bash
# Runs a script under a systemd of its own, on a throw-away overlay of this
# machine: booted.sh SCRIPT. What the script changes is gone afterwards. Its
# output and its exit status are this one's. Needs root.
set -euo pipefail

if [[ ${1:-} != --inside ]]; then
	root=$(mktemp -d)
	trap 'rmdir "$root"' EXIT
	unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup --propagation private \
		"$0" --inside "$(realpath "$1")" "$PWD" "$root"
	exit
fi

script=$2 directory=$3 root=$4
mount -t tmpfs tmpfs "$root"
mkdir "$root"/{upper,work,new}
mount -t overlay overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" "$root/new"
cd "$root/new"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys # the kernel's settings are the machine's
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --rbind /dev dev
mount -t tmpfs -o mode=0755 tmpfs run

mkdir -p run/readme run/systemd/system .old
cp "$script" run/readme/script
ln -s /dev/null run/systemd/system/systemd-tmpfiles-setup.service # it would empty /tmp, where the checkout may be
cat >run/systemd/system/readme.service <<END
[Unit]
Description=What the README says
SuccessAction=exit
FailureAction=exit

[Service]
Type=oneshot
Environment="PATH=$PATH" "HOME=$HOME" "GOFLAGS=-buildvcs=false" "GOTOOLCHAIN=local"
Environment="GOMODCACHE=$(go env GOMODCACHE)" "GOCACHE=$(go env GOCACHE)" "GOPROXY=off"
WorkingDirectory=$directory
ExecStart=bash -euo pipefail -x /run/readme/script
StandardOutput=append:/run/readme/log
StandardError=inherit
END

pivot_root . .old
: >/run/readme/log
tail -n +1 -f /run/readme/log &
umount --lazy /.old
mount --make-rshared / # what systemd mounts for a unit (LoadCredential=) has to be seen there; in a container it leaves that to others
exec env -i container=test /lib/systemd/systemd --system --unit=readme.service --log-level=err --show-status=false
