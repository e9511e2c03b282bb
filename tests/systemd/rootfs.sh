#!/bin/bash
# rootfs.sh FOLDER [SUITE]: a small Debian with systemd for boot.sh, made once (some minutes, 300 MB).
#
# SUITE is bookworm (Debian 12, systemd 252; the default) or trixie (Debian 13, systemd 257).
set -euo pipefail
folder=$1 suite=${2:-bookworm}
[ -e "$folder/.complete" ] && exit 0
rm -rf "$folder"
debootstrap --variant=minbase \
  --include=systemd,systemd-sysv,dbus,libpam-systemd,polkitd,iproute2,procps,ca-certificates,socat,curl,sqlite3 \
  "$suite" "$folder"
rm -rf "$folder"/var/cache/apt/archives/*.deb
touch "$folder/.complete"
