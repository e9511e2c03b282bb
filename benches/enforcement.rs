//! Enforcement: a lapse in a real systemd, asking for a permit, and the gateway for KSN beside HAProxy in the same run.
//!
//! `cargo bench --bench enforcement` prints the figures; with `-- --json` the last line is one JSON object. `--only
//! PART` (gateway, lapse, permit) measures one part, `--quick` is a short form that only shows that everything works.
//! What each figure means and how it is measured: `docs/development/benchmarks.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement"
)]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement")]

mod support;

use support::{gateway, lapse, permit};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some(lapse::WORKER) => lapse::worker(),
        Some(lapse::INSIDE) => lapse::inside(args[2].parse().unwrap()),
        _ => {}
    }
    support::run(&[("gateway", &gateway::measure), ("lapse", &lapse::measure), ("permit", &permit::measure)]);
}
