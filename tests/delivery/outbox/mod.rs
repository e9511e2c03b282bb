//! Delivery from end to end: the agent itself against real collectors and webhooks whose answers a test writes.

mod bounds;
mod certificates;
mod destinations;
mod kills;
mod modes;
mod patience;
mod refused;
mod webhook;

use crate::support::{Agent, Collector, Program, Vendor, at, now, wait_for};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use svm_agent::config::Retention;
use svm_agent::identity::Binding;
use svm_agent::storage::{Commit, Plan, Route, Store};
use svm_core::events::{Filter, Origin, Renderer, Snapshot};
use svm_core::subscription::{Event, Kind, LimitLevel};

/// A vendor with a subscription for 100 devices, and a folder for everybody else.
struct World {
    vendor: Vendor,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vendor = Vendor::new(folder.path(), at("2040-01-01T00:00:00Z"), 30);
        Self { vendor, folder }
    }

    fn at(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn collector(&self, name: &str) -> Collector {
        let folder = self.at(name);
        std::fs::create_dir(&folder).unwrap();
        Collector::new(&folder)
    }

    fn agent(&self, settings: &str) -> Agent {
        Agent::new(self.folder.path(), &self.vendor.trust(), &(self.vendor.source() + settings))
    }

    /// Starts an agent and activates it.
    fn live(&self, agent: &Agent) -> Program {
        let program = agent.start_ready();
        agent.ask(&["activate", &self.vendor.code]).unwrap();
        // Told once they are carried out: whoever counts events afterwards counts none of these.
        wait_for("both permits to be told", 30, || (logged(agent, "enforcement.changed") == 2).then_some(()));
        program
    }
}

fn destination(name: &str, url: &str, more: &str) -> String {
    format!("[destinations.{name}]\nurl = \"{url}\"\ntimeout = \"5s\"\n{more}")
}

/// The address of a collector, or of what stands before it.
fn events_of(port: u16) -> String {
    format!("http://127.0.0.1:{port}/v1/events")
}

/// One request to the control socket; its status and answer. Faster than the command, which is a process.
fn control(agent: &Agent, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
    let mut stream = UnixStream::connect(agent.folder.join("run/control.sock")).ok()?;
    let body = body.to_string();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, serde_json::from_str(body).ok()?))
}

/// So many devices are protected now: the events that it gives. From 91 on it is one `devices.limit`, up to 90 the
/// next; from 101 on the device status changes as well, and from 111 on to Critical.
fn devices(agent: &Agent, count: u64) -> usize {
    let (status, answer) =
        control(agent, "PUT", "/v1/devices", &json!({"count": count})).expect("the agent answers");
    assert_eq!(status, 200, "{answer}");
    answer["events"].as_array().unwrap().len()
}

/// Keeps events in the outbox of an agent that does not run, for these destinations: `devices.limit`, each with a
/// number of its own. Answers how many numbers each destination has given now.
fn fill(agent: &Agent, destinations: &[&str], count: u64) {
    let folder = agent.folder.join("state");
    std::fs::create_dir_all(&folder).unwrap();
    let routes =
        destinations.iter().map(|name| Route { name: (*name).to_owned(), filter: Filter::default() });
    let bounds = Retention { history: 1_000_000, bytes: 1 << 40 };
    let plan = Plan { routes: routes.collect(), bounds };
    let make_id = || uuid::Uuid::now_v7().to_string();
    let (store, opened) = Store::open(&folder, plan, now(), &Binding::default(), make_id).unwrap();
    let text = |text: &str| text.to_owned();
    let origin = Origin {
        source: format!("urn:svm:{}", opened.id),
        hostname: text("svm-17"),
        product_name: text("Security Virtual Machine"),
        product_version: text("6.1.0"),
        instance: text("a77e0cba4ebcb133"),
    };
    let snapshot = Snapshot::of(&opened.state);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let render = |count: u64| {
        let renderer =
            Renderer { origin: &origin, time: now(), view: &opened.state.reported, snapshot: &snapshot };
        let (from, to) = (LimitLevel::None, LimitLevel::Over90);
        let kind = Kind::DevicesLimit { from, to, count: Some(count), limit: Some(100) };
        renderer.life_cycle(&Event { kind, effective_at: None })
    };
    let numbers: Vec<u64> = (1_000_000..1_000_000 + count).collect();
    runtime.block_on(async {
        for chunk in numbers.chunks(1000) {
            let records = chunk.iter().map(|count| render(*count)).collect();
            store.commit(Commit { records, ..Commit::default() }).await.unwrap();
        }
        store.close().await;
    });
}

fn health(agent: &Agent, name: &str) -> Value {
    agent.status()["destinations"][name].clone()
}

/// Waits until nothing waits for these.
fn settled(agent: &Agent, names: &[&str]) {
    for name in names {
        wait_for(&format!("delivery to {name}"), 60, || (health(agent, name)["waiting"] == 0).then_some(()));
    }
}

/// Waits until a destination fails in this way; what is said of it.
fn fails(agent: &Agent, name: &str, code: &str) -> Value {
    wait_for(&format!("{name} to fail with {code}"), 30, || {
        Some(health(agent, name)["outage"].clone()).filter(|outage| outage["code"] == code)
    })
}

/// Lines of the log that hold a text.
fn logged(agent: &Agent, text: &str) -> usize {
    agent.log().lines().filter(|line| line.contains(text)).count()
}

/// Every event that the agent keeps, oldest first.
fn listed(agent: &Agent, more: &[&str]) -> Vec<Value> {
    let listed = agent.ask(&[&["events", "list", "--limit", "1000"], more].concat()).unwrap();
    // One line is no list.
    listed.as_array().cloned().unwrap_or_else(|| vec![listed])
}

fn sequence(event: &Value) -> u64 {
    event["sequence"].as_str().unwrap().parse().unwrap()
}

/// Events that came, in order: each once, and no number is missing that `skippedfrom` does not name. Answers the
/// numbers that it names.
fn without_a_gap(name: &str, events: &[Value]) -> Vec<u64> {
    let (mut next, mut skipped) = (1, Vec::new());
    for event in events {
        let number = sequence(event);
        match event["skippedfrom"].as_str() {
            None => assert_eq!(number, next, "{name}: lost, or out of order"),
            Some(from) => {
                assert_eq!(from.parse(), Ok(next), "{name}: {event}");
                assert!(number > next && from.len() == 20, "{name}: {event}");
                skipped.extend(next..number);
            }
        }
        next = number + 1;
    }
    let mut ids: Vec<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), events.len(), "{name}: one came twice");
    skipped
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap().trim_start_matches("svm.")).collect()
}
