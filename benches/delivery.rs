//! Delivery by the release binary, beside syslog-ng in the same run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement"
)]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement")]

mod support;

use std::path::Path;
use std::time::Duration;
use support::backlog::Backlog;
use support::sink::{Sink, free_address};
use support::{Agent, Counters, PeakPss, build, percentile, stop};

/// What waits for a receiver that is down.
const BACKLOG: u64 = 100_000;

fn main() {
    svm::http::install_tls();
    let args: Vec<String> = std::env::args().collect();
    let binary = build();
    let backlog = Backlog::new(BACKLOG);
    let bytes: usize = backlog.lines().map(|line| line.len()).sum();
    println!("{} bytes an event", bytes as u64 / BACKLOG);
    let folder = tempfile::tempdir().unwrap();
    let full = folder.path().join("full");
    backlog.fill(&full, "console");
    if args.iter().any(|a| a == "--drain-only") {
        for run in 0..3 {
            let at = folder.path().join(format!("drain{run}"));
            let drain = drain(&binary, &at, &full, &backlog);
            drain.print();
        }
    }
}

/// How one drain went.
struct Drain {
    events_per_s: f64,
    cpu_us_per_event: f64,
    pss_mb: f64,
    /// Per event, in µs: the agent's turn between an answer and its next request, the way of the request, the
    /// receiver's look at it.
    turn: f64,
    way: f64,
    looked: f64,
    /// CPU of each thread per event, in µs.
    threads: Vec<(String, f64)>,
    requests: usize,
    wire_per_event: f64,
}

impl Drain {
    fn print(&self) {
        println!(
            "{:.0} events/s, {:.2} µs CPU an event, {:.2} MB; an event's {:.2} µs: agent's turn {:.2}, request {:.2}, receiver {:.2}; {} requests, {:.0} bytes an event on the wire; {}",
            self.events_per_s,
            self.cpu_us_per_event,
            self.pss_mb,
            1e6 / self.events_per_s,
            self.turn,
            self.way,
            self.looked,
            self.requests,
            self.wire_per_event,
            self.threads.iter().map(|(name, us)| format!("{name} {us:.2} µs")).collect::<Vec<_>>().join(", "),
        );
    }
}

/// The agent starts over a full outbox while its receiver is down; then that comes up.
fn drain(binary: &Path, at: &Path, full: &Path, backlog: &Backlog) -> Drain {
    let address = free_address();
    std::fs::create_dir(at).unwrap();
    let settings =
        format!("[report]\nevery = \"168h\"\n[destinations.console]\nurl = \"http://{address}/v1/events\"\n");
    let agent = Agent::new(binary, at, &settings);
    copy(full, &agent.state_dir());
    rustix::fs::sync();
    let (mut process, _) = agent.start();
    std::thread::sleep(Duration::from_millis(100));
    let before = Counters::read(process.id());
    let peak = PeakPss::watch(process.id());
    let sink = Sink::http(address, backlog.ids.clone());
    let all = sink.until(BACKLOG);
    let after = Counters::read(process.id());
    let pss_mb = peak.end();
    stop(&mut process);
    std::fs::remove_dir_all(at).unwrap();
    let took = all.back().unwrap().last - all.front().unwrap().first;
    let events = BACKLOG as f64;
    let each = |of: &dyn Fn(&support::sink::Received) -> Duration| {
        all.iter().map(|r| of(r).as_secs_f64() * 1e6).sum::<f64>() / events
    };
    let threads = after.threads.iter().map(|(name, ns)| {
        let ns = ns - before.threads.get(name).copied().unwrap_or_default();
        (name.clone(), ns as f64 / 1e3 / events)
    });
    Drain {
        events_per_s: events / took.as_secs_f64(),
        cpu_us_per_event: (after.cpu_ns - before.cpu_ns) as f64 / 1e3 / events,
        pss_mb,
        turn: each(&|r| r.turn),
        way: each(&|r| r.last - r.first),
        looked: each(&|r| r.looked),
        threads: threads.collect(),
        requests: all.len(),
        wire_per_event: all.iter().map(|r| r.wire as f64).sum::<f64>() / events,
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
