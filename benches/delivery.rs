//! Delivery by the release binary: how fast a backlog goes, how late one event is, what waiting costs on the disk,
//! and what several destinations cost at rest. Where syslog-ng is installed, the same of it, in the same run.
//!
//! `cargo bench --bench delivery` prints the figures; with `-- --json` the last line is one JSON object. `--only PART`
//! (drain, latency, backlog, idle) measures one part, `--drain-only` the agent's drain alone, with how its time splits,
//! `--quick` is a short form that only shows that everything works. What each figure means and how it is measured:
//! `docs/development/benchmarks.md`.
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
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::backlog::{self, Backlog, Svm};
use support::sink::{Received, Sink, free_address};
use support::syslog_ng::{self, SyslogNg};
use support::{Agent, Counters, Figures, PeakPss, build, disk_mb, percentile, rounded, sized};
use svm_core::events::REPORT;

/// What waits for a receiver that is down.
fn waiting_events() -> u64 {
    sized(100_000, 5_000)
}

/// How often one event alone is timed.
fn samples() -> usize {
    sized(1000, 30)
}

/// Before each sample of latency, so that it meets a quiet machine.
const PAUSE: Duration = Duration::from_millis(4);

fn main() {
    svm_core::http::install_tls();
    let bench = Bench {
        binary: build(),
        // On a disk, which `/tmp` may not be.
        folder: tempfile::tempdir_in("/var/tmp").unwrap(),
        peer: syslog_ng::version().is_some(),
    };
    if support::args().drain_only {
        bench.drain_only();
        return;
    }
    match syslog_ng::version() {
        Some(version) => println!("beside syslog-ng {version}"),
        None => support::not_measured("syslog-ng is not installed (Debian's package syslog-ng-core)"),
    }
    support::run(&[
        ("drain", &|figures: &mut Figures| bench.drains(figures)),
        ("latency", &|figures: &mut Figures| bench.latencies(figures)),
        ("backlog", &|figures: &mut Figures| bench.days(figures)),
        ("idle", &|figures: &mut Figures| bench.idle(figures)),
    ]);
}

struct Bench {
    binary: PathBuf,
    folder: tempfile::TempDir,
    peer: bool,
}

/// A destination of the settings.
fn destination(name: &str, address: SocketAddr, receiver: &str) -> String {
    format!("[destinations.{name}]\nurl = \"http://{address}/v1/events\"\nreceiver = \"{receiver}\"\n")
}

impl Bench {
    /// A folder that is not there yet.
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An agent in a folder of its own, which tells nothing by itself.
    fn agent(&self, name: &str, destinations: &str) -> Agent {
        std::fs::create_dir(self.at(name)).unwrap();
        Agent::new(&self.binary, &self.at(name), &format!("[report]\nevery = \"168h\"\n{destinations}"))
    }

    fn full(&self) -> (PathBuf, Backlog) {
        let (full, backlog) = (self.at("full"), Backlog::new(waiting_events()));
        let bytes: usize = backlog.lines().map(|line| line.len()).sum();
        println!("{} bytes an event", bytes as u64 / waiting_events());
        backlog.fill(&full, "console");
        (full, backlog)
    }

    fn drain_only(&self) {
        let (full, backlog) = self.full();
        for _ in 0..sized(3, 1) {
            self.drain(&full, waiting_events(), &backlog.ids).print();
        }
    }

    fn drains(&self, figures: &mut Figures) {
        let (full, backlog) = self.full();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for run in 0..sized(5, 1) {
            ours.push(self.drain(&full, waiting_events(), &backlog.ids));
            ours[run].print();
            if self.peer {
                theirs.push(self.drain_syslog_ng(&backlog));
                theirs[run].print();
            }
        }
        let of = |drains: &[Drain], share, what: fn(&Drain) -> f64| {
            let mut values: Vec<f64> = drains.iter().map(what).collect();
            (!values.is_empty()).then(|| percentile(&mut values, share))
        };
        let speed = |drains: &[Drain], share| of(drains, share, |d| d.events_per_s);
        let all = [
            ("drain_events_per_s", speed(&ours, 0.5)),
            ("drain_events_per_s_lowest", speed(&ours, 0.0)),
            ("drain_events_per_s_highest", speed(&ours, 1.0)),
            ("cpu_us_per_event", of(&ours, 0.5, |d| d.cpu_us_per_event)),
            ("pss_mb", of(&ours, 0.5, |d| d.pss_mb)),
            ("syslog_ng_drain_events_per_s", speed(&theirs, 0.5)),
            ("syslog_ng_drain_events_per_s_lowest", speed(&theirs, 0.0)),
            ("syslog_ng_drain_events_per_s_highest", speed(&theirs, 1.0)),
            ("syslog_ng_cpu_us_per_event", of(&theirs, 0.5, |d| d.cpu_us_per_event)),
            ("syslog_ng_pss_mb", of(&theirs, 0.5, |d| d.pss_mb)),
            ("ratio_to_syslog_ng", speed(&ours, 0.5).zip(speed(&theirs, 0.5)).map(|(a, b)| a / b)),
        ];
        figures.extend(all.map(|(name, value)| (name, value.map_or(Value::Null, rounded))));
    }

