//! Each line of the table is written by the real program, and none of them without an end.

mod faults;
mod life;

use crate::support::machine::faketime;
use crate::support::{Agent, Vendor, at, wait_for};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use svm_agent::log::{catalogue, events};

const FAR: &str = "2040-01-01T00:00:00Z";

/// Lines that other tests see in the log of the real program, where what they tell is tested (`Agent::wrote`).
const SEEN_BY: &[(&str, &[&str])] = &[
    ("tests/agent/time.rs", &["clock.suspect", "clock.trusted", "clock.reset"]),
    ("tests/agent/time.rs", &["licence.expired", "source.stale", "activation.failed"]),
    ("tests/agent/time.rs", &["delivery.still_fails", "source.still_fails"]),
    ("tests/in_process/reserve.rs", &["reserve.unusable", "reserve.usable", "key.reserve_applied"]),
    ("tests/agent/identity.rs", &["sequence.reverted", "host.renamed"]),
    ("tests/agent/faults_store.rs", &["recovery.damaged", "store.state_lost"]),
    ("tests/delivery/outbox/certificates.rs", &["destination.certificate_expiring"]),
    ("tests/delivery/outbox/bounds.rs", &["events.dropped"]),
];

/// This one takes the hour that it tells of: `what_was_counted_is_told_after_the_hour`.
const AFTER_AN_HOUR: &str = "log.left_out";

/// Waits until a line was written, and says how often.
fn line(agent: &Agent, event: &str) -> usize {
    let wanted = format!("event=\"{event}\"");
    wait_for(event, 60, || Some(agent.log().matches(&wanted).count()).filter(|count| *count > 0))
}

fn lines(agent: &Agent, events: &[&str]) {
    for event in events {
        line(agent, event);
    }
}

fn add(agent: &Agent, more: &str) {
    let text = std::fs::read_to_string(&agent.config).unwrap();
    std::fs::write(&agent.config, text + more).unwrap();
}

const DEBUG: &str = "[log]\nlevel = \"debug\"\n";

/// The document of `SUB-1`, as a file.
fn vendor_file(vendor: &Vendor) -> PathBuf {
    let file = vendor.folder.join("document.jws");
    std::fs::write(&file, vendor.document(&vendor.code)).unwrap();
    file
}

#[test]
fn each_line_of_the_table_is_written_by_the_program() {
    if !faketime() {
        return;
    }
    type World = fn() -> Option<Agent>;
    let worlds: [World; 9] = [
        || Some(life::a_life()),
        || Some(life::deliveries()),
        || Some(life::gateway()),
        || Some(life::hammered()),
        faults::disks,
        faults::ten_minutes,
        || Some(faults::schedule()),
        || Some(faults::rows()),
        || Some(faults::descriptors()),
    ];
    let worlds = worlds.map(std::thread::spawn);
    let mut seen = BTreeSet::new();
    for world in worlds {
        let Some(agent) = world.join().unwrap() else { return };
        for line in agent.log().lines() {
            if let Some((before, after)) = line.split_once("event=\"") {
                let id = after.split('"').next().unwrap();
                is_of_the_table(before.trim_end(), id, line);
                seen.insert(id.to_owned());
            } else {
                // What is no line of the log: why it does not start.
                assert!(line.starts_with("svm-agent: "), "a line without a name: {line}");
            }
        }
        std::fs::remove_dir_all(&agent.folder).ok();
    }
    let table: BTreeSet<&str> =
        catalogue::ALL.iter().map(|line| line.id).chain(events::ALL.iter().map(|event| event.id)).collect();
    for event in &seen {
        assert!(table.contains(event.as_str()), "{event} is not in the table");
    }
    let in_systemd: BTreeSet<&str> = include_str!("../../systemd/lines.txt")
        .lines()
        .flat_map(|line| line.split_whitespace().skip(1))
        .collect();
    let by_others: BTreeSet<&str> = SEEN_BY.iter().flat_map(|(_, events)| *events).copied().collect();
    for (test, events) in SEEN_BY {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(test);
        let text = std::fs::read_to_string(file).unwrap();
        assert!(events.iter().all(|event| text.contains(event)), "{test} looks for none of {events:?}");
    }
    let unseen: Vec<_> = table
        .iter()
        .filter(|event| {
            !seen.contains(**event)
                && [&in_systemd, &by_others].iter().all(|named| !named.contains(**event))
                && **event != AFTER_AN_HOUR
        })
        .collect();
    assert!(unseen.is_empty(), "nothing writes {unseen:?}");
}

/// Holds a line that the program wrote to its row: level, text and fields.
fn is_of_the_table(before: &str, id: &str, line: &str) {
    let Some(message) = catalogue::ALL.iter().find(|message| message.id == id) else { return };
    let level = message.level.to_string();
    let (_, mut text) = before.split_once(&level).unwrap_or_else(|| panic!("{level} is the level of {line}"));
    text = text.trim_start();
    for literal in message.template.split(['{', '}']).step_by(2) {
        let at =
            text.find(literal).unwrap_or_else(|| panic!("{:?} is not the text of {line}", message.template));
        text = &text[at + literal.len()..];
    }
    assert!(message.template.ends_with('}') || text.is_empty(), "{line}");
    for (at, _) in line.match_indices("{") {
        assert!(!message.names().any(|name| line[at + 1..].starts_with(&format!("{name}}}"))), "{line}");
    }
    let optional = ["set_aside", "object", "slot", "invocation", "upto"];
    for field in message.fields.iter().filter(|field| !optional.contains(field)) {
        assert!(line.contains(&format!(" {field}=")), "{field} is missing: {line}");
    }
}

/// Part of `.ci/run --long`.
#[test]
fn what_was_counted_is_told_after_the_hour() {
    if std::env::var_os("SVM_TEST_LONG").is_some() {
        faults::an_hour();
    }
}

#[test]
fn as_json_each_line_has_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), at(FAR), 30);
    let agent = Agent::new(folder.path(), &vendor.trust(), "[log]\nformat = \"json\"\n");
    let mut program = agent.start_ready();
    assert!(program.terminate().success());
    for line in agent.log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            line["event"].is_string() && line["message"].is_string() && line["level"].is_string(),
            "{line}"
        );
    }
}
