//! How facts look to a person, one at a time: instants, keys, clocks, databases, events.

use super::output::Out;
use crate::health::{Outdated, UpdatesHealth};
use crate::outage::Outage;
use crate::status::KeyStatus;
use crate::storage::{EventRow, EventShown, Place};
use jiff::Timestamp;
use serde_json::Value;
use std::io;
use svm_core::clock::ClockStatus;
use svm_core::subscription::Role;

pub(super) fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

pub(super) fn or_none(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "never".to_owned(), instant)
}

pub(super) fn failing(outage: Option<&Outage>) -> String {
    outage.map_or_else(String::new, |o| {
        format!("; failing since {} ({} times): {}", instant(o.since), o.times, o.message)
    })
}

pub(super) fn dates(key: &KeyStatus) -> String {
    let mut parts = Vec::new();
    match (key.ends_at, key.paid_until) {
        (Some(end), _) => parts.push(format!("ends {}", instant(end))),
        (None, Some(paid)) => parts.push(format!("paid until {}", instant(paid))),
        (None, None) if key.role == Role::Reserve => {
            parts.push("its period counts from when it takes over".to_owned())
        }
        (None, None) => parts.push("without an end date".to_owned()),
    }
    parts.extend(key.grace_ends_at.map(|end| format!("grace until {}", instant(end))));
    parts.join(", ")
}

/// Whether the clock is gone by, in half a sentence.
pub(super) fn suspicion(status: &ClockStatus) -> String {
    let Some(suspicion) = &status.suspicion else { return "and is gone by".to_owned() };
    match (suspicion.ahead, status.obeyed_at) {
        (false, _) => "behind of what is known: it is not gone by".to_owned(),
        (true, Some(at)) => {
            format!(
                "far ahead, and nothing explains that: it is gone by if it still says so at {}",
                instant(at)
            )
        }
        (true, None) => "far ahead, and the vendor's host says otherwise: it is not gone by".to_owned(),
    }
}

pub(super) fn databases(updates: &UpdatesHealth) -> String {
    let age = match updates.outdated {
        Outdated::None => "",
        Outdated::Warning => ", which is old",
        Outdated::Critical => ", which is TOO OLD",
    };
    updates
        .databases_of
        .map_or_else(|| "of an unknown time".to_owned(), |of| format!("of {}{age}", instant(of)))
}

/// One row for the whole status.
pub(super) fn in_short(updates: &UpdatesHealth) -> String {
    let next = match (updates.running_since, updates.next_run_at) {
        (Some(since), _) => format!("; an update runs since {}", instant(since)),
        (None, Some(next)) => format!("; next update {}", instant(next)),
        (None, None) => String::new(),
    };
    let failed = updates.last_failed.as_ref().filter(|failed| Some(failed.at) > updates.last_succeeded_at);
    let failed =
        failed.map(|failed| format!("; the last update failed: {}", failed.message)).unwrap_or_default();
    format!("{}{next}{failed}", databases(updates))
}

/// An event that is kept.
pub(super) fn event(out: &mut Out, event: &EventRow) -> io::Result<()> {
    let severity = ["?", "info", "WARNING", "FAILURE", "CRITICAL"]
        .get(usize::from(event.severity))
        .copied()
        .unwrap_or("?");
    let place = |what: &str, names: &[String]| match names {
        [] => String::new(),
        names => format!("  [{what} {}]", names.join(", ")),
    };
    let places = place("waits for", &event.waiting_for) + &place("refused by", &event.quarantined_by);
    out.line(format!(
        "{:<27}  {severity:<8}  {:<32}  {}{places}",
        event.time, event.r#type, event.description
    ))
}

/// An event with all that is known of it.
pub(super) fn event_whole(out: &mut Out, shown: &EventShown) -> io::Result<()> {
    event(out, &shown.row)?;
    out.line(format!("id {}", shown.row.id))?;
    for Place { destination, sequence, state, code, answer, refused_at } in &shown.places {
        let why = match (code, answer, refused_at) {
            (Some(code), Some(answer), Some(at)) => format!(", refused at {at}: {code}: {answer}"),
            _ => String::new(),
        };
        out.line(format!("{state} at {destination} as number {sequence}{why}"))?;
    }
    // Each line on its own: in a line, what ends one is taken for hostile.
    serde_json::to_string_pretty(&shown.event)?.lines().try_for_each(|line| out.line(line))
}

/// The events of an answer, a sentence each; answers how many.
pub(super) fn happened(answer: &Value, out: &mut Out) -> io::Result<usize> {
    let events = answer.get("events").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for event in events {
        out.line(event.get("description").and_then(Value::as_str).unwrap_or_default())?;
    }
    Ok(events.len())
}
