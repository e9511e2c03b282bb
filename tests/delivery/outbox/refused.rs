//! Events that a receiver refuses for what is in them (400, 413, 415, 422), and receivers that refuse everything.

use crate::outbox::webhook::Webhook;
use crate::outbox::{
    World, destination, devices, events_of, fails, fill, health, listed, logged, settled, types,
    without_a_gap,
};
use crate::support::server::whole;
use crate::support::{Agent, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Refuses requests that hold an event about one of these numbers of devices.
fn refuses(webhook: &Webhook, status: &'static str, counts: &'static [u64]) {
    webhook.answers(move |_, events| {
        let bad = |event: &Value| event["data"]["count"].as_u64().is_some_and(|n| counts.contains(&n));
        events.iter().any(bad).then(|| whole(&[status], "no rule\r\nfor this"))
    });
}

/// Does the one thing while a webhook is not there, so that it gets all of it at once afterwards.
fn at_once(
    agent: &Agent,
    program: &crate::outbox::Program,
    webhooks: &[(&str, &Webhook)],
    work: impl FnOnce(),
) {
    let away = Arc::new(AtomicBool::new(true));
    for (_, webhook) in webhooks {
        webhook.away(away.clone());
    }
    work();
    for (name, _) in webhooks {
        fails(agent, name, "http_503");
    }
    away.store(false, Ordering::SeqCst);
    program.signal(Signal::HUP);
}

/// The ids of events about so many devices.
fn about(events: &[Value], count: u64) -> Vec<&str> {
    let of = |event: &&Value| event["data"]["count"] == count;
    events.iter().filter(of).map(|event| event["id"].as_str().unwrap()).collect()
}

#[test]
fn a_bad_event_goes_to_quarantine_and_comes_again_when_the_receiver_is_mended() {
    let single = "receiver = \"generic\"\n";
    let batch = "receiver = \"generic\"\nmode = \"batch\"\n";
    let cases = [
        ("single_400", single, "400 Bad Request"),
        ("single_413", single, "413 Too Large"),
        ("single_415", single, "415 What"),
        ("single_422", single, "422 Unprocessable"),
        ("batch_400", batch, "400 Bad Request"),
        ("batch_413", batch, "413 Too Large"),
        ("batch_415", batch, "415 What"),
        ("batch_422", batch, "422 Unprocessable"),
    ];
    let names = cases.map(|(name, ..)| name);
    let world = World::new();
    let store = world.collector("well");
    let _running = store.start_ready();
    let hooks = cases.map(|(_, _, status)| {
        let hook = Webhook::start();
        refuses(&hook, status, &[97, 98]);
        hook
    });
    let mut settings = destination("well", &events_of(store.port), "");
    for ((name, more, _), hook) in cases.iter().zip(&hooks) {
        settings += &destination(name, &hook.url(), more);
    }
    let agent = world.agent(&settings);
    let program = world.live(&agent);
    settled(&agent, &names);
    let all: Vec<_> = names.iter().copied().zip(&hooks).collect();
    at_once(&agent, &program, &all, || {
        for count in [95, 10, 97, 11, 96, 12, 98, 13, 94, 14] {
            devices(&agent, count);
        }
    });
    settled(&agent, &names);
    settled(&agent, &["well"]);

    let held = store.events().unwrap();
    let (first, second) = (about(&held, 97)[0].to_owned(), about(&held, 98)[0].to_owned());
    without_a_gap("well", &held);
    let reported: Vec<&Value> = held.iter().filter(|e| e["type"] == "svm.events.quarantined").collect();
    for ((name, _, status), hook) in cases.iter().zip(&hooks) {
        let code = format!("http_{}", &status[..3]);
        let taken = hook.taken();
        assert_eq!(without_a_gap(name, &taken).len(), 2, "{name}: two holes, each named");
        assert_eq!((about(&taken, 97).len(), about(&taken, 98).len()), (0, 0), "{name}");
        for count in [95, 10, 11, 96, 12, 13, 94, 14] {
            assert_eq!(about(&taken, count), about(&held, count), "{name}");
        }
        assert_eq!(health(&agent, name)["quarantined"], 2, "{name}");
        // Everyone hears of it, the one that refused it too.
        let of = |event: &&&Value| event["data"]["destination"] == *name;
        let refusals: Vec<&Value> =
            reported.iter().filter(of).flat_map(|e| e["data"]["events"].as_array().unwrap()).collect();
        assert_eq!(refusals.len(), 2, "{name}");
        for (refusal, id) in refusals.iter().zip([&first, &second]) {
            assert_eq!(
                (&refusal["id"], &refusal["code"]),
                (&Value::from(id.as_str()), &Value::from(code.as_str()))
            );
            assert_eq!(refusal["answer"], "no rule for this", "on one line");
            assert!(!taken.iter().any(|event| event["sequence"] == refusal["sequence"]), "{name}");
        }
        assert!(types(&taken).contains(&"events.quarantined"), "{name}");
        assert_eq!(logged(&agent, &format!("destination=\"{name}\" sequence=")), 2, "{}", agent.log());
    }
    assert_eq!(health(&agent, "well")["quarantined"], 0);

    let ids: Vec<Value> = listed(&agent, &["--quarantined"]).into_iter().map(|e| e["id"].clone()).collect();
    assert_eq!(ids, [first.as_str(), second.as_str()]);
    let shown = agent.ask(&["events", "show", &first]).unwrap();
    let place = |name: &str| {
        let places = shown["places"].as_array().unwrap();
        places.iter().find(|place| place["destination"] == name).unwrap().clone()
    };
    assert_eq!(place("well")["state"], "delivered");
    let aside = place("batch_422");
    assert_eq!(
        (&aside["state"], &aside["code"], &aside["answer"]),
        (&"quarantined".into(), &"http_422".into(), &"no rule for this".into())
    );
    let human = agent.command(&["events", "show", &first]).output().unwrap();
    let human = String::from_utf8(human.stdout).unwrap();
    let event: Value = serde_json::from_str(&human[human.find("\n{").unwrap()..]).unwrap();
    assert_eq!(event["id"], first.as_str());
    let line = format!(
        "Destination     batch_422, number {}: quarantined at {}: http_422: no rule for this",
        aside["sequence"],
        aside["refused_at"].as_str().unwrap()
    );
    assert!(
        human.lines().any(|l| l == line) && human.contains("Destination     well, number "),
        "{line}\n{human}"
    );
    let status = String::from_utf8(agent.command(&["status"]).output().unwrap().stdout).unwrap();
    assert!(status.contains("2 events refused and in quarantine"), "{status}");

    // Nobody sends what is not in quarantine.
    let healthy = about(&held, 95)[0];
    for (arguments, code) in [
        (["events", "show", "none-of-them"], "unknown_event"),
        (["events", "show", "no id!"], "unknown_event"),
        (["events", "retry", "no id!"], "unknown_event"),
        (["events", "retry", "none-of-them"], "not_quarantined"),
        (["events", "retry", healthy], "not_quarantined"),
    ] {
        assert_eq!(agent.refused(&arguments), (1, code.to_owned()), "{arguments:?}");
    }
    // A receiver that was not mended refuses it again.
    assert_eq!(agent.ask(&["events", "retry", &first]).unwrap()["again"], 8);
    wait_for("the second refusal", 30, || {
        devices(&agent, 95);
        devices(&agent, 10);
        names.iter().all(|name| health(&agent, name)["quarantined"] == 2).then_some(())
    });
    settled(&agent, &names);
    hooks.iter().for_each(Webhook::takes_all);
    assert_eq!(agent.ask(&["events", "retry", &first]).unwrap()["again"], 8);
    settled(&agent, &names);
    for (name, hook) in names.iter().zip(&hooks) {
        assert_eq!(about(&hook.taken(), 97), [&first], "{name}");
        assert_eq!(health(&agent, name)["quarantined"], 1, "{name}");
    }
    assert_eq!(agent.ask(&["events", "retry", "--all"]).unwrap()["again"], 8);
    settled(&agent, &names);
    for (name, hook) in names.iter().zip(&hooks) {
        let taken = hook.taken();
        assert_eq!(about(&taken, 98), [&second], "{name}");
        assert_eq!(about(&taken[taken.len() - 1..], 98), [&second], "{name}: at the end of the queue");
        assert_eq!(without_a_gap(name, &taken).len(), 3, "{name}: two, and one of them twice");
        assert_eq!(health(&agent, name)["quarantined"], 0, "{name}");
    }
    let nothing = agent.command(&["events", "retry", "--all"]).output().unwrap();
    assert_eq!(String::from_utf8(nothing.stdout).unwrap(), "No events are in quarantine.\n");
}

#[test]
fn bad_events_at_the_end_stay_until_something_that_follows_is_taken() {
    let world = World::new();
    let (single, batch) = (Webhook::start(), Webhook::start());
    let settings = destination("single", &single.url(), "receiver = \"generic\"\n")
        + &destination("batch", &batch.url(), "receiver = \"generic\"\nmode = \"batch\"\n");
    let agent = world.agent(&settings);
    let program = world.live(&agent);
    let hooks = [("single", &single), ("batch", &batch)];
    settled(&agent, &["single", "batch"]);
    for (_, hook) in hooks {
        refuses(hook, "400 Bad Request", &[91, 1, 92, 2, 93]);
    }
    at_once(&agent, &program, &hooks, || {
        for count in [94, 3, 91, 1, 92, 2, 93] {
            devices(&agent, count);
        }
    });
    for (name, hook) in hooks {
        fails(&agent, name, "http_400");
        wait_for("all but the bad", 10, || (health(&agent, name)["waiting"] == 5).then_some(()));
        assert_eq!(about(&hook.taken(), 3).len(), 1, "{name}");
        assert_eq!(health(&agent, name)["quarantined"], 0, "{name}: nothing that follows was taken");
    }
    assert!(!agent.reported().contains(&"events.quarantined".to_owned()));
    devices(&agent, 4);
    settled(&agent, &["single", "batch"]);
    for (name, hook) in hooks {
        let taken = hook.taken();
        assert_eq!(health(&agent, name)["quarantined"], 5, "{name}");
        assert_eq!(without_a_gap(name, &taken).len(), 5, "{name}");
        let reported: Vec<&Value> = taken
            .iter()
            .filter(|event| event["type"] == "svm.events.quarantined" && event["data"]["destination"] == name)
            .collect();
        assert_eq!(reported.len(), 1, "{name}: five are told at once");
        assert_eq!(reported[0]["data"]["events"].as_array().unwrap().len(), 5, "{name}");
        assert_eq!(logged(&agent, &format!("delivery to {name} works again")), 2, "{}", agent.log());
    }
}

#[test]
fn a_receiver_that_does_not_want_to_hear_of_refusals_is_not_told_of_them_without_an_end() {
    let world = World::new();
    let (one, two) = (Webhook::start(), Webhook::start());
    let generic = "receiver = \"generic\"\nmode = \"batch\"\n";
    let settings = destination("one", &one.url(), generic) + &destination("two", &two.url(), generic);
    let agent = world.agent(&settings);
    let _program = world.live(&agent);
    for hook in [&one, &two] {
        hook.answers(|_, events| {
            let bad =
                |event: &Value| event["data"]["count"] == 97 || event["type"] == "svm.events.quarantined";
            events.iter().any(bad).then(|| whole(&["422 No"], "no"))
        });
    }
    devices(&agent, 97);
    // Whatever follows is taken, and condemns what was refused before it.
    wait_for("the refusals in quarantine", 30, || {
        devices(&agent, 10);
        devices(&agent, 95);
        ["one", "two"].iter().all(|name| health(&agent, name)["quarantined"] == 3).then_some(())
    });
    for _ in 0..5 {
        devices(&agent, 10);
        devices(&agent, 95);
        settled(&agent, &["one", "two"]);
    }
    let reported = agent.reported();
    assert_eq!(reported.iter().filter(|kind| *kind == "events.quarantined").count(), 2, "{reported:?}");
    assert_eq!(listed(&agent, &["--quarantined"]).len(), 3, "the event, and two that tell of it");
    assert_eq!(logged(&agent, "refuses an event, which is now in quarantine"), 6, "{}", agent.log());
    assert_eq!(without_a_gap("one", &one.taken()).len(), 3);
}

#[test]
fn a_receiver_that_refuses_everything_is_not_given_everything_and_nothing_is_lost() {
    let world = World::new();
    let (single, batch) = (Webhook::start(), Webhook::start());
    let store = world.collector("well");
    let _running = store.start_ready();
    let settings = destination("single", &single.url(), "receiver = \"generic\"\n")
        + &destination("batch", &batch.url(), "receiver = \"generic\"\nmode = \"batch\"\n")
        + &destination("well", &events_of(store.port), "");
    let agent = world.agent(&settings);
    fill(&agent, &["batch", "single", "well"], 300);
    for hook in [&single, &batch] {
        hook.answers(|_, _| Some(whole(&["400 Bad Request"], "<h1>400</h1>")));
    }
    let program = world.live(&agent);
    for name in ["single", "batch"] {
        wait_for(&format!("{name} to be held"), 30, || {
            let message = fails(&agent, name, "http_400")["message"].as_str()?.to_owned();
            message.contains("refuses 32 events one by one and accepts none after them").then_some(())
        });
    }
    for count in [95, 10, 95, 10] {
        devices(&agent, count);
    }
    settled(&agent, &["well"]);
    let reported = store.events().unwrap().len();
    // Halving 300 down to one, and 31 more.
    for (name, hook, most) in [("single", &single, 32), ("batch", &batch, 48)] {
        assert!(hook.posts().len() <= most, "{name}: {} requests", hook.posts().len());
        let health = health(&agent, name);
        assert_eq!(health["quarantined"], 0, "{name}");
        assert!(
            health["waiting"].as_u64().unwrap() as usize >= reported - 1,
            "{name}: {health} of {reported}"
        );
        assert_eq!(logged(&agent, &format!("delivery to {name} fails")), 1, "{}", agent.log());
        assert!(hook.taken().is_empty());
        hook.takes_all();
    }
    program.signal(Signal::HUP);
    settled(&agent, &["single", "batch"]);
    for (name, hook) in [("single", &single), ("batch", &batch)] {
        assert_eq!(without_a_gap(name, &hook.taken()), Vec::<u64>::new());
        assert!(hook.taken().len() + 1 >= reported, "{name}");
        assert_eq!(health(&agent, name)["quarantined"], 0, "{name}");
        assert_eq!(logged(&agent, &format!("delivery to {name} fails")), 1, "{name}");
        assert_eq!(logged(&agent, &format!("delivery to {name} works again")), 1, "{name}");
    }
}

/// Such as a web server that answers 400 to a client certificate that it does not know, until it does.
#[test]
fn what_was_refused_while_everything_was_is_not_condemned_by_what_is_taken_later() {
    let world = World::new();
    let (single, batch) = (Webhook::start(), Webhook::start());
    let settings = destination("single", &single.url(), "receiver = \"generic\"\n")
        + &destination("batch", &batch.url(), "receiver = \"generic\"\nmode = \"batch\"\n");
    let agent = world.agent(&settings);
    let _program = world.live(&agent);
    settled(&agent, &["single", "batch"]);
    for hook in [&single, &batch] {
        hook.answers(|_, _| Some(whole(&["400 Bad Request"], "no required certificate was sent")));
    }
    for count in [95, 10, 95] {
        devices(&agent, count);
    }
    for name in ["single", "batch"] {
        wait_for("all three to be refused", 30, || {
            let message = fails(&agent, name, "http_400")["message"].as_str()?.to_owned();
            message.contains("refuses 3 events").then_some(())
        });
    }
    for hook in [&single, &batch] {
        hook.takes_all();
    }
    // Nobody says that it was mended; something happens.
    devices(&agent, 10);
    settled(&agent, &["single", "batch"]);
    for (name, hook) in [("single", &single), ("batch", &batch)] {
        assert_eq!(without_a_gap(name, &hook.taken()), Vec::<u64>::new());
        assert_eq!(health(&agent, name)["quarantined"], 0, "{name}");
    }
}

#[test]
fn more_bad_events_in_a_row_than_are_tried_do_not_block_what_follows() {
    let world = World::new();
    let hook = Webhook::start();
    let agent = world.agent(&destination("hook", &hook.url(), "receiver = \"generic\"\nmode = \"batch\"\n"));
    let program = world.live(&agent);
    settled(&agent, &["hook"]);
    hook.answers(|_, events| {
        events.iter().any(|event| event["type"] == "svm.devices.limit").then(|| whole(&["422 No"], "no"))
    });
    at_once(&agent, &program, &[("hook", &hook)], || {
        for n in 0..45 {
            devices(&agent, if n % 2 == 0 { 95 } else { 10 });
        }
    });
    settled(&agent, &["hook"]);
    assert_eq!(health(&agent, "hook")["quarantined"], 45);
    // What proves that the receiver takes events is one that it had: it comes twice, and nothing else does.
    let taken = hook.taken();
    let mut ids: Vec<&str> = taken.iter().map(|event| event["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!(all - ids.len(), 1, "{:?}", types(&taken));
    assert!(!types(&taken).contains(&"devices.limit"), "{:?}", types(&taken));
}
