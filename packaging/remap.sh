# Sourced by programs.sh and gate.sh, in the folder of the sources. `remap` has the arguments with which rustc writes no path
# of this machine into a program. Panics name the source files of dependencies, which are below the home of the builder:
# /crates stands for the folder with all of them. Of several prefixes the last one counts.
home=${CARGO_HOME:-$HOME/.cargo}
compgen -G "$home/registry/src/*" > /dev/null || "${CARGO:-cargo}" fetch --locked
remap=("--remap-path-prefix=$PWD=/svm-agent" "--remap-path-prefix=$home=/cargo")
for registry in "$home"/registry/src/*; do remap+=("--remap-path-prefix=$registry=/crates"); done
