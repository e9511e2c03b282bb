//! A lapse in a real systemd: from the deadline until a new start is refused, a running unit is told to stop, and the
//! gateway is closed. The agent is the packaged one, in its sandbox, with its polkit rules.
//!
//! This program boots the system (`tests/systemd/boot.sh`), and runs again inside of it, as the one that measures and as
//! the unit that is stopped.

use super::{Control, Figures, percentile, rounded, sized};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use svm_agent::permits::permit_file;
use svm_core::clock::Clock;
use svm_core::documents::{SigningKey, published_path};
use svm_core::subscription::{AfterGrace, Resource, Subscription, Term, Terms, VendorState};
use svm_vendor::{Contact, IssueOrder, KeyRef, Profile, Provider, Renewal, Until};

/// The argument with which this program is the one that measures, inside.
pub const INSIDE: &str = "--lapse-inside";

/// And with which it is the unit that is stopped.
pub const WORKER: &str = "--lapse-worker";

const WORKED: &str = "/run/worked";

/// `lapse_close_ms_p50`, `_p99`, and its three parts.
pub fn measure(figures: &mut Figures) {
    // Some 2 s each.
    let lapses = sized(60, 2);
    // As docs/guide/install.md says; nothing is fetched, because there is no network.
    let script = format!(
        "cd /src\n\
         apt-get install -y --no-install-recommends ./svm-agent_*.deb > /run/installed 2>&1 || {{ cat /run/installed; exit 1; }}\n\
         mkdir -p /etc/svm-agent/conf.d\n\
         printf '[gateway]\\nupstreams = [\"127.0.0.1:13199\"]\\n' > /etc/svm-agent/conf.d/10-ksn.toml\n\
         printf '[Unit]\\nStartLimitIntervalSec=0\\n[Service]\\nExecStart=/usr/bin/bench {WORKER}\\n' > /etc/systemd/system/worker.service\n\
         systemctl daemon-reload; systemctl restart svm-agent; svm-agent gate install worker.service > /dev/null\n\
         /usr/bin/bench {INSIDE} {lapses} || {{ journalctl -u svm-agent -u worker -u polkit --no-pager | tail -40; exit 1; }}\n"
    );
    let bench = std::env::current_exe().unwrap();
    let Some(printed) = super::in_a_booted_system(&script, &[(&bench, "/usr/bin/bench")]) else {
        figures.insert("lapse_close_ms_p99", Value::Null);
        return;
    };
    let measured: BTreeMap<String, Vec<f64>> = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    for (name, [p50, p99]) in [
        ("close", ["lapse_close_ms_p50", "lapse_close_ms_p99"]),
        ("refused", ["lapse_refused_ms_p50", "lapse_refused_ms_p99"]),
        ("told", ["lapse_told_to_stop_ms_p50", "lapse_told_to_stop_ms_p99"]),
        ("gateway", ["lapse_gateway_closed_ms_p50", "lapse_gateway_closed_ms_p99"]),
    ] {
        let mut times = measured[name].clone();
        figures.insert(p50, rounded(percentile(&mut times, 0.5)));
        figures.insert(p99, rounded(percentile(&mut times, 0.99)));
        figures.insert("lapses", json!(times.len()));
    }
}

fn now_ns() -> i128 {
    i128::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

/// The unit that is stopped: writes down when it began and when it was told to stop.
pub fn worker() -> ! {
    let write = |what: &str| {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(WORKED).unwrap();
        writeln!(file, "{what} {}", now_ns()).unwrap();
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
        write("began");
        term.recv().await;
        write("told");
    });
    std::process::exit(0)
}

/// The last instant that the worker wrote with this word, after `since`.
fn worked(what: &str, since: i128) -> Option<i128> {
    let text = std::fs::read_to_string(WORKED).unwrap_or_default();
    let at = text.lines().rev().find_map(|line| line.strip_prefix(what)?.trim().parse::<i128>().ok())?;
    (at > since).then_some(at)
}

