//! The footprint of the release binary after real work: size, memory, time to ready, and what it does when idle.
//!
//! `cargo bench --bench footprint` prints the figures; with `-- --json` the last line is one JSON object. The
//! work: 1,000 events delivered to a real collector, 100 looks at published documents, a whole life of a
//! subscription; then a minute of idleness is measured, and five starts over that database.
//!
//! `-- --packages FOLDER` measures as well what `packaging/build.sh FOLDER` made: installed in a booted systemd, in its
//! sandbox, with everything on (watchdog, schedule, gateway, metrics as a file), by `tests/systemd/footprint.sh`.
//! `--quick` is a short form that only shows that everything works.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement"
)]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement")]

mod support;

use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use support::{Agent, Counters, Figures, build, idle, pss_mb, rounded, settle, sized};
use svm_agent::control::{SocketKind, client::ask};
use svm_core::clock::Clock;
use svm_core::documents::SigningKey;
use svm_core::subscription::{AfterGrace, Licence, Subscription, Term, Terms, VendorState};
use svm_vendor::{Cancel, Contact, IssueOrder, KeyRef, Profile, Provider, Renewal, Until};

fn main() {
    svm_core::http::install_tls();
    let binary = build();
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.unwrap_or_else(|e| panic!("{e}"));
    let mut figures = runtime.block_on(measure(&binary, folder.path()));
    if support::args().packages.is_some() {
        figures.extend(packaged());
    }
    support::print(&figures);
}

/// The figures of the packages, in a system that is booted for them.
fn packaged() -> Vec<(&'static str, Value)> {
    const NAMES: [&str; 4] = ["first_event_s", "packaged_pss_mb", "packaged_wakeups_per_min", "status_ms"];
    let script = std::fs::read_to_string(support::root().join("tests/systemd/footprint.sh")).unwrap();
    let (settle, rest) = (settle().as_secs(), sized(120, 3));
    let script = format!("SETTLE={settle} REST={rest}\n{script}");
    let vendor = support::build_program("svm-vendor");
    let printed = support::in_a_booted_system(&script, &[(&vendor, "/usr/bin/svm-vendor")]);
    let figure = |line: &str| {
        let (name, value) = line.strip_prefix("figure ")?.split_once(' ')?;
        let name = NAMES.into_iter().find(|known| *known == name)?;
        Some((name, rounded(value.parse().ok()?)))
    };
    let found: Vec<_> = printed.iter().flat_map(|printed| printed.lines()).filter_map(figure).collect();
    assert!(printed.is_none() || found.len() == NAMES.len(), "{printed:?}");
    found
}

struct Bench {
    agent: Agent,
}

