//! What the outbox may hold: what is dropped is counted and told, and the file shrinks again.

use crate::outbox::{
    Collector, World, destination, devices, events_of, fails, fill, listed, logged, sequence, settled, types,
    without_a_gap,
};
use crate::support::{Agent, get_json, now, wait_for};
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::Value;

/// What a collector holds, and what `events.dropped` counts: together they are everything, and no gap is left
/// unexplained. Answers the events and how many were dropped, by reason.
fn all_is_explained(store: &Collector, agent: &Agent, reason: &str) -> (Vec<Value>, u64) {
    let events = wait_for("the store", 10, || store.events());
    let skipped = without_a_gap("console", &events);
    let mut dropped = 0;
    for event in events.iter().filter(|event| event["type"] == "svm.events.dropped") {
        let counts = event["data"]["dropped"].as_array().unwrap();
        let count: u64 = counts.iter().map(|count| count["count"].as_u64().unwrap()).sum();
        assert!(counts.iter().all(|count| count["reason"] == reason), "{event}");
        assert_eq!(event["data"]["destinations"]["console"], count, "{event}");
        dropped += count;
        // Whoever reads the log, or asks, hears of it too.
        let id = event["id"].as_str().unwrap();
        assert_eq!(logged(agent, &format!("event=\"events.dropped\" id={id}")), 1, "{}", agent.log());
        let shown = agent.ask(&["events", "show", id]).unwrap();
        assert!(shown["description"].as_str().unwrap().contains(&format!("({reason})")), "{shown}");
    }
    assert_eq!(skipped.len() as u64, dropped, "what was dropped, and the holes");
    assert_eq!(events.len() as u64 + dropped, sequence(events.last().unwrap()));
    let svm = get_json(store.port, "/v1/svms").unwrap()["svms"][0].clone();
    assert_eq!(svm["missing"]["count"], 0, "{svm}");
    (events, dropped)
}

#[test]
fn what_does_not_fit_is_dropped_by_severity_and_counted() {
    let world = World::new();
    let store = world.collector("store");
    let agent = world.agent(
        &("[outbox]\nmax_megabytes = 1\n".to_owned() + &destination("console", &events_of(store.port), "")),
    );
    let program = world.live(&agent);
    let (mut happened, mut critical) = (0, 0);
    let dropped = || {
        listed(&agent, &["--severity", "failure"]).iter().filter(|e| e["type"] == "events.dropped").count()
    };
    // Until it happened more than once; each time frees a sixteenth.
    while happened < 5000 && (happened % 100 != 0 || dropped() < 3) {
        let count = if happened % 50 == 48 { 115 } else { 95 };
        let events = devices(&agent, count);
        critical += if count == 115 { events } else { 0 };
        devices(&agent, 10);
        happened += 2;
    }
    assert!(dropped() >= 3, "{happened} did not fill it");
    fails(&agent, "console", "unreachable");
    let _running = store.start_ready();
    program.signal(Signal::HUP);
    settled(&agent, &["console"]);
    let (events, dropped) = all_is_explained(&store, &agent, "size");
    assert!(dropped > 40, "{dropped}");
    let severe = events.iter().filter(|event| event["data"]["severity"] == 4).count();
    assert_eq!(severe, critical, "Critical ones go last");
}

#[test]
fn what_waits_too_long_is_dropped_and_counted() {
    let world = World::new();
    let store = world.collector("store");
    let agent = world.agent(&destination("console", &events_of(store.port), ""));
    let mut program = world.live(&agent);
    for count in [95, 10, 115, 10] {
        devices(&agent, count);
    }
    let waited = listed(&agent, &["--waiting"]).len();
    assert!(program.terminate().success());
    let old = now() - jiff::SignedDuration::from_hours(24 * 91);
    let db = Connection::open(agent.folder.join("state/agent.db")).unwrap();
    db.execute("UPDATE events SET time = ?1", [old.to_string()]).unwrap();
    drop(db);
    program = agent.start_ready();
    wait_for("the drop to be told", 20, || {
        agent.reported().contains(&"events.dropped".to_owned()).then_some(())
    });
    agent.ask(&["report"]).unwrap();
    let _running = store.start_ready();
    program.signal(Signal::HUP);
    settled(&agent, &["console"]);
    let (events, dropped) = all_is_explained(&store, &agent, "age");
    assert_eq!(types(&events).iter().filter(|kind| **kind == "events.dropped").count(), 1);
    // The report that waited may have given its place to the one of the start.
    assert!(dropped as usize + 1 >= waited, "{dropped} of {waited}");
    assert!(events.iter().all(|event| event["time"].as_str().unwrap() > old.to_string().as_str()));
}

#[test]
fn the_file_shrinks_when_what_waited_was_delivered() {
    let world = World::new();
    let store = world.collector("store");
    let _running = store.start_ready();
    // Without a source: nothing is asked for, and the store can rest.
    let settings =
        "[outbox]\nhistory = 50\n".to_owned() + &destination("console", &events_of(store.port), "");
    let agent = Agent::new(world.folder.path(), &world.vendor.trust(), &settings);
    fill(&agent, &["console"], 4000);
    let size = || -> u64 {
        let of = |name: &str| agent.folder.join("state").join(name).metadata().map_or(0, |file| file.len());
        of("agent.db") + of("agent.db-wal")
    };
    let full = size();
    assert!(full > 3_000_000, "{full} bytes");
    let _program = agent.start_ready();
    wait_for("the events", 60, || store.events().filter(|events| events.len() > 4000));
    wait_for("the file to shrink", 120, || (size() < full / 8).then_some(()));
    let stored = listed(&agent, &[]).len();
    assert!(stored < 150, "{stored} are kept");
    assert_eq!(without_a_gap("console", &store.events().unwrap()), Vec::<u64>::new());
}
