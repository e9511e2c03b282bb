#!/bin/bash
# rsyslog.sh FOLDER: unpacks Debian's rsyslog with TLS for tests/delivery/syslog.rs, once (3 MB). It cannot be installed beside
# syslog-ng, which the same tests need; unpacked, nothing of it is started or seen by the machine.
set -euo pipefail
folder=$1
[ -e "$folder/.complete" ] && exit 0
rm -rf "$folder"
mkdir -p "$folder/packages"
cd "$folder/packages"
packages=(rsyslog rsyslog-gnutls rsyslog-openssl libestr0 libfastjson4 liblognorm5)
apt-get download -q "${packages[@]}" || { apt-get update -q; apt-get download -q "${packages[@]}"; }
for package in *.deb; do dpkg -x "$package" ..; done
cd ..
rm -rf packages
touch .complete
