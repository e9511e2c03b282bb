//! The status: what a person reads first, and the form that programs rely on (`docs/reference/status.schema.json`), in each phase.

use crate::support::{Agent, Collector, Vendor, at, free_port, get, get_json, have, now, program, wait_for};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::process::Command;
use svm_core::documents::{ActivationCode, Draft, SigningKey, sign};
use svm_vendor::Cancel;

/// What is wrong with a value, by path; nothing where it is as the schema says. As much of JSON Schema as ours needs, and
/// stricter in one thing: a field that the schema does not name is wrong.
fn faults(schema: &Value, value: &Value, root: &Value, path: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return faults(root.pointer(reference.trim_start_matches('#')).unwrap(), value, root, path);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let each: Vec<Vec<String>> = any.iter().map(|one| faults(one, value, root, path)).collect();
        return match each.iter().any(Vec::is_empty) {
            true => Vec::new(),
            false => each.concat(),
        };
    }
    let mut wrong = Vec::new();
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_i64() || n.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let may_be = |kind: &Value| kind == is;
    let fits =
        schema["type"].as_array().map_or_else(|| may_be(&schema["type"]), |kinds| kinds.iter().any(may_be));
    if !fits {
        return vec![format!("{path} is {is}: {value}")];
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        wrong.push(format!("{path} is {value}"));
    }
    if schema["minimum"].as_i64().is_some_and(|least| value.as_i64().is_some_and(|n| n < least)) {
        wrong.push(format!("{path} is {value}"));
    }
    if schema["format"] == "date-time"
        && value.as_str().is_some_and(|t| t.parse::<jiff::Timestamp>().is_err())
    {
        wrong.push(format!("{path} is no instant: {value}"));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        wrong.extend(faults(&schema["items"], item, root, &format!("{path}/{index}")));
    }
    let Some(object) = value.as_object() else { return wrong };
    for name in schema["required"].as_array().into_iter().flatten() {
        if !object.contains_key(name.as_str().unwrap()) {
            wrong.push(format!("{path} has no {name}"));
        }
    }
    for (name, item) in object {
        let path = format!("{path}/{name}");
        match schema["properties"].get(name).or_else(|| schema.get("additionalProperties")) {
            Some(schema) => wrong.extend(faults(schema, item, root, &path)),
            None => wrong.push(format!("{path} is not in the schema")),
        }
    }
    wrong
}

fn as_in_the_schema(status: &Value) {
    let schema: Value =
        serde_json::from_str(include_str!("../../docs/reference/status.schema.json")).unwrap();
    let faults = faults(&schema, status, &schema, "");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The first three lines, without what they are called.
fn headline(agent: &Agent) -> [String; 3] {
    let output = agent.command(&["status"]).env("TERM", "xterm").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains('\u{1b}'), "no terminal, no colours: {text:?}");
    let line = |name: &str, line: &str| {
        line.strip_prefix(name).unwrap_or_else(|| panic!("{name}: {text}")).trim().to_owned()
    };
    let mut lines = text.lines();
    ["Subscription", "Stopped", "Do now"].map(|name| line(name, lines.next().unwrap()))
}