    /// The agent runs over a full outbox while its receiver is down; then that comes up.
    fn drain(&self, full: &Path, count: u64, ids: &Arc<Vec<String>>) -> Drain {
        let address = free_address();
        let agent = self.agent("drain", &destination("console", address, "svm-collector"));
        copy(full, &agent.state_dir());
        rustix::fs::sync();
        let (process, _) = agent.start();
        std::thread::sleep(Duration::from_millis(200));
        let disk_mb = disk_mb(&agent.state_dir());
        let drain = Drain::watch(process.id(), count, disk_mb, || Sink::http(address, ids.clone()));
        process.stop();
        std::fs::remove_dir_all(self.at("drain")).unwrap();
        drain
    }

    /// The same of syslog-ng: it took the events while its receiver was down; then that comes up.
    fn drain_syslog_ng(&self, backlog: &Backlog) -> Drain {
        let address = free_address();
        let peer = SyslogNg::start(&self.at("syslog-ng"), address);
        peer.fill(backlog.lines());
        rustix::fs::sync();
        let disk_mb = disk_mb(&self.at("syslog-ng"));
        let drain = Drain::watch(peer.process.id(), waiting_events(), disk_mb, || {
            Sink::lines(address, backlog.ids.clone())
        });
        peer.process.stop();
        std::fs::remove_dir_all(self.at("syslog-ng")).unwrap();
        drain
    }

    /// One event at a time on a quiet machine; a synced write of as many bytes before each, for comparison.
    fn latencies(&self, figures: &mut Figures) {
        let sink = Sink::http(free_address(), Arc::default());
        let agent = self.agent("latency", &destination("console", sink.address, "svm-collector"));
        let (process, _) = agent.start();
        agent.activate(100);
        sink.quiet();
        let mut written = Writer::new(&self.at("latency"));
        let mut ours: Vec<f64> = (0..samples())
            .map(|n| {
                written.sample();
                let mut control = agent.control();
                std::thread::sleep(PAUSE);
                // Over 90 % of the limit and back: one event each way.
                let body = format!("{{\"count\": {}}}", if n % 2 == 0 { 95 } else { 85 });
                let began = control.send("PUT", "v1/devices", &body);
                let last = sink.one();
                control.answer();
                last.duration_since(began).as_secs_f64() * 1e3
            })
            .collect();
        process.stop();
        let mut synced = written.took;
        let mut theirs = if self.peer { self.latency_syslog_ng() } else { Vec::new() };
        let p99 = |values: &mut Vec<f64>| percentile(values, 0.99);
        figures.insert("latency_p50_ms", rounded(percentile(&mut ours, 0.5)));
        figures.insert("latency_p99_ms", rounded(p99(&mut ours)));
        figures.insert("synced_write_p50_ms", rounded(percentile(&mut synced, 0.5)));
        figures.insert("synced_write_p99_ms", rounded(p99(&mut synced)));
        figures.insert("latency_p99_to_synced_write_p99", rounded(p99(&mut ours) / p99(&mut synced)));
        let mut peer = |share| (!theirs.is_empty()).then(|| percentile(&mut theirs, share));
        figures.insert("syslog_ng_latency_p50_ms", peer(0.5).map_or(Value::Null, rounded));
        figures.insert("syslog_ng_latency_p99_ms", peer(0.99).map_or(Value::Null, rounded));
    }

    fn latency_syslog_ng(&self) -> Vec<f64> {
        let sink = Sink::lines(free_address(), Arc::default());
        let peer = SyslogNg::start(&self.at("syslog-ng-latency"), sink.address);
        let mut connection = peer.connect();
        let mut written = Writer::new(&self.at("syslog-ng-latency"));
        let lines: Vec<String> = Backlog::new(samples() as u64 + 1).lines().collect();
        let mut took: Vec<f64> = lines
            .iter()
            .map(|line| {
                written.sample();
                std::thread::sleep(PAUSE);
                let began = Instant::now();
                connection.write_all(line.as_bytes()).unwrap();
                sink.one().duration_since(began).as_secs_f64() * 1e3
            })
            .collect();
        peer.process.stop();
        // The first waits for the connection.
        took.remove(0);
        took
    }

    /// A month without a receiver.
    fn days(&self, figures: &mut Figures) {
        let agent = self.agent("report", "");
        let (process, _) = agent.start();
        agent.activate(250);
        let report = agent.ask("GET", "v1/status", "");
        process.stop();
        let records = Svm::new().days(sized(30, 2), &report);
        // Of the reports only the latest waits.
        let waiting = records.iter().filter(|record| record.type_name != REPORT).count() as u64 + 1;
        let full = self.at("days");
        backlog::fill(&full, "console", records, backlog::AN_HOUR);
        let drain = self.drain(&full, waiting, &Arc::default());
        drain.print();
        figures.insert("backlog_30_days_mb", rounded(drain.disk_mb));
        figures.insert("backlog_30_days_drain_s", rounded(drain.seconds));
        figures.insert("backlog_30_days_event_bytes", json!(drain.body_per_event.round()));
    }

