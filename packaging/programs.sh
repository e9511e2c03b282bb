#!/bin/bash
# packaging/programs.sh [NAME...]: builds programs for release, without a path of this machine in them.
#
# Without names it builds all programs, in target/release (CARGO_TARGET_DIR). packaging/build.sh packages them, the
# tests of the gate and the benchmarks use them.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}

# Encoded, because a path may contain a space.
. packaging/remap.sh
export CARGO_ENCODED_RUSTFLAGS
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f'; echo "${remap[*]}")
unset RUSTFLAGS

# One at a time: built together, each would get the features that any of them needs from a library.
[ $# -gt 0 ] || set -- svm-agent svm-collector svm-vendor svm-demo svm-manual
for name; do "$cargo" build --release --locked --package "$name" --bin "$name"; done
