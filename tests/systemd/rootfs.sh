#!/bin/bash
# rootfs.sh FOLDER: a small Debian with systemd for boot.sh, made once (some minutes, 300 MB).
set -euo pipefail
folder=$1
[ -e "$folder/.complete" ] && exit 0
rm -rf "$folder"
debootstrap --variant=minbase \
  --include=systemd,systemd-sysv,dbus,libpam-systemd,polkitd,iproute2,procps,ca-certificates,socat,curl,sqlite3 \
  bookworm "$folder"
rm -rf "$folder"/var/cache/apt/archives/*.deb
touch "$folder/.complete"
