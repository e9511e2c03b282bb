//! The whole, from outside: nginx serves what the vendor publishes, the agent finds it, the collector shows it;
//! undisturbed, and with agent and collector killed at random instants.

use crate::support;
use crate::support::{
    Agent, Collector, Program, Wire, at, free_port, get_json, have, nginx, now, random, recording_proxy,
    wait_for,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use svm_core::documents::SigningKey;
use svm_vendor::{Cancel, Change, Contact, KeyRef, Parameters, Profile, Provider, Renewal, Until};

struct World {
    folder: tempfile::TempDir,
    provider: Provider,
    published: PathBuf,
    collector: Collector,
    agent: Agent,
    wire: Arc<Wire>,
    code: String,
    key: KeyRef,
    _nginx: Program,
}

impl World {
    fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at_path = |name: &str| folder.path().join(name);
        for name in ["web", "collector", "agent"] {
            std::fs::create_dir(at_path(name)).unwrap();
        }
        let profile = Profile { iss: "provider.example".into(), vendor: Contact::default() };
        let provider =
            Provider::create(&at_path("ledger"), &profile, SigningKey::generate().unwrap()).unwrap();
        let published = at_path("web/published");
        let order = support::order("SUB-1", at("2040-01-01T00:00:00Z"), 30);
        let (code, _) = provider.issue(order, now()).unwrap();
        provider.publish(&published).unwrap();
        let web = free_port();
        let nginx = nginx(&at_path("web"), &published, web);
        let collector = Collector::new(&at_path("collector"));
        let (proxy, wire) = recording_proxy(collector.port);
        let agent = Agent::new(
            &at_path("agent"),
            &at_path("ledger/trust.d"),
            &format!(
                "[source]\nurl = \"http://127.0.0.1:{web}\"\ninterval = \"1s\"\nurgent_interval = \"1s\"\n\
                 [destinations.console]\nurl = \"http://127.0.0.1:{proxy}/v1/events\"\ntimeout = \"5s\"\n"
            ),
        );
        let key = KeyRef::Code(code.clone());
        Self { provider, published, collector, agent, wire, code: code.reveal(), key, _nginx: nginx, folder }
    }

    fn publish(&self) {
        self.provider.publish(&self.published).unwrap();
    }

    /// How many events of a type the collector holds.
    fn held(&self, kind: &str) -> Option<usize> {
        let events = self.collector.events()?;
        Some(events.iter().filter(|e| e["type"] == format!("svm.{kind}")).count())
    }

    /// Publishes and waits until the collector holds one more event of this type.
    fn publish_and_see(&self, kind: &str) {
        let before = wait_for("the collector", 60, || self.held(kind));
        self.publish();
        wait_for(kind, 90, || self.held(kind).filter(|n| *n > before));
    }

    fn activate(&self) {
        // The agent may be dead at the moment; activating again what is active changes nothing.
        wait_for("the activation", 60, || self.agent.ask(&["activate", &self.code]).ok());
        wait_for("the key at the collector", 60, || self.held("key.added").filter(|n| *n > 0));
    }

    /// Step `n` of a story without end: each gives at least one event of its own type.
    fn step(&self, n: u32) {
        match n % 4 {
            0 => {
                self.provider.pause(&self.key, now()).unwrap();
                self.publish_and_see("subscription.status_changed");
            }
            1 => {
                self.provider.resume(&self.key, now()).unwrap();
                self.publish_and_see("subscription.status_changed");
            }
            2 => {
                let ends_at = at(&format!("20{}-01-01T00:00:00Z", 41 + n / 4));
                let renewal = Renewal { until: Until::EndsAt(ends_at), earlier: false };
                self.provider.renew(&self.key, renewal, now()).unwrap();
                self.publish_and_see("subscription.renewed");
            }
            _ => {
                let change = Parameters { devices: Some(Some(200 + u64::from(n))), ..Parameters::default() };
                self.provider.change(&self.key, &Change::Parameters(change), now()).unwrap();
                self.publish_and_see("subscription.parameters_changed");
            }
        }
    }

    fn settled(&self) {
        wait_for("everything to be delivered", 60, || {
            let status = self.agent.ask(&["status"]).ok()?;
            (status["destinations"]["console"]["waiting"] == 0).then_some(())
        });
    }

    fn svm(&self) -> Value {
        let svms = get_json(self.collector.port, "/v1/svms").unwrap();
        assert_eq!(svms["svms"].as_array().unwrap().len(), 1, "{svms}");
        svms["svms"][0].clone()
    }

    fn access_log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("web/access.log")).unwrap()
    }
}

