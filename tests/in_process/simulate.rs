//! What `svm-agent simulate` foretells of a live agent, for people and for programs; and that it then happens.

use crate::support::running::Running;
use crate::support::{Agent, Program, Vendor, at, now, wait_for};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use svm_core::clock::Clock;

/// A day takes a second.
const RATE: u32 = 86_400;

fn world(ends_at: Timestamp, grace_days: u64) -> (tempfile::TempDir, Agent, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), ends_at, grace_days);
    let agent = Agent::new(folder.path(), &vendor.trust(), "");
    let document = folder.path().join("key.jws");
    std::fs::write(&document, vendor.document(&vendor.code)).unwrap();
    (folder, agent, document)
}

fn started(agent: &Agent, document: &std::path::Path) -> Program {
    let program = agent.start_ready();
    agent.ask(&["key", "add", document.to_str().unwrap()]).unwrap();
    program
}

fn said(agent: &Agent, arguments: &[&str]) -> (Option<i32>, String) {
    let output = agent.command(arguments).output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// What people are told of each event; what is enforced is told when it is done, and here nobody enforces.
fn sentences(events: &[Value]) -> Vec<String> {
    let life = |event: &&Value| {
        let kind = event["type"].as_str().unwrap();
        !kind.starts_with("agent.") && kind != "enforcement.changed"
    };
    events.iter().filter(life).map(|event| event["description"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_was_foretold_then_happens() {
    let end = now().checked_add(SignedDuration::from_hours(5 * 24)).unwrap();
    let (_folder, agent, document) = world(end, 3);
    let running = Running::start(&agent, Clock::fast(now(), RATE));
    agent.ask(&["key", "add", document.to_str().unwrap()]).unwrap();
    let rows = agent.ask(&["simulate"]).unwrap();
    let before = agent.ask(&["events", "list", "--limit", "1000"]).unwrap().as_array().unwrap().len();
    let rows = rows.as_array().unwrap().clone();
    let forecast: Vec<Value> =
        rows.iter().flat_map(|row| row["events"].as_array().unwrap().clone()).collect();
    let forecast = sentences(&forecast);
    assert!(forecast.len() >= 7, "{forecast:?}");
    wait_for("the end of the grace", 30, || (agent.status()["phase"] == "restricted").then_some(()));
    let status = agent.status();
    let events = agent.ask(&["events", "list", "--limit", "1000"]).unwrap();
    running.stop();
    assert_eq!(sentences(&events.as_array().unwrap()[before..]), forecast);
    let last = rows.last().unwrap();
    for field in ["phase", "cause", "device_status", "reasons"] {
        assert_eq!(status[field], last[field], "{field}");
    }
}

#[test]
fn the_table_fits_a_terminal_and_says_what_was_assumed() {
    let (_folder, agent, document) = world(at("2039-06-01T00:00:00Z"), 14);
    let _program = started(&agent, &document);
    let (exit, table) = said(&agent, &["simulate", "--until", "2040-01-01"]);
    assert_eq!(exit, Some(0), "{table}");
    let rows = table.lines().filter(|line| line.starts_with("20"));
    assert!(rows.clone().count() > 1 && rows.clone().all(|line| line.chars().count() <= 80), "{table}");
    for words in [
        "When (UTC)",
        "2039-06-01 00:00",
        "grace (ended)",
        "2039-06-15 00:00",
        "restricted (ended)",
        "The forecast goes until 2040-01-01 00:00 UTC",
        "renews and changes nothing",
    ] {
        assert!(table.contains(words), "{words}: {table}");
    }
    let (_, short) = said(&agent, &["simulate"]);
    assert!(short.contains("for a year") && short.contains("Nothing changes in that time"), "{short}");
    // For programs: a row a line, as a scenario gives them, each event with its sentence.
    let rows = agent.ask(&["simulate", "--until", "2040-01-01"]).unwrap();
    let last = rows.as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["at"], &last["phase"]), (&"2039-06-15T00:00:00Z".into(), &"restricted".into()));
    assert!(last["events"][0]["description"].is_string(), "{last}");
}

#[test]
fn an_instant_that_cannot_be_is_refused() {
    let (_folder, agent, document) = world(at("2090-01-01T00:00:00Z"), 14);
    let _program = started(&agent, &document);
    for (wrong, word) in [
        ("2020-01-01", "has passed"),
        ("9999-01-01", "100 years"),
        ("9999-12-31", "100 years"),
        ("20990101T000000Z", "RFC 3339"),
        ("9999", "no instant"),
        ("next year", "no instant"),
        ("", "no instant"),
    ] {
        assert_eq!(agent.refused(&["simulate", "--until", wrong]), (1, "bad_instant".to_owned()), "{wrong}");
        let (_, text) = said(&agent, &["simulate", "--until", wrong]);
        assert!(text.contains(word), "{wrong}: {text}");
    }
    agent.ask(&["simulate", "--until", "2100-01-01T00:00:00+03:00"]).unwrap();
}

#[test]
fn a_scenario_stays_json_lines_unless_a_table_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::new(folder.path(), folder.path(), "");
    let case = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/03-renewed-in-grace.json");
    let (_, lines) = said(&agent, &["simulate", case]);
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.len() > 5);
    let (_, table) = said(&agent, &["simulate", case, "--table"]);
    assert!(table.starts_with("When (UTC)") && table.contains("was renewed from"), "{table}");
    let rows = table.lines().filter(|line| line.starts_with("20"));
    assert!(rows.clone().count() > 1 && rows.clone().all(|line| line.chars().count() <= 80), "{table}");
    assert_eq!(said(&agent, &["simulate", "--table"]).0, Some(2));
}
