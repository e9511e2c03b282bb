#!/bin/bash
# packaging/build.sh [FOLDER]: makes the Debian packages svm-agent, svm-collector and svm-vendor in FOLDER (target/debian).
#
# It needs Rust, and installs what else is missing where it may. Variables:
#   BINARIES     package the programs of this folder, and build none (tests do, with target/debug)
#   REVISION     of the package, behind the version of Cargo.toml (1)
#   MAINTAINER   who answers for the packages
#   COMPRESS     how dpkg-deb compresses (-Zxz)
set -euo pipefail
umask 022
root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$root/target/debian}; mkdir -p "$out"; out=$(cd "$out" && pwd)
cd "$root"

missing=()
need() { command -v "$1" > /dev/null || missing+=("$2"); }
need cc gcc
need strip binutils
need dpkg-shlibdeps dpkg-dev
need gzip gzip
if [ ${#missing[@]} -gt 0 ]; then
  [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null || { echo "missing: ${missing[*]}" >&2; exit 1; }
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
fi
command -v cargo > /dev/null || { echo "missing: cargo; install Rust, of the version in Cargo.toml" >&2; exit 1; }

if [ -z "${BINARIES:-}" ]; then
  cargo build --release --locked --bin svm-agent --bin svm-collector --bin svm-vendor --bin svm-manual
  BINARIES=${CARGO_TARGET_DIR:-target}/release
fi
BINARIES=$(cd "$BINARIES" && pwd)

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)-${REVISION:-1}
arch=$(dpkg --print-architecture)
maintainer=${MAINTAINER:-svm-agent maintainers <svm-agent@packages.invalid>}
# The same sources give the same packages.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2> /dev/null || stat -c %Y CHANGELOG.md)}

work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"$BINARIES/svm-manual" "$work/manual"

# What is linked into the programs: names and licences, then each text once.
third_party() {
  local line name number licence found
  local -A seen=()
  cargo tree --locked --edges normal --prefix none --format '{p}|{l}' | grep -v '^svm-agent ' | sort -u > "$work/crates"
  while IFS='|' read -r line licence; do
    read -r name number _ <<< "$line"
    echo "$name ${number#v}: $licence"
  done < "$work/crates"
  while IFS='|' read -r line licence; do
    read -r name number _ <<< "$line"
    for found in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$name-${number#v}"/{LICEN[CS]E,COPYING,COPYRIGHT,NOTICE}*; do
      [ -f "$found" ] || continue
      licence=$(sha256sum < "$found"); [ -z "${seen[$licence]:-}" ] || continue; seen[$licence]=1
      printf '\n---- %s, %s\n\n' "$name" "$(basename "$found")"; cat "$found"
    done
  done < "$work/crates"
}
third_party | gzip -9n > "$work/third-party-licences.gz"

# put MODE TARGET SOURCE...: into the folder TARGET, or as the file TARGET.
put() {
  local mode=$1 target=$stage$2; shift 2
  case $target in */) mkdir -p "$target" ;; *) mkdir -p "$(dirname "$target")" ;; esac
  install -m "$mode" "$@" "$target"
}
zipped() { mkdir -p "$(dirname "$stage$2")"; gzip -9nc "$1" > "$stage$2"; }

begin() {
  package=$1 stage=$work/$1; mkdir -p "$stage/DEBIAN"
  put 755 "/usr/bin/$package" "$BINARIES/$package"
  strip --strip-all "$stage/usr/bin/$package"
  local page
  for page in "$work/manual/man/$package".*; do
    zipped "$page" "/usr/share/man/man${page##*.}/$(basename "$page").gz"
  done
  put 644 "/usr/share/bash-completion/completions/$package" "$work/manual/bash/$package"
  put 644 "/usr/share/zsh/vendor-completions/_$package" "$work/manual/zsh/_$package"
  put 644 "/usr/share/fish/vendor_completions.d/$package.fish" "$work/manual/fish/$package.fish"
  local doc=/usr/share/doc/$package
  put 644 "/usr/share/lintian/overrides/$package" packaging/lintian-overrides
  put 644 "$doc/" packaging/copyright "$work/third-party-licences.gz"
  zipped CHANGELOG.md "$doc/changelog.gz"
  printf '%s (%s) stable; urgency=medium\n\n  * Built from the sources of this version: see changelog.gz.\n\n -- %s  %s\n' \
    "$package" "$version" "$maintainer" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" > "$work/changelog"
  zipped "$work/changelog" "$doc/changelog.Debian.gz"
}

# A service's own: its units, user, settings and scripts.
service() {
  put 644 /usr/lib/systemd/system/ "$@"
  put 644 "/usr/lib/sysusers.d/$package.conf" "systemd/$package.sysusers"
  put 644 "/usr/lib/tmpfiles.d/$package.conf" "systemd/$package.tmpfiles"
  put 755 /DEBIAN/ "packaging/$package"/{postinst,prerm,postrm}
}

finish() {
  mkdir -p "$stage/etc"
  (cd "$stage" && find etc -type f | sed 's|^|/|' | sort > DEBIAN/conffiles)
  [ -s "$stage/DEBIAN/conffiles" ] || rm -r "$stage/DEBIAN/conffiles" "$stage/etc"
  (cd "$stage" && find usr -type f -print0 | sort -z | xargs -0 md5sum > DEBIAN/md5sums)
  # It asks for a source package, of which only this is looked at.
  mkdir -p "$work/debian"; printf 'Source: svm-agent\n\nPackage: %s\nArchitecture: any\n' "$package" > "$work/debian/control"
  local libraries size
  libraries=$(cd "$work" && dpkg-shlibdeps -O -e"$stage/usr/bin/$package" 2> /dev/null | sed -n 's/^shlibs:Depends=//p')
  [ -n "$libraries" ] || { echo "dpkg-shlibdeps does not say which libraries $package needs" >&2; exit 1; }
  size=$(du -sk --apparent-size --exclude=DEBIAN "$stage" | cut -f1)
  sed "s|@VERSION@|$version|; s|@ARCH@|$arch|; s|@MAINTAINER@|$maintainer|; s|@SIZE@|$size|; s|@LIBRARIES@|$libraries|" \
    "packaging/$package/control" > "$stage/DEBIAN/control"
  find "$stage" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  dpkg-deb --root-owner-group ${COMPRESS:--Zxz} --build "$stage" "$out/${package}_${version}_$arch.deb"
}

begin svm-agent
service systemd/svm-agent.service systemd/svm-agent{,-query}.socket systemd/svm-agent-{update,action@}.service
put 644 /usr/share/polkit-1/rules.d/50-svm-agent.rules systemd/svm-agent.rules
put 644 /etc/svm-agent/agent.toml packaging/svm-agent/agent.toml
mkdir -p "$stage"/etc/svm-agent/{trust.d,conf.d,actions}
put 644 /usr/lib/systemd/catalog/svm-agent.catalog systemd/svm-agent.catalog
put 644 /usr/share/doc/svm-agent/examples/agent.toml config/agent.toml
put 755 /usr/share/svm-agent/actions/ config/actions/*
put 644 /usr/share/doc/svm-agent/ README.md docs/{install,configuration,lifecycle,enforcement,delivery,syslog,logs,time-and-identity,documents,operations,phases,renewal,threat-model,monitoring,troubleshooting}.md docs/{svm-agent,status}.schema.json monitoring/svm-agent.rules.yml
finish

begin svm-collector
service systemd/svm-collector.service
put 644 /etc/svm-collector/collector.toml packaging/svm-collector/collector.toml
put 644 /usr/share/doc/svm-collector/examples/collector.toml config/collector.toml
put 644 /usr/share/doc/svm-collector/ docs/collector-api.md
finish

begin svm-vendor
put 644 /usr/share/doc/svm-vendor/ docs/vendor.md docs/documents.md
finish
