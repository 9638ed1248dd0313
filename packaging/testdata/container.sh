# One pass in the image that lies in $root, as a container runtime would have it:
# its user, nothing to write but two volumes, the configuration $config. Run by
# TestPackages as root in a mount namespace of its own, with -e, -u and -x. The
# targets are written to $targets.

install -D /dev/null "$root/etc/mcp-sd/mcp-sd.yml" # runtimes make what they mount on
mount --bind "$root" "$root"
for volume in /etc/prometheus/targets /var/lib/mcp-sd; do
	owner=$(stat -c %u:%g "$root$volume") # a new volume takes it over
	mount -t tmpfs -o "mode=0755,uid=${owner%:*},gid=${owner#*:}" tmpfs "$root$volume"
done
mount --bind "$config" "$root/etc/mcp-sd/mcp-sd.yml"
mount -o remount,bind,ro "$root"
chroot --userspec=65532:65532 --groups= "$root" /mcp-sd --once
stat -c '%u:%g:%a %n' "$root"/etc/prometheus/targets/* "$root"/var/lib/mcp-sd/*
cp "$root"/etc/prometheus/targets/*.json "$targets"
