#!/bin/bash
# packaging/gate.sh: builds the gate program (crates/gate) for release, in target/gate/release/svm-gate
# (CARGO_TARGET_DIR). It is linked statically, so that the environment of a gated unit cannot make root load a library.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
target=${CARGO_TARGET_DIR:-$PWD/target}/gate

# As in packaging/programs.sh. These flags replace those of crates/gate/.cargo/config.toml.
. packaging/remap.sh
flags=(-C target-feature=+crt-static "${remap[@]}")
export CARGO_ENCODED_RUSTFLAGS
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f'; echo "${flags[*]}")
unset RUSTFLAGS CARGO_BUILD_TARGET

cd crates/gate
exec "$cargo" build --release --locked --quiet --target-dir "$target"
