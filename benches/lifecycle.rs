//! The life cycle in figures: the pure step, verifying a document, publishing a hundred thousand keys, and a start over
//! ten years of history; with peers in the same run.
//!
//! `cargo bench --bench lifecycle` prints the figures; with `-- --json` the last line is one JSON object. `--only
//! PART` (steps, verify, publish, start) measures one part, `--quick` is a short form that only shows that everything
//! works. What each figure means and how it is measured: `docs/development/benchmarks.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement"
)]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement")]

mod support;

use serde_json::json;
use std::hint::black_box;
use std::time::Duration;
use support::verifying::Signed;
use support::{Agent, Figures, build, life, own_seconds, percentile, publishing, rounded, sized, ten_years};
use svm_core::subscription::{Input, step};

fn main() {
    svm_core::http::install_tls();
    support::run(&[
        ("steps", &steps),
        ("verify", &verify),
        ("publish", &publishing::measure),
        ("start", &start),
    ]);
}

fn start_of_life() -> jiff::Timestamp {
    "2016-02-01T00:00:00Z".parse().unwrap()
}

fn steps(figures: &mut Figures) {
    let (inputs, settings) = (life::inputs(start_of_life(), sized(730, 90)), life::settings());
    let mut rates = Vec::new();
    for _ in 0..sized(9, 1) {
        let inputs = inputs.clone();
        let count = inputs.len() as f64;
        let mut events = 0;
        let seconds = own_seconds(|| events = black_box(life::live(inputs, &settings)).1);
        rates.push(count / seconds);
        assert!(events > sized(100, 10), "{events} events of a life");
    }
    figures.insert("steps_per_s", json!(percentile(&mut rates, 0.5).round()));
    figures.insert("steps_per_s_ten_years", json!(ten_years_of_steps().round()));
    figures.insert("looks_per_s", json!(polls().round()));
}

/// What ten years of marks cost each step.
fn ten_years_of_steps() -> f64 {
    let (inputs, settings) = (life::inputs(start_of_life(), sized(3650, 400)), life::settings());
    let count = inputs.len() as f64;
    count / own_seconds(|| drop(black_box(life::live(inputs, &settings))))
}

/// A look at which nothing changes, which is what an agent does most.
fn polls() -> f64 {
    let (inputs, settings) = (life::inputs(start_of_life(), 10), life::settings());
    let mut state = Some(life::live(inputs, &settings).0);
    let now = start_of_life() + jiff::SignedDuration::from_hours(24 * 11);
    let count = sized(1_000_000, 1_000);
    let seconds = own_seconds(|| {
        for _ in 0..count {
            state = state.take().map(|state| black_box(step(state, &settings, now, Input::Tick)).0);
        }
    });
    f64::from(count) / seconds
}

fn verify(figures: &mut Figures) {
    let (_, statement) = life::inputs(start_of_life(), 1).swap_remove(0);
    let Input::Activate(Ok(statement)) = statement else { panic!("a life begins with an activation") };
    let signed = Signed::new(&statement);
    println!("a document of {} bytes, beside jsonwebtoken 9", signed.bytes());
    let [ours, theirs, least] = signed.measure();
    figures.insert("verify_us", rounded(ours));
    figures.insert("jsonwebtoken_verify_us", rounded(theirs));
    figures.insert("signature_alone_us", rounded(least));
}

/// From `execve` to `READY=1`, in milliseconds: the middle of some, and the worst.
fn ready(agent: &Agent) -> (f64, f64) {
    let mut took: Vec<f64> = (0..sized(9, 2))
        .map(|_| {
            let (process, ready): (_, Duration) = agent.start();
            process.stop();
            ready.as_secs_f64() * 1e3
        })
        .collect();
    (percentile(&mut took, 0.5), percentile(&mut took, 1.0))
}

fn start(figures: &mut Figures) {
    let binary = build();
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    // Nobody listens there: a start does not wait for that.
    let settings = "[destinations.console]\nurl = \"http://127.0.0.1:9/v1/events\"\n";
    let agent = |name: &str| {
        let folder = folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        Agent::new(&binary, &folder, settings)
    };
    let fresh = agent("fresh");
    let (process, first) = fresh.start();
    fresh.activate(250);
    let report = fresh.ask("GET", "v1/status", "");
    process.stop();
    figures.insert("start_first_ms", rounded(first.as_secs_f64() * 1e3));
    let (middle, _) = ready(&fresh);
    figures.insert("start_fresh_ms", rounded(middle));

    let old = agent("old");
    let made = ten_years::make(&old.state_dir(), "console", &report);
    let (years, ten_years::Made { events, stored, megabytes }) = (ten_years::years(), &made);
    println!("{events} events in {years} years leave {stored} and {megabytes:.1} MB");
    // Of reports that are committed together, only the latest is kept.
    assert!(*stored >= sized(9_000, 400), "the history is as full as it gets");
    let (middle, worst) = ready(&old);
    figures.insert("start_ten_years_ms", rounded(middle));
    figures.insert("start_ten_years_worst_ms", rounded(worst));
    figures.insert("ten_years_events", json!(made.events));
    figures.insert("ten_years_events_kept", json!(made.stored));
    figures.insert("ten_years_disk_mb", rounded(made.megabytes));
    // It is the same SVM that started: its key is there, and as much of its history as is kept.
    let (process, _) = old.start();
    let status = old.ask("GET", "v1/status", "");
    assert_eq!(status["keys"][0]["key"], "SUB-0001", "{status}");
    process.stop();
}