impl Bench {
    async fn ask(&self, method: Method, path: &str, body: Value) -> Value {
        ask(&self.agent.runtime_dir(), SocketKind::Control, method, path, Some(&body))
            .await
            .unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    async fn waiting(&self) -> u64 {
        let status: Value =
            ask(&self.agent.runtime_dir(), SocketKind::Query, Method::GET, "v1/status", None).await.unwrap();
        status["destinations"]["console"]["waiting"].as_u64().unwrap()
    }
}

async fn measure(binary: &Path, folder: &Path) -> Figures {
    let clock = Clock::system();
    let at = |name: &str| folder.join(name);
    let profile = Profile { iss: "provider.example".into(), vendor: Contact::default() };
    let provider = Provider::create(&at("ledger"), &profile, SigningKey::generate().unwrap()).unwrap();
    let files = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let source = files.local_addr().unwrap();
    tokio::spawn(svm_vendor::serve::serve(at("published"), files));
    let page = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let collector = page.local_addr().unwrap();
    let mut settings = svm_collector::Settings::default();
    settings.store.path = at("collector.db");
    settings.tokens.required = false;
    let served = svm_collector::Collector::open(settings, clock).unwrap();
    tokio::spawn(served.serve(page, std::future::pending()));

    let settings = format!(
        "[source]\nurl = \"http://{source}\"\n[report]\nevery = \"168h\"\n\
         [destinations.console]\nurl = \"http://{collector}/v1/events\"\n"
    );
    let bench = Bench { agent: Agent::new(binary, folder, &settings) };
    let (agent, _) = bench.agent.start();

    // A whole life: a subscription paused, resumed, renewed and cancelled, a reserve that takes over, a new code.
    let now = clock.now();
    let issue = |days: u64| {
        let mut order = IssueOrder::new(Terms::Subscription(Subscription {
            state: VendorState::Active,
            state_since: Some(now),
            term: Term::Limited { ends_at: svm_core::subscription::add_days(now, days) },
            grace_days: 14,
            auto_renew: false,
            after_grace: AfterGrace::default(),
            order: None,
        }));
        order.devices = Some(100);
        let (code, _) = provider.issue(order, now).unwrap();
        provider.publish(&at("published")).unwrap();
        code
    };
    let code = issue(200);
    let key = KeyRef::Code(code.clone());
    bench.ask(Method::POST, "v1/keys", json!({"code": code.reveal()})).await;
    let (reserve, _) = provider
        .issue(IssueOrder::new(Terms::Licence(Licence { period_days: 30, blocked_since: None })), now)
        .unwrap();
    provider.publish(&at("published")).unwrap();
    bench.ask(Method::POST, "v1/keys", json!({"code": reserve.reveal(), "reserve": true})).await;
    let publish = async || {
        provider.publish(&at("published")).unwrap();
        bench.ask(Method::POST, "v1/refresh", Value::Null).await;
    };
    provider.pause(&key, clock.now()).unwrap();
    publish().await;
    provider.resume(&key, clock.now()).unwrap();
    publish().await;
    provider.renew(&key, Renewal { until: Until::Days(200), earlier: false }, clock.now()).unwrap();
    publish().await;
    for _ in 0..sized(100, 5) {
        bench.ask(Method::POST, "v1/refresh", Value::Null).await;
    }
    // Over the limit and back: two events each way.
    for n in 0..sized(250, 10) {
        bench.ask(Method::PUT, "v1/devices", json!({"count": 50 + 100 * (n % 2)})).await;
    }
    for n in 0..sized(250, 10) {
        bench.ask(Method::PUT, "v1/devices", json!({"count": 150 - 100 * (n % 2)})).await;
    }
    provider.cancel(&key, Cancel::Now, clock.now()).unwrap();
    publish().await;
    let commercial =
        bench.ask(Method::GET, "v1/events?limit=1", Value::Null).await["events"][0]["subject"].clone();
    bench.ask(Method::DELETE, &format!("v1/keys/{}", commercial.as_str().unwrap()), Value::Null).await;
    bench.ask(Method::POST, "v1/keys", json!({"code": issue(365).reveal()})).await;
    while bench.waiting().await > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let events =
        bench.ask(Method::GET, "v1/events?limit=1", Value::Null).await["events"][0]["number"].clone();

    tokio::time::sleep(settle()).await;
    let before = Counters::read(agent.id());
    tokio::time::sleep(idle()).await;
    let after = Counters::read(agent.id());
    let pss = pss_mb(agent.id());
    agent.stop();
    let mut ready: Vec<Duration> = (0..5)
        .map(|_| {
            let (agent, ready) = bench.agent.start();
            agent.stop();
            ready
        })
        .collect();
    ready.sort();
    let minutes = idle().as_secs_f64() / 60.0;
    Figures::from([
        ("binary_mb", rounded(std::fs::metadata(binary).unwrap().len() as f64 / 1e6)),
        ("pss_mb", rounded(pss)),
        ("ready_ms", rounded(ready[2].as_secs_f64() * 1e3)),
        ("wakeups_per_min", rounded((after.switches - before.switches) as f64 / minutes)),
        ("cpu_ms_per_min", rounded((after.cpu_ns - before.cpu_ns) as f64 / 1e6 / minutes)),
        ("events_delivered", events),
    ])
}