#[test]
fn each_phase_has_the_form_of_the_schema_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), now() + SignedDuration::from_hours(90 * 24), 3);
    // A destination that is not there, and a gateway whose upstream is not either.
    let more = format!(
        "{}[gateway]\nlisten = \"127.0.0.1:{}\"\nupstreams = [\"127.0.0.1:1\"]\n\
         [destinations.console]\nurl = \"http://127.0.0.1:1/\"\n",
        vendor.source(),
        free_port()
    );
    let agent = Agent::new(folder.path(), &vendor.trust(), &more);
    let _program = agent.start_ready();
    let failing = wait_for("a failing destination", 20, || {
        let status = agent.status();
        status["destinations"]["console"]["outage"].is_object().then_some(status)
    });
    as_in_the_schema(&failing);
    assert_eq!(failing["phase"], "not_activated");
    let [stands, stopped, todo] = headline(&agent);
    assert_eq!(stands, "not activated");
    assert_eq!(stopped, "KSN; database updates not allowed (not governed on this SVM); protection continues");
    assert_eq!(todo, "1. Activate the SVM: svm-agent activate CODE");

    agent.ask(&["activate", &vendor.code]).unwrap();
    let status = agent.status();
    as_in_the_schema(&status);
    assert_eq!((&status["phase"], &status["keys"][0]["key"]), (&json!("active"), &json!("SUB-1")));
    assert_eq!(headline(&agent)[..2], ["active, 90 days left".to_owned(), "nothing".to_owned()]);

    let seen = |phase: &str, stopped: &str, todo: &str| {
        vendor.publish();
        let said = wait_for(phase, 30, || {
            agent.ask(&["refresh"]).ok();
            let said = headline(&agent);
            (said[0] == phase).then_some(said)
        });
        assert!(said[1].starts_with(stopped) && said[2].starts_with(todo), "{said:?}");
        as_in_the_schema(&agent.status());
    };
    vendor.provider.pause(&vendor.key, now()).unwrap();
    seen(
        "in its grace period: the provider paused it, 3 days of grace left",
        "nothing",
        "1. Ask the provider to resume the subscription. Then run: svm-agent refresh",
    );
    vendor.provider.cancel(&vendor.key, Cancel::Now, now()).unwrap();
    seen(
        "restricted: the provider cancelled it",
        "KSN; database updates not allowed",
        "1. Ask the provider why the subscription was cancelled, or activate a new code: svm-agent activate CODE",
    );
}

/// What the vendor announced is shown as announced: in the status, the list of keys, the events, and at the console.
#[test]
fn what_the_vendor_announced_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (trust, signer) = (folder.path().join("trust"), SigningKey::generate().unwrap());
    std::fs::create_dir(&trust).unwrap();
    std::fs::write(trust.join("vendor.pem"), signer.public().to_pem("provider.example")).unwrap();
    let sub = ActivationCode::generate().unwrap().sub();
    let collector = Collector::new(folder.path());
    let _console = collector.start_ready();
    let destination = format!(
        "[destinations.console]\nurl = \"http://127.0.0.1:{}/v1/events\"\nreceiver = \"svm-collector\"\n",
        collector.port
    );
    let agent = Agent::new(folder.path(), &trust, &destination);
    let _program = agent.start_ready();

    let since = "2039-01-09T00:00:00Z";
    let claims = |rev: u64, state: &str, since: &str| {
        json!({"rev": rev, "key": {"id": "SUB-1", "kind": "subscription"},
            "subscription": {"state": state, "state_since": since, "grace_days": 5, "auto_renew": false,
                "term": {"type": "limited", "ends_at": "2040-01-01T00:00:00Z"},
                "order": {"number": "A-77", "channel": "partner", "placed_on": "2026-01-02"}},
            "vendor": {"name": "Acme Telecom", "renewal_url": "https://acme.example/renew"}})
    };
    let add = |claims: Value| {
        let statement = svm_core::subscription::Statement::read(&claims).unwrap();
        let draft = Draft { iss: "provider.example", sub: &sub, jti: "a", iat: now(), statement: &statement };
        let file = folder.path().join("key.jws");
        std::fs::write(&file, sign(&draft, &signer).unwrap().text).unwrap();
        agent.ask(&["key", "add", file.to_str().unwrap()]).unwrap()
    };
    add(claims(1, "active", "2026-01-01T00:00:00Z"));
    let reported = add(claims(2, "hard_cancelled", since));
    assert_eq!(
        reported["events"][0]["description"], "the provider will cancel SUB-1 on 2039-01-09",
        "{reported}"
    );
    assert_eq!(
        (&reported["events"][0]["severity"], &reported["events"][0]["fields"]),
        (&json!(2), &json!(["state"]))
    );

    let status = agent.status();
    as_in_the_schema(&status);
    assert_eq!(status["known_end"], json!({"ends_at": since, "why": "cancelled"}));
    let key = &status["keys"][0];
    assert_eq!(
        (&key["state"], &key["state_since"], &key["rev"]),
        (&json!("hard_cancelled"), &json!(since), &json!(2))
    );
    assert!(key["activated_at"].is_string());
    for command in [&["status"][..], &["key", "list"]] {
        let text = String::from_utf8(agent.command(command).output().unwrap().stdout).unwrap();
        for words in [
            "cancelled by the provider from 2039-01-09",
            "not automatic",
            "Acme Telecom",
            "https://acme.example/renew",
            "A-77",
            "revision 2",
            "Active since",
        ] {
            assert!(text.contains(words), "{command:?}: {words}: {text}");
        }
    }
    agent.settled();
    let id = status["id"].as_str().unwrap();
    let shown = get_json(collector.port, &format!("/v1/svms/{id}")).unwrap();
    assert_eq!((&shown["state"], &shown["state_since"]), (&json!("hard_cancelled"), &json!(since)));
    assert_eq!(
        (&shown["vendor"]["name"], &shown["order"]["number"]),
        (&json!("Acme Telecom"), &json!("A-77"))
    );
    assert_eq!((&shown["rev"], &shown["known_end"]["why"]), (&json!(2), &json!("cancelled")));
    let (_, page) = get(collector.port, &format!("/svms/{id}")).unwrap();
    for words in ["Cancelled by the provider from 2039-01-09", "Will be cancelled", "Acme Telecom", "A-77"] {
        assert!(page.contains(words), "{words}: {page}");
    }
}

