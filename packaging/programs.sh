#!/bin/bash
# packaging/programs.sh [NAME...]: builds programs as they are given out, without a path of this machine in them.
#
# Without names, all programs. They are in target/release (CARGO_TARGET_DIR). packaging/build.sh packages these,
# the gate tests these, and the benchmarks measure these.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}

# Encoded, because a path may have a space in it.
. packaging/remap.sh
export CARGO_ENCODED_RUSTFLAGS
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f'; echo "${remap[*]}")
unset RUSTFLAGS

# One at a time: built together, each would have the features that any of them asks of a library.
[ $# -gt 0 ] || set -- svm-agent svm-collector svm-vendor svm-demo svm-manual
for name; do "$cargo" build --release --locked --package "$name" --bin "$name"; done
