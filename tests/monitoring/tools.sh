#!/bin/bash
# tools.sh FOLDER: unpacks promtool, the plug-in `negate` and nagios4 from Debian's packages for tests/agent/check.rs and
# tests/agent/metrics.rs, once (50 MB). Installed, Prometheus and Nagios would start as services; unpacked, nothing of them does.
set -euo pipefail
folder=$1
[ -e "$folder/.complete" ] && exit 0
rm -rf "$folder"
mkdir -p "$folder/packages"
cd "$folder/packages"
packages=(prometheus monitoring-plugins-common nagios4-core)
apt-get download -q "${packages[@]}" || { apt-get update -q; apt-get download -q "${packages[@]}"; }
for package in *.deb; do dpkg -x "$package" .; done
mv usr/bin/promtool usr/lib/nagios/plugins/negate usr/sbin/nagios4 ..
cd ..
rm -rf packages
touch .complete
