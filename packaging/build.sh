#!/bin/bash
# packaging/build.sh [FOLDER]: makes the Debian packages svm-agent, svm-collector and svm-vendor in FOLDER (target/debian).
#
# Cargo.toml, [package.metadata.deb], lists what the packages contain; this script builds it. It needs Rust. It installs
# other missing programs if it may, and cargo-deb once into ~/.cache/svm-agent. Variables:
#   BINARIES     package the programs of this folder and build none (tests use target/debug)
#   REVISION     revision of the package, after the version of Cargo.toml (1)
#   MAINTAINER   maintainer of the packages
#   COMPRESS     compression of cargo-deb; --fast is for trials
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

# A fixed version, so that the same sources give the same packages. Built elsewhere, so that it does not use the build
# settings of this project.
cargo_deb=3.8.0
tools=${XDG_CACHE_HOME:-$HOME/.cache}/svm-agent/cargo-deb-$cargo_deb
[ -x "$tools/bin/cargo-deb" ] || (cd / && cargo install cargo-deb --version "=$cargo_deb" --locked --root "$tools")

if [ -z "${BINARIES:-}" ]; then
  packaging/programs.sh svm-agent svm-collector svm-vendor svm-manual
  BINARIES=${CARGO_TARGET_DIR:-target}/release
fi
BINARIES=$(cd "$BINARIES" && pwd)

export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2> /dev/null || stat -c %Y CHANGELOG.md)}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
revision=${REVISION:-1}
maintainer=${MAINTAINER:-svm-agent maintainers <svm-agent@packages.invalid>}

# The libraries linked into the programs: names and licences, then each licence text once.
third_party() {
  local line name number licence found
  local -A seen=()
  cargo tree --locked --package svm-agent --package svm-collector --package svm-vendor --edges normal --prefix none \
    --format '{p}|{l}' | grep -v '^svm-' | sort -u > "$work/crates"
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

# Cargo.toml expects it there. Only one run at a time is possible.
made=target/packaging; mkdir -p target
exec 9> target/packaging.lock; flock 9
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
rm -rf "$made"; mkdir "$made"
"$BINARIES/svm-manual" "$made/manual"
CARGO_TARGET_DIR=$root/target packaging/gate.sh
cp target/gate/release/svm-gate "$made/gate"
third_party | gzip -9n > "$made/third-party-licences.gz"
# cargo-deb takes programs from target/release, wherever cargo says that target is.
mkdir "$work/target"; ln -s "$BINARIES" "$work/target/release"
for package in svm-agent svm-collector svm-vendor; do
  printf '%s (%s) stable; urgency=medium\n\n  * Built from the sources of this version: see changelog.gz.\n\n -- %s  %s\n' \
    "$package" "$version-$revision" "$maintainer" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" > "$made/$package.changelog"
  CARGO_TARGET_DIR=$work/target "$tools/bin/cargo-deb" --package svm-agent --variant "${package#svm-}" --no-build --strip --locked --quiet \
    --deb-revision "$revision" --maintainer "$maintainer" ${COMPRESS:-} --output "$out/"
done
