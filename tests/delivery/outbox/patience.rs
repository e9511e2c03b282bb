//! Receivers that want to be left alone, or to be asked first.

use crate::outbox::webhook::Webhook;
use crate::outbox::{World, destination, devices, events_of, fails, health, logged, settled, without_a_gap};
use crate::support::server::{Request, whole};
use crate::support::wait_for;
use rustix::process::Signal;
use std::sync::Arc;
use std::time::Duration;

const GENERIC: &str = "receiver = \"generic\"\n";

#[test]
fn one_that_is_gone_for_good_is_asked_once_until_somebody_says_so() {
    let world = World::new();
    let (hook, store) = (Webhook::start(), world.collector("well"));
    let _running = store.start_ready();
    hook.answers(|_, _| Some(whole(&["410 Gone"], "moved to the new console")));
    let settings =
        destination("gone", &hook.url(), GENERIC) + &destination("well", &events_of(store.port), "");
    let agent = world.agent(&settings);
    let program = world.live(&agent);
    let outage = fails(&agent, "gone", "http_410");
    assert!(outage["message"].as_str().unwrap().contains("moved to the new console"), "{outage}");
    for times in 1..3 {
        for count in [95, 10] {
            devices(&agent, count);
        }
        settled(&agent, &["well"]);
        assert_eq!(hook.posts().len(), times, "it is gone");
        program.signal(Signal::HUP);
        wait_for("the next attempt", 10, || (hook.posts().len() > times).then_some(()));
    }
    hook.takes_all();
    program.signal(Signal::HUP);
    settled(&agent, &["gone"]);
    assert_eq!(without_a_gap("gone", &hook.taken()), Vec::<u64>::new());
    assert_eq!(logged(&agent, "delivery to gone fails"), 1);
    assert_eq!(logged(&agent, "delivery to gone works again"), 1);
}

fn is_handshake(request: &Request) -> bool {
    request.head.starts_with("OPTIONS ")
}

/// Gives leave with these headers; takes events all the same.
fn gives_leave(hook: &Webhook, headers: &'static [&'static str]) {
    hook.answers(move |request, _| {
        is_handshake(request).then(|| whole(&[&["200 OK"], headers].concat(), ""))
    });
}

fn handshakes(hook: &Webhook) -> Vec<Arc<Request>> {
    let mut requests = hook.server.requests();
    requests.retain(|request| is_handshake(request));
    requests
}

#[test]
fn leave_is_asked_before_the_first_event_and_not_for_each() {
    let world = World::new();
    let cases: [(&str, &'static [&'static str]); 2] = [
        ("by_name", &["WebHook-Allowed-Origin: svm.example", "WebHook-Allowed-Rate: 6000"]),
        ("by_star", &["WebHook-Allowed-Origin: *", "WebHook-Allowed-Rate: *"]),
    ];
    let hooks = cases.map(|(_, headers)| {
        let hook = Webhook::start();
        gives_leave(&hook, headers);
        hook
    });
    let more = format!("{GENERIC}webhook_origin = \"svm.example\"\n");
    let settings: String =
        cases.iter().zip(&hooks).map(|((name, _), hook)| destination(name, &hook.url(), &more)).collect();
    let agent = world.agent(&settings);
    let _program = world.live(&agent);
    for count in [95, 10, 95, 10] {
        devices(&agent, count);
    }
    for ((name, _), hook) in cases.iter().zip(&hooks) {
        settled(&agent, &[name]);
        assert_eq!(without_a_gap(name, &hook.taken()), Vec::<u64>::new());
        assert_eq!(handshakes(hook).len(), 1, "{name}");
        let first = &hook.server.requests()[0];
        assert!(is_handshake(first) && first.path() == "/hook", "{name}: {}", first.head);
        assert_eq!(first.header("WebHook-Request-Origin"), Some("svm.example"), "{name}");
        assert_eq!(logged(&agent, &format!("delivery to {name} fails")), 0);
    }
}

