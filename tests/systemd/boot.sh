#!/bin/bash
# boot.sh ROOTFS SCRIPT [SOURCE:TARGET]...
#
# Boots a real systemd as process 1 of namespaces of its own, over a throwaway overlay of ROOTFS (made by
# rootfs.sh), and runs SCRIPT inside as root. Its exit code is SCRIPT's. Each SOURCE is bound to TARGET, read
# only. Nothing of the machine itself is touched: an own root, an own cgroup, sysctls read only, no network.
# What is written is gone afterwards, but where DISK names a folder: the next boot with it finds it again.
set -euo pipefail
rootfs=$1 script=$2; shift 2
work=$(mktemp -d /var/tmp/svm-systemd.XXXXXX)
group=/sys/fs/cgroup; [ -d $group/unified ] && group=$group/unified
group=$group/$(basename "$work"); mkdir "$group"

cat > "$work/init" <<'INIT'
#!/bin/bash
set -e
work=$1 rootfs=$2; shift 2
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$work"
root=$work/root disk=${DISK:-$work}; mkdir -p "$disk/upper" "$disk/work" "$root"
mount -t overlay -o "lowerdir=$rootfs,upperdir=$disk/upper,workdir=$disk/work" overlay "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
while read -r name minor; do mknod -m 666 "$root/dev/$name" c $minor; done <<< $'null 1 3\nzero 1 5\nfull 1 7\nrandom 1 8\nurandom 1 9\ntty 5 0'
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"; ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount --bind "$root/proc/sys" "$root/proc/sys"; mount -o remount,bind,ro "$root/proc/sys"
for pair in "$@"; do
  source=${pair%%:*} target=$root${pair#*:}
  if [ -d "$source" ]; then mkdir -p "$target"; else mkdir -p "$(dirname "$target")"; touch "$target"; fi
  mount --bind "$source" "$target"; mount -o remount,bind,ro "$target"
done
: > "$root/etc/machine-id"
ip link set lo up
cd "$root"; mkdir -p .outside; pivot_root . .outside
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb /bin/sh -c \
  'umount -l /.outside; mount --make-rshared /; exec /lib/systemd/systemd --system --unit=multi-user.target --log-target=journal' < /dev/null
INIT
chmod +x "$work/init"

( echo $BASHPID > "$group/cgroup.procs"
  exec unshare --fork --kill-child=KILL --pid --mount --cgroup --uts --ipc --net "$work/init" "$work" "$rootfs" "$@"
) > "$work.console" 2>&1 &
outer=$!
finish() {
  kill -KILL $outer 2>/dev/null || true; wait $outer 2>/dev/null || true
  for _ in $(seq 50); do
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
    find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null | xargs -r kill -KILL 2>/dev/null || true
    sleep 0.1
  done
  rm -rf "$work" "$work.console"
}
trap finish EXIT

inner=
for _ in $(seq 1000); do
  inner=$(awk '{print $1}' "/proc/$outer/task/$outer/children" 2>/dev/null || true)
  [ -n "$inner" ] && [ "$(cat "/proc/$inner/comm" 2>/dev/null)" = systemd ] && break
  kill -0 $outer 2>/dev/null || { cat "$work.console" >&2; exit 3; }
  sleep 0.02
done
inside=(nsenter -t "$inner" --mount --pid --uts --ipc --net --cgroup --root --wdns=/ env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 SYSTEMD_PAGER=)
for _ in $(seq 1000); do "${inside[@]}" test -S /run/systemd/private 2>/dev/null && break; sleep 0.02; done
"${inside[@]}" timeout 60 systemctl is-system-running --wait >&2 || true
"${inside[@]}" timeout -k 5 300 sh -euc "$script"