/// A question at the socket has no TLS: the hundreds of certificates of the system are none of its business, and took most of
/// its time once.
#[test]
fn a_question_at_the_socket_opens_what_it_needs_alone() {
    if !have("strace", "strace") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::new(folder.path(), &folder.path().join("nobody"), "");
    let _program = agent.start_ready();
    let trace = folder.path().join("trace");
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-e", "trace=open,openat,connect", "-o"]).arg(&trace);
    traced.arg(program("svm-agent")).arg("--config").arg(&agent.config).arg("status");
    let output = traced.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let opened = std::fs::read_to_string(&trace).unwrap();
    // Of two sockets that answer, it takes the one that nobody can crowd.
    assert!(opened.contains("control.sock") || opened.contains("query.sock"), "{opened}");
    assert!(!opened.contains("cert"), "certificates are read: {opened}");
}

/// Changes come together a minute after the first; this takes it.
#[test]
fn keys_and_devices_are_reported_soon_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), at("2040-01-01T00:00:00Z"), 30);
    let agent = Agent::new(folder.path(), &vendor.trust(), &vendor.source());
    let _program = agent.start_ready();
    assert!(agent.status()["devices"]["count"].is_null(), "what nobody said is not known");
    let events = |kind: &str| {
        let listed = agent.ask(&["events", "list", "--limit", "1000"]).unwrap();
        let listed = if listed.is_array() { listed } else { json!([listed]) };
        let ids = listed.as_array().unwrap().iter().filter(|event| event["type"] == kind);
        let ids: Vec<String> = ids.map(|event| event["id"].as_str().unwrap().to_owned()).collect();
        ids.iter().map(|id| agent.ask(&["events", "show", id]).unwrap()["event"].clone()).collect::<Vec<_>>()
    };
    let reports = || events("agent.report");
    wait_for("the report of the start", 60, || (reports().len() == 1).then_some(()));
    let began = now();
    agent.ask(&["activate", &vendor.code]).unwrap();
    for count in ["7", "8", "9"] {
        agent.ask(&["devices", "set", count]).unwrap();
    }
    // The commands take seconds, or minutes on a machine under load: each minute of them may have its own report.
    let most = 2 + usize::try_from(now().duration_since(began).as_secs() / 60).unwrap();
    let report = wait_for("a report that shows the last change", 300, || {
        let last = reports().pop().unwrap();
        (last["data"]["report"]["devices"]["count"] == 9).then_some(last)
    });
    assert_eq!(report["data"]["report"]["keys"].as_array().unwrap().len(), 1);
    let reports = reports();
    assert!(reports.len() <= most, "{} reports, not one for all changes", reports.len());
    let time = |event: &Value| at(event["time"].as_str().unwrap());
    let waited = time(&reports[1]).duration_since(time(&events("key.added")[0]));
    assert!(waited.as_secs() >= 55, "reported at once, after {waited}");
}