#[test]
fn without_leave_nothing_is_sent() {
    let world = World::new();
    let cases: [(&str, &'static [&'static str], &str); 3] = [
        (
            "another",
            &["200 OK", "WebHook-Allowed-Origin: other.example"],
            "status 200, WebHook-Allowed-Origin: other.example",
        ),
        ("nobody", &["200 OK"], "status 200, WebHook-Allowed-Origin: none"),
        ("refused", &["403 Forbidden", "WebHook-Allowed-Origin: *"], "status 403"),
    ];
    let hooks = cases.map(|(_, answer, _)| {
        let hook = Webhook::start();
        hook.answers(move |_, _| Some(whole(answer, "")));
        hook
    });
    let more = format!("{GENERIC}webhook_origin = \"svm.example\"\n");
    let settings: String =
        cases.iter().zip(&hooks).map(|((name, ..), hook)| destination(name, &hook.url(), &more)).collect();
    let agent = world.agent(&settings);
    let program = world.live(&agent);
    for ((name, _, why), hook) in cases.iter().zip(&hooks) {
        let message = fails(&agent, name, "webhook_not_allowed")["message"].as_str().unwrap().to_owned();
        assert!(message.contains(why), "{message}");
        let way_out = "allow it there, or set webhook_origin to a name that is allowed";
        assert!(message.contains("does not allow svm.example") && message.contains(way_out), "{message}");
        assert!(hook.posts().is_empty(), "{name}: sent without leave");
        assert_eq!(handshakes(hook).len(), 1, "{name}: it is held");
        gives_leave(hook, &["WebHook-Allowed-Origin: svm.example"]);
    }
    program.signal(Signal::HUP);
    for ((name, ..), hook) in cases.iter().zip(&hooks) {
        settled(&agent, &[name]);
        assert_eq!(without_a_gap(name, &hook.taken()), Vec::<u64>::new());
        assert_eq!(logged(&agent, &format!("delivery to {name} works again")), 1);
    }
}

#[test]
fn the_rate_that_a_receiver_allows_is_kept_to_over_a_failure_too() {
    let world = World::new();
    let hook = Webhook::start();
    let seen = hook.server.clone();
    hook.answers(move |request, _| {
        let requests = seen.requests();
        let posts = requests.iter().filter(|request| !is_handshake(request)).count();
        match is_handshake(request) {
            // One each 2 s.
            true => Some(whole(&["200 OK", "WebHook-Allowed-Origin: *", "WebHook-Allowed-Rate: 30"], "")),
            false => (posts == 2).then(|| whole(&["503 Service Unavailable"], "")),
        }
    });
    let more = format!("{GENERIC}webhook_origin = \"svm.example\"\n");
    let agent = world.agent(&destination("hook", &hook.url(), &more));
    let _program = world.live(&agent);
    wait_for("four requests", 60, || (hook.posts().len() >= 4).then_some(()));
    let posts = hook.posts();
    for pair in posts.windows(2) {
        let gap = pair[1].at - pair[0].at;
        assert!(gap >= Duration::from_millis(1990), "asked again after {gap:?}");
    }
    assert!(handshakes(&hook).len() > 1, "it was asked again after the failure");
}

#[test]
fn what_a_receiver_asked_for_and_since_when_it_fails_outlive_a_kill() {
    let world = World::new();
    let hook = Webhook::start();
    hook.answers(|_, _| Some(whole(&["503 Service Unavailable", "Retry-After: 3"], "")));
    let agent = world.agent(&destination("hook", &hook.url(), GENERIC));
    let mut program = agent.start_ready();
    let first = fails(&agent, "hook", "http_503");
    assert_eq!(first["times"], 1);
    for times in 1..3 {
        program.kill();
        program = agent.start_ready();
        let outage = fails(&agent, "hook", "http_503");
        assert_eq!(outage["since"], first["since"]);
        let grown = wait_for("the next attempt", 20, || {
            Some(health(&agent, "hook")["outage"].clone()).filter(|o| o["times"].as_u64() > Some(times))
        });
        assert_eq!((&grown["since"], &grown["times"]), (&first["since"], &(times + 1).into()));
    }
    let posts = hook.posts();
    assert_eq!(posts.len(), 3);
    for pair in posts.windows(2) {
        let gap = pair[1].at - pair[0].at;
        assert!(gap >= Duration::from_millis(2990), "asked again after {gap:?}");
    }
    assert_eq!(logged(&agent, "delivery to hook fails"), 1, "{}", agent.log());
    assert_eq!(logged(&agent, "delivery to hook has been failing since"), 2);
    hook.takes_all();
    program.signal(Signal::HUP);
    settled(&agent, &["hook"]);
    assert_eq!(logged(&agent, "delivery to hook works again"), 1);
}