#[test]
fn a_provider_s_word_reaches_the_collector_through_nginx() {
    if !have("nginx", "nginx-light") {
        return;
    }
    let world = World::build();
    let _collector = world.collector.start_ready();
    let mut agent = world.agent.start_ready();
    world.activate();
    wait_for("a 304 from nginx", 30, || world.access_log().contains("304 GET").then_some(()));

    // Paused, and resumed within the same second: the file's size may be the same, its ETag must not be.
    let mut changes = 1;
    let within_a_second = (0..10).any(|_| {
        wait_for("the beginning of a second", 5, || (now().subsec_millisecond() < 50).then_some(()));
        let second = now().as_second();
        world.provider.pause(&world.key, now()).unwrap();
        world.publish();
        world.agent.ask(&["refresh"]).unwrap();
        world.provider.resume(&world.key, now()).unwrap();
        world.publish();
        let within = now().as_second() == second;
        changes += 2;
        wait_for("the resumption", 30, || {
            world.held("subscription.status_changed").filter(|n| *n == changes)
        });
        within
    });
    assert!(within_a_second, "the machine is too slow to pause and resume within a second");
    assert_eq!(world.svm()["phase"], "active");

    let renewal = Renewal { until: Until::EndsAt(at("2041-01-01T00:00:00Z")), earlier: false };
    world.provider.renew(&world.key, renewal, now()).unwrap();
    world.publish_and_see("subscription.renewed");
    let svm = world.svm();
    assert_eq!(
        (&svm["status"], &svm["key"], &svm["ends_at"]),
        (&"ok".into(), &"SUB-1".into(), &"2041-01-01T00:00:00Z".into())
    );

    world.provider.cancel(&world.key, Cancel::Now, now()).unwrap();
    world.publish_and_see("enforcement.changed");
    let permit = world.agent.command(&["permit", "database-updates"]).output().unwrap();
    assert_eq!(permit.status.code(), Some(75));
    wait_for("Critical at the collector", 30, || (world.svm()["status"] == "critical").then_some(()));
    let log = world.access_log();
    assert!(log.lines().all(|l| l.starts_with("200 ") || l.starts_with("304 ")), "{log}");
    // A code and the name of its file are secrets: neither may stand in a log.
    let sub = svm_core::documents::ActivationCode::parse(&world.code).unwrap().sub();
    assert!(!agent.logged().contains(sub.as_str()) && !agent.logged().contains(&world.code));
    assert!(agent.terminate().success());
}

#[test]
fn killed_at_random_instants_nothing_is_lost_doubled_or_out_of_order() {
    if !have("nginx", "nginx-light") {
        return;
    }
    let wanted = std::env::var("SVM_TEST_KILLS").map_or(100, |n| n.parse().unwrap());
    let world = World::build();
    let (done, kills) = (AtomicBool::new(false), AtomicU32::new(0));
    let steps = std::thread::scope(|scope| {
        scope.spawn(|| kill_at_random(&world, &done, &kills));
        // Also where a wait fails: the other thread must end, or the failure is never shown.
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            world.activate();
            let mut steps = 0;
            while kills.load(Ordering::SeqCst) < wanted {
                world.step(steps);
                steps += 1;
            }
            steps
        }));
        done.store(true, Ordering::SeqCst);
        ended.unwrap_or_else(|cause| std::panic::resume_unwind(cause))
    });
    let _collector = world.collector.start_ready();
    let _agent = world.agent.start_ready();
    world.settled();

    let events = world.collector.events().unwrap();
    let ids: BTreeSet<&str> = events.iter().map(|e| e["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), events.len(), "an event is in the collector's store twice");
    let sequences: Vec<u64> =
        events.iter().map(|e| e["sequence"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<_>>(), "a gap, or out of order");
    let svm = world.svm();
    assert_eq!((&svm["missing"]["count"], &svm["conflicts"]["count"]), (&0.into(), &0.into()), "{svm}");

    // On the wire: each at least once, under one number, and nothing that the collector does not hold.
    let mut wire: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in world.wire.sent.lock().unwrap().iter() {
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        wire.entry(text("id")).or_default().insert(text("sequence"));
    }
    assert!(wire.values().all(|numbers| numbers.len() == 1), "an event was sent under two numbers");
    assert_eq!(wire.keys().map(String::as_str).collect::<BTreeSet<_>>(), ids);
    let stored = world.agent.ask(&["events", "list", "--limit", "1000"]).unwrap();
    for event in stored.as_array().unwrap() {
        assert!(ids.contains(event["id"].as_str().unwrap()), "kept and not delivered: {event}");
    }
    let sent = world.wire.sent.lock().unwrap().len();
    println!("{} kills, {steps} steps, {} events, {sent} sent", kills.load(Ordering::SeqCst), events.len());

    // The story equals that of an undisturbed run.
    let quiet = World::build();
    let _collector = quiet.collector.start_ready();
    let _agent = quiet.agent.start_ready();
    quiet.activate();
    for n in 0..steps {
        quiet.step(n);
    }
    quiet.settled();
    assert_eq!(world.collector.story().unwrap(), quiet.collector.story().unwrap());
}

/// Starts agent and collector, and kills one or the other again and again: at random instants, and the collector
/// also in the instant in which it answered, where an answer that came before its commit would be a lie.
fn kill_at_random(world: &World, done: &AtomicBool, kills: &AtomicU32) {
    let seed = now().as_nanosecond() as u64;
    println!("seed {seed}");
    let (mut dice, mut dice_of_answers) = (random(seed), random(seed >> 3));
    let (mut agent, mut collector) = (world.agent.start(), world.collector.start());
    let victim = Arc::new(AtomicU32::new(collector.child.id()));
    let answered = victim.clone();
    *world.wire.answered.lock().unwrap() = Some(Box::new(move || {
        let id = if dice_of_answers(4) == 0 { answered.swap(0, Ordering::SeqCst) } else { 0 };
        if let Some(pid) = rustix::process::Pid::from_raw(id as i32) {
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
        }
    }));
    while !done.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(dice(250)));
        let killed = victim.swap(0, Ordering::SeqCst) == 0;
        if killed || dice(4) == 0 {
            collector.kill();
            collector = world.collector.start();
        } else {
            agent.kill();
            agent = world.agent.start();
        }
        victim.store(collector.child.id(), Ordering::SeqCst);
        kills.fetch_add(1, Ordering::SeqCst);
    }
    *world.wire.answered.lock().unwrap() = None;
}
