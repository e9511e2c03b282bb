//! Several destinations: each gets what its filter takes, and none waits for another.

use crate::outbox::webhook::Webhook;
use crate::outbox::{
    World, destination, devices, events_of, fails, listed, logged, settled, types, without_a_gap,
};
use crate::support::{free_port, wait_for};
use serde_json::Value;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

#[test]
fn each_destination_gets_what_its_filter_takes_and_a_dead_one_holds_up_nobody() {
    type Case = (&'static str, &'static str, fn(&str, u64) -> bool);
    let cases: [Case; 6] = [
        ("all", "", |_, _| true),
        ("warnings", "severity = \"warning\"\n", |_, severity| severity >= 2),
        ("critical", "severity = \"critical\"\n", |_, severity| severity == 4),
        ("subscription", "types = [\"subscription.*\"]\n", |kind, _| kind.starts_with("subscription.")),
        ("two_types", "types = [\"key.added\", \"agent.*\"]\n", |kind, _| {
            kind == "key.added" || kind.starts_with("agent.")
        }),
        ("both", "severity = \"critical\"\ntypes = [\"devices.limit\", \"agent.*\"]\n", |kind, severity| {
            severity == 4 && kind == "devices.limit"
        }),
    ];
    let world = World::new();
    let stores = cases.map(|(name, ..)| world.collector(name));
    let _running = stores.each_ref().map(|store| store.start_ready());
    let mut settings = destination("dead", &events_of(free_port()), "");
    for ((name, filter, _), store) in cases.iter().zip(&stores) {
        settings += &destination(name, &events_of(store.port), filter);
    }
    let agent = world.agent(&settings);
    let _program = world.live(&agent);
    for count in [95, 10, 105, 115, 95, 10] {
        devices(&agent, count);
    }
    settled(&agent, &cases.map(|(name, ..)| name));
    fails(&agent, "dead", "unreachable");

    let reported = listed(&agent, &[]);
    for ((name, _, takes), store) in cases.iter().zip(&stores) {
        let events = wait_for("the store", 10, || store.events());
        assert_eq!(without_a_gap(name, &events), Vec::<u64>::new());
        // A report gives way to a later one, at each destination for itself.
        let no_report = |event: &&Value| !event["type"].as_str().unwrap().ends_with("agent.report");
        let ids = |event: &Value| event["id"].as_str().unwrap().to_owned();
        let expected = reported
            .iter()
            .filter(|event| takes(event["type"].as_str().unwrap(), event["severity"].as_u64().unwrap()))
            .filter(no_report);
        assert_eq!(
            events.iter().filter(no_report).map(ids).collect::<Vec<_>>(),
            expected.map(ids).collect::<Vec<_>>(),
            "{name}: {:?}",
            types(&events)
        );
        assert!(!events.is_empty(), "{name}: the test has no event for it");
        assert_eq!(logged(&agent, &format!("delivery to {name} fails")), 0);
    }
    assert!(crate::outbox::health(&agent, "dead")["waiting"].as_u64() >= Some(reported.len() as u64 - 1));
}

#[test]
fn what_happens_while_a_request_is_under_way_follows_it_at_once() {
    let world = World::new();
    let hook = Webhook::start();
    let modes = [("single", ""), ("batch", "mode = \"batch\"\n")];
    for (name, mode) in modes {
        let agent =
            world.agent(&destination("hook", &hook.url(), &format!("receiver = \"generic\"\n{mode}")));
        let _program = world.live(&agent);
        settled(&agent, &["hook"]);
        let (came, coming) = mpsc::channel();
        let (go, gate) = mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        hook.answers(move |_, _| {
            came.send(()).ok();
            // An answer that nobody waits for any more ends the wait.
            gate.lock().unwrap().recv_timeout(Duration::from_secs(4)).ok();
            None
        });
        devices(&agent, 95);
        coming.recv_timeout(Duration::from_secs(10)).unwrap();
        // What follows has been looked for by now, and was not there.
        devices(&agent, 10);
        go.send(()).unwrap();
        coming.recv_timeout(Duration::from_secs(10)).unwrap_or_else(|_| panic!("{name}: {}", agent.log()));
        drop(go);
        hook.takes_all();
        settled(&agent, &["hook"]);
    }
    assert_eq!(without_a_gap("hook", &hook.taken()), Vec::<u64>::new());
}
