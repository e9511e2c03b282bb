#!/bin/bash
# packaging/programs.sh [NAME...]: builds programs as they are given out, without a path of this machine in them.
#
# Without names, all programs. They are in target/release (CARGO_TARGET_DIR). packaging/build.sh packages these,
# the gate tests these, and the benchmarks measure these.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}

# Panics name the source files of dependencies, which lie below the builder's home: /crates stands for the folder with all
# of them. Of several prefixes the last counts. Encoded, because a path may have a space in it.
home=${CARGO_HOME:-$HOME/.cargo}
compgen -G "$home/registry/src/*" > /dev/null || "$cargo" fetch --locked
flags=("--remap-path-prefix=$PWD=/svm-agent" "--remap-path-prefix=$home=/cargo")
for registry in "$home"/registry/src/*; do flags+=("--remap-path-prefix=$registry=/crates"); done
export CARGO_ENCODED_RUSTFLAGS
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f'; echo "${flags[*]}")
unset RUSTFLAGS

bins=()
for name; do bins+=(--bin "$name"); done
[ ${#bins[@]} -gt 0 ] || bins=(--bins)
exec "$cargo" build --release --locked "${bins[@]}"
