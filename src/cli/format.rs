//! How facts look to a person, one at a time: instants, keys, clocks, databases, events.

use super::output::Out;
use crate::health::{Outdated, UpdatesHealth};
use crate::storage::{EventRow, EventShown, Place};
use jiff::Timestamp;
use serde_json::Value;
use std::io;
use svm_core::clock::ClockStatus;
use svm_core::words::{Language, times};

pub(super) fn instant(at: Timestamp) -> String {
    times::instant(at, Language::English)
}

pub(super) fn or_none(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "never".to_owned(), instant)
}

/// Whether the system clock is trusted, in half a sentence.
pub(super) fn suspicion(status: &ClockStatus) -> String {
    let Some(suspicion) = &status.suspicion else { return "trusted".to_owned() };
    match (suspicion.ahead, status.obeyed_at) {
        (false, _) => "not trusted: it is behind the time that is known".to_owned(),
        (true, Some(at)) => {
            format!(
                "not trusted: it jumped far ahead, and nothing explains that; it is trusted from {} on if it \
                 still shows the same",
                instant(at)
            )
        }
        (true, None) => "not trusted: it is far ahead of the clock of the provider's server".to_owned(),
    }
}

pub(super) fn databases(updates: &UpdatesHealth) -> String {
    let age = match updates.outdated {
        Outdated::None => "",
        Outdated::Warning => ", old",
        Outdated::Critical => ", TOO OLD",
    };
    updates.databases_of.map_or_else(|| "age unknown".to_owned(), |of| format!("of {}{age}", instant(of)))
}

/// What stands above a list of events.
pub(super) const EVENT_COLUMNS: &str = "Time (UTC)           Severity  Event";

fn severity(event: &EventRow) -> &'static str {
    ["?", "info", "WARNING", "FAILURE", "CRITICAL"].get(usize::from(event.severity)).copied().unwrap_or("?")
}

/// An event of the history, in one line.
pub(super) fn event(out: &mut Out, event: &EventRow) -> io::Result<()> {
    let time = event.time.parse::<Timestamp>();
    let time = time.map_or_else(|_| event.time.clone(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string());
    let place = |what: &str, names: &[String]| match names {
        [] => String::new(),
        names => format!(" [{what} {}]", names.join(", ")),
    };
    let places = place("waits for", &event.waiting_for) + &place("refused by", &event.quarantined_by);
    let state = match (event.quarantined_by.is_empty(), event.waiting_for.is_empty()) {
        (false, _) => " [refused]",
        (true, false) => " [waiting]",
        (true, true) => "",
    };
    out.cut(&format!("{time:<19}  {:<8}  {}", severity(event), event.description), &places, state)
}

/// An event with all its data.
pub(super) fn event_whole(out: &mut Out, shown: &EventShown) -> io::Result<()> {
    let EventRow { id, time, r#type, description, .. } = &shown.row;
    let language = out.language();
    let data = shown.event.get("data").filter(|_| language != Language::English);
    let translated =
        data.and_then(|data| svm_core::events::sentence(r#type, data, time.parse().ok()?, language));
    for (name, text) in [
        ("Event", translated.as_deref().unwrap_or(description)),
        ("Time", time),
        ("Severity", severity(&shown.row)),
        ("Type", r#type),
        ("Id", id),
    ] {
        out.row(name, text)?;
    }
    for Place { destination, sequence, state, code, answer, refused_at } in &shown.places {
        let why = match (code, answer, refused_at) {
            (Some(code), Some(answer), Some(at)) => format!(" at {at}: {code}: {answer}"),
            _ => String::new(),
        };
        out.row("Destination", &format!("{destination}, number {sequence}: {state}{why}"))?;
    }
    out.line("")?;
    // Each line alone: in one line, a line end counts as hostile.
    serde_json::to_string_pretty(&shown.event)?.lines().try_for_each(|line| out.line(line))
}

/// The events of an answer, a sentence each; answers how many.
pub(super) fn happened(answer: &Value, out: &mut Out) -> io::Result<usize> {
    let events = answer.get("events").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for event in events {
        out.wrapped("", &sentence(event, out.language()))?;
    }
    Ok(events.len())
}

/// The sentence of an event of an answer or a forecast. It came in English; in other languages it follows from the fields.
pub(super) fn sentence(event: &Value, language: Language) -> String {
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    let translated = text("type").filter(|_| language != Language::English);
    let now = svm_core::clock::Clock::system().now();
    let translated = translated.and_then(|name| svm_core::events::sentence(name, event, now, language));
    translated.or_else(|| text("description").map(str::to_owned)).unwrap_or_default()
}
