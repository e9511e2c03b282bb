//! The three ways in which events lie in a request, and their compression.

use crate::outbox::webhook::{Webhook, before, events, with_events};
use crate::outbox::{World, destination, devices, events_of, settled, without_a_gap};
use crate::support::server::whole;
use crate::support::wait_for;
use serde_json::Value;

#[test]
fn every_mode_says_the_same_and_is_compressed_as_the_settings_say() {
    let cases = [
        (
            "structured",
            "mode = \"structured\"\ncompression = \"none\"\n",
            "application/cloudevents+json",
            false,
        ),
        ("binary", "mode = \"binary\"\ncompression = \"none\"\n", "application/json", false),
        ("binary_zstd", "mode = \"binary\"\ncompression = \"zstd\"\n", "application/json", true),
        ("batch_none", "compression = \"none\"\n", "application/cloudevents-batch+json", false),
        (
            "batch_zstd",
            "mode = \"batch\"\ncompression = \"zstd\"\n",
            "application/cloudevents-batch+json",
            true,
        ),
        ("auto", "", "application/cloudevents-batch+json", true),
    ];
    let world = World::new();
    let stores = cases.map(|(name, ..)| world.collector(name));
    let _running = stores.each_ref().map(|store| store.start_ready());
    let fronts = stores.each_ref().map(|store| before(store.port));
    let mut settings = "[product]\nname = \"Защита «100 %»\"\n".to_owned();
    for ((name, more, ..), front) in cases.iter().zip(&fronts) {
        settings += &destination(name, &events_of(front.port), more);
    }
    // A webhook gets one event a request, and no compression, unless it is asked for.
    let (plain, batched) = (Webhook::start(), Webhook::start());
    settings += &destination("plain", &plain.url(), "receiver = \"generic\"\n");
    settings += &destination("batched", &batched.url(), "receiver = \"generic\"\nmode = \"batch\"\n");
    let agent = world.agent(&settings);
    let _program = world.live(&agent);
    for count in [95, 10, 115, 10] {
        devices(&agent, count);
    }
    let names: Vec<&str> = cases.iter().map(|(name, ..)| *name).chain(["plain", "batched"]).collect();
    settled(&agent, &names);
    agent.ask(&["report"]).unwrap();
    settled(&agent, &names);

    let reports = |event: &Value| event["type"] == "svm.agent.report";
    let held = |events: Vec<Value>| -> Vec<Value> {
        // Which reports were replaced by later ones is each destination's own.
        events
            .into_iter()
            .filter(|event| !reports(event))
            .map(|mut event| {
                event["sequence"].take();
                event
            })
            .collect()
    };
    let first = held(plain.taken());
    assert!(
        first.len() > 8 && first.iter().all(|e| e["data"]["product_name"] == "Защита «100 %»"),
        "{first:?}"
    );
    for ((name, _, kind, compressed), (store, front)) in cases.iter().zip(stores.iter().zip(&fronts)) {
        let stored = wait_for("the store", 10, || store.events());
        without_a_gap(name, &stored);
        assert!(stored.iter().any(reports), "{name}");
        assert_eq!(held(stored), first, "{name}");
        let requests = with_events(front);
        for request in &requests {
            assert_eq!(request.header("Content-Type"), Some(*kind), "{name}: {}", request.head);
            let large = request.content().len() >= 2048;
            let encoding = (*compressed && large).then_some("zstd");
            assert_eq!(request.header("Content-Encoding"), encoding, "{name}: {}", request.head);
        }
        assert!(requests.iter().any(|request| request.content().len() >= 2048), "{name}");
    }
    without_a_gap("plain", &plain.taken());
    without_a_gap("batched", &batched.taken());
    assert_eq!(held(batched.taken()), first);
    assert!(plain.posts().iter().all(|r| r.header("Content-Type") == Some("application/cloudevents+json")));
    assert!(
        [&plain, &batched].iter().all(|w| w.posts().iter().all(|r| r.header("Content-Encoding").is_none()))
    );
}

#[test]
fn the_attributes_of_a_binary_event_are_headers_that_any_key_fits_into() {
    let mut world = World::new();
    let webhook = Webhook::start();
    // What a key may hold and a header value may not, as it is.
    let key = "100%\"\\,;:<key>~";
    let (code, _) = world
        .vendor
        .provider
        .issue(
            crate::support::order(key, crate::outbox::at("2040-01-01T00:00:00Z"), 30),
            crate::support::now(),
        )
        .unwrap();
    world.vendor.code = code.reveal();
    world.vendor.publish();
    let more = "receiver = \"generic\"\nmode = \"binary\"\n";
    let agent = world.agent(&destination("hook", &webhook.url(), more));
    let _program = world.live(&agent);
    settled(&agent, &["hook"]);

    let posts = webhook.posts();
    let about = |request: &&std::sync::Arc<crate::support::server::Request>| {
        request.header("ce-type") == Some("svm.key.added")
    };
    let request = posts.iter().find(about).unwrap();
    assert_eq!(request.header("ce-specversion"), Some("1.0"));
    assert_eq!(request.header("Content-Type"), Some("application/json"));
    assert_eq!(request.header("ce-datacontenttype"), None, "it is the Content-Type");
    assert_eq!(request.header("ce-subject"), Some("100%25%22\\,;:<key>~"));
    let shown = agent.ask(&["events", "show", request.header("ce-id").unwrap()]).unwrap();
    let [event] = &events(request)[..] else { panic!("{}", request.head) };
    let mut whole = shown["event"].clone();
    whole["sequence"] = event["sequence"].clone();
    assert_eq!((event, event["subject"].as_str()), (&whole, Some(key)));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body, whole["data"], "the body is the data and nothing else");
}

#[test]
fn a_receiver_that_cannot_read_zstd_gets_it_as_it_is() {
    let world = World::new();
    let webhook = Webhook::start();
    webhook.answers(|request, _| {
        let compressed = request.header("Content-Encoding").is_some();
        compressed.then(|| whole(&["415 Unsupported Media Type", "Accept-Encoding: identity"], ""))
    });
    let more = "receiver = \"generic\"\nmode = \"batch\"\ncompression = \"zstd\"\n";
    // Each event alone is large enough to be compressed.
    let name = format!("[product]\nname = {:?}\n", "Product ".repeat(200));
    let agent = world.agent(&(name + &destination("hook", &webhook.url(), more)));
    let mut program = world.live(&agent);
    let refused = || webhook.posts().iter().filter(|r| r.header("Content-Encoding").is_some()).count();
    for life in 1..3 {
        for count in [95, 10, 95, 10] {
            devices(&agent, count);
            settled(&agent, &["hook"]);
        }
        assert_eq!(refused(), life, "asked once a life, and then told");
        assert!(program.terminate().success());
        program = agent.start_ready();
        wait_for("the next life", 10, || (refused() > life).then_some(()));
    }
    settled(&agent, &["hook"]);
    assert!(webhook.posts().iter().all(|request| request.content().len() >= 2048));
    assert_eq!(without_a_gap("hook", &webhook.taken()), Vec::<u64>::new());
    assert_eq!(crate::outbox::health(&agent, "hook")["quarantined"], 0);
    assert_eq!(crate::outbox::logged(&agent, "delivery to hook fails"), 0, "{}", agent.log());
}