    /// Four destinations that have everything.
    fn idle(&self, figures: &mut Figures) {
        let sinks: Vec<Sink> = (0..3).map(|_| Sink::http(free_address(), Arc::default())).collect();
        let receivers = ["svm-collector", "svm-collector", "generic"];
        let mut destinations: String = sinks
            .iter()
            .zip(receivers)
            .enumerate()
            .map(|(n, (sink, receiver))| destination(&format!("d{n}"), sink.address, receiver))
            .collect();
        let siem = support::sink::reader();
        destinations += &format!("[destinations.siem]\nkind = \"syslog\"\nurl = \"tcp://{siem}\"\n");
        let agent = self.agent("idle", &destinations);
        let (process, _) = agent.start();
        agent.activate(100);
        let count = sized(200, 20);
        for n in 0..count {
            agent.ask("PUT", "v1/devices", &format!("{{\"count\": {}}}", if n % 2 == 0 { 95 } else { 85 }));
        }
        let upto: Vec<u64> = sinks.iter().map(Sink::quiet).collect();
        assert!(upto.iter().all(|n| *n >= count && *n == upto[0]), "{upto:?} were delivered");
        let status = agent.ask("GET", "v1/status", "");
        assert_eq!(status["destinations"]["siem"]["waiting"], 0, "{status}");
        std::thread::sleep(support::settle());
        let before = Counters::read(process.id());
        std::thread::sleep(support::idle());
        let after = Counters::read(process.id());
        figures.insert("idle_pss_mb", rounded(support::pss_mb(process.id())));
        process.stop();
        let minutes = support::idle().as_secs_f64() / 60.0;
        figures.insert("wakeups_per_min", rounded((after.switches - before.switches) as f64 / minutes));
    }
}

/// A plain append of 700 bytes that is synced: what one event on the disk costs at the least.
struct Writer {
    file: std::fs::File,
    took: Vec<f64>,
}

impl Writer {
    fn new(folder: &Path) -> Self {
        Self { file: std::fs::File::create(folder.join("synced")).unwrap(), took: Vec::new() }
    }

    fn sample(&mut self) {
        std::thread::sleep(PAUSE);
        let began = Instant::now();
        self.file.write_all(&[b'x'; 700]).unwrap();
        self.file.sync_data().unwrap();
        self.took.push(began.elapsed().as_secs_f64() * 1e3);
    }
}

/// How one drain went.
struct Drain {
    events_per_s: f64,
    seconds: f64,
    cpu_us_per_event: f64,
    pss_mb: f64,
    /// What waited took so much of the disk.
    disk_mb: f64,
    /// Of an event, in µs: the sender's turn between an answer and its next request, the way of the request from
    /// its first byte to its last, the receiver's look at it.
    turn: f64,
    way: f64,
    checked: f64,
    /// CPU of each thread for an event, in µs.
    threads: Vec<(String, f64)>,
    requests: usize,
    wire_per_event: f64,
    body_per_event: f64,
}

impl Drain {
    /// Lets the receiver come up and waits until it has everything. The time counts from its first byte.
    fn watch(pid: u32, count: u64, disk_mb: f64, up: impl FnOnce() -> Sink) -> Self {
        let before = Counters::read(pid);
        let peak = PeakPss::watch(pid);
        let all = up().until(count);
        let after = Counters::read(pid);
        let pss_mb = peak.end();
        let seconds = (all.back().unwrap().last - all.front().unwrap().first).as_secs_f64();
        let events = count as f64;
        let each = |of: fn(&Received) -> f64| all.iter().map(of).sum::<f64>() / events;
        let threads = after.threads.iter().map(|(name, ns)| {
            let ns = ns - before.threads.get(name).copied().unwrap_or_default();
            (name.clone(), ns as f64 / 1e3 / events)
        });
        Self {
            events_per_s: events / seconds,
            seconds,
            cpu_us_per_event: (after.cpu_ns - before.cpu_ns) as f64 / 1e3 / events,
            pss_mb,
            disk_mb,
            turn: each(|r| r.turn.as_secs_f64() * 1e6),
            way: each(|r| (r.last - r.first).as_secs_f64() * 1e6),
            checked: each(|r| r.checked.as_secs_f64() * 1e6),
            threads: threads.collect(),
            requests: all.len(),
            wire_per_event: each(|r| r.wire as f64),
            body_per_event: each(|r| r.body as f64),
        }
    }

    fn print(&self) {
        println!(
            "{:.0} events/s, {:.2} µs CPU an event, {:.2} MB; of {:.2} µs: sender's turn {:.2}, way {:.2}, receiver {:.2}; {} requests, {:.0} bytes an event on the wire, {:.0} decoded; {}",
            self.events_per_s,
            self.cpu_us_per_event,
            self.pss_mb,
            1e6 / self.events_per_s,
            self.turn,
            self.way,
            self.checked,
            self.requests,
            self.wire_per_event,
            self.body_per_event,
            self.threads.iter().map(|(name, us)| format!("{name} {us:.2} µs")).collect::<Vec<_>>().join(", "),
        );
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
