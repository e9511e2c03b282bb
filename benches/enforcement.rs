//! Enforcement: a lapse in a real systemd, asking for a permit, and the gateway for KSN beside HAProxy in the same run.
//!
//! `cargo bench --bench enforcement` prints the figures; with `-- --json` the last line is one JSON object. `--only
//! PART` (gateway, lapse, permit) measures one part. What each figure means and how it is measured: `docs/benchmarks.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement"
)]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement")]

mod support;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use support::{gateway, lapse, permit};

type Figures = BTreeMap<&'static str, Value>;

type Part = fn(&mut Figures);

/// One for each file of `support/` that measures something of enforcement.
const PARTS: [(&str, Part); 3] =
    [("gateway", gateway::measure), ("lapse", lapse::measure), ("permit", permit::measure)];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some(lapse::WORKER) => lapse::worker(),
        Some(lapse::INSIDE) => lapse::inside(args[2].parse().unwrap()),
        _ => {}
    }
    let only = args.iter().position(|a| a == "--only").map(|at| args[at + 1].as_str());
    let mut figures = Figures::new();
    for (_, part) in PARTS.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        part(&mut figures);
    }
    for (name, value) in &figures {
        println!("{name:<40}{value}");
    }
    if args.iter().any(|a| a == "--json") {
        println!("{}", json!(figures));
    }
}