fn wait<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    for _ in 0..20_000 {
        if let Some(found) = poll() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("waited in vain for {what}")
}

/// Measures, inside the booted system; the last line is JSON: times in ms by what they are of.
pub fn inside(lapses: usize) -> ! {
    let upstream = TcpListener::bind("127.0.0.1:13199").unwrap();
    std::thread::spawn(move || {
        for stream in upstream.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut byte = [0];
                while stream.read(&mut byte).is_ok_and(|n| n > 0) && stream.write_all(&byte).is_ok() {}
            });
        }
    });
    let folder = Path::new("/run/vendor");
    let profile = Profile { iss: "provider.example".into(), vendor: Contact::default() };
    let provider =
        Provider::create(&folder.join("ledger"), &profile, SigningKey::generate().unwrap()).unwrap();
    for file in std::fs::read_dir(folder.join("ledger/trust.d")).unwrap() {
        let file = file.unwrap().path();
        std::fs::copy(&file, Path::new("/etc/svm-agent/trust.d").join(file.file_name().unwrap())).unwrap();
    }
    let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut code = None;
    for n in 0..lapses {
        let now = jiff::Timestamp::now();
        let ends_at = jiff::Timestamp::from_second((now.as_millisecond() + 1400) / 1000 + 1).unwrap();
        match &code {
            None => {
                let order = IssueOrder::new(Terms::Subscription(Subscription {
                    state: VendorState::Active,
                    state_since: Some(now),
                    term: Term::Limited { ends_at },
                    grace_days: 0,
                    auto_renew: false,
                    after_grace: AfterGrace::default(),
                    order: None,
                }));
                code = Some(provider.issue(order, now).unwrap().0);
            }
            Some(code) => {
                let renewal = Renewal { until: Until::EndsAt(ends_at), earlier: false };
                provider.renew(&KeyRef::Code(code.clone()), renewal, now).unwrap();
            }
        }
        let began = now_ns();
        provider.publish(&folder.join("published")).unwrap();
        let path = folder.join("published").join(published_path(&code.as_ref().unwrap().sub()));
        let document = std::fs::read_to_string(path).unwrap();
        let mut control = Control::new(UnixStream::connect("/run/svm-agent/control.sock").unwrap());
        control.send("POST", "v1/keys", &json!({"document": document}).to_string());
        control.answer();
        if n == 0 {
            assert!(Command::new("systemctl").args(["start", "worker"]).status().unwrap().success());
        }
        wait("the worker", || worked("began", began));
        let mut client = wait("the gateway", || {
            let mut stream = TcpStream::connect("127.0.0.1:13111").ok()?;
            stream.write_all(b"a").ok()?;
            let mut byte = [0];
            stream.read_exact(&mut byte).ok().map(|()| stream)
        });
        let deadline = ends_at.as_nanosecond();
        let closed = std::thread::spawn(move || {
            let mut byte = [0];
            assert!(!client.read(&mut byte).is_ok_and(|n| n > 0));
            now_ns()
        });
        while now_ns() < deadline - 5_000_000 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let (permits, clock) = (Path::new("/run/svm-agent/permits"), Clock::system());
        let refused = loop {
            if !permit_file::decision(permits, Resource::DatabaseUpdates, &clock).allowed {
                break now_ns();
            }
            std::thread::sleep(Duration::from_micros(100));
        };
        let (closed, reported) = (closed.join().unwrap(), wait("the stop", || worked("told", deadline)));
        let all = [
            ("refused", refused),
            ("told", reported),
            ("gateway", closed),
            ("close", refused.max(reported).max(closed)),
        ];
        for (name, at) in all {
            assert!(at >= deadline, "{name} came before the deadline");
            times.entry(name).or_default().push((at - deadline) as f64 / 1e6);
        }
    }
    println!("{}", json!(times));
    std::process::exit(0)
}
