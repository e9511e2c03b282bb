//! What a kept event says, as plain words for either format.
//!
//! Pure and total: a body of any kind gives facts, and nothing that stands in it is left out. How the words are
//! escaped and cut is the formats' own matter.

use jiff::Timestamp;
use serde_json::{Map, Value};
use svm_core::sequence::format_sequence;
use svm_core::text::is_deceptive;

/// An event that waits, and its place in the order of the destination.
#[derive(Clone, Copy, Debug)]
pub struct QueuedEvent<'a> {
    /// Its number at this destination.
    pub sequence: u64,
    /// The first of the numbers right before it that will never come, where there are such.
    pub skipped_from: Option<u64>,
    /// The CloudEvent, with or without `sequence`.
    pub body: &'a str,
}

/// Members of `data` that have a place of their own; what else is there are the event's own fields.
const COMMON: &[&str] = &[
    "severity",
    "event_type_display_name",
    "description",
    "hostname",
    "product_name",
    "product_version",
    "device_status",
    "device_status_reasons",
    "phase",
    "phase_cause",
    "snapshot",
    "effective_at",
];

/// Attributes that say nothing of one event, or have a place of their own.
const ATTRIBUTES: &[&str] =
    &["specversion", "datacontenttype", "data", "id", "source", "type", "time", "subject", "sequence"];

pub(super) struct Facts {
    pub(super) time: Option<Timestamp>,
    /// 1 to 4.
    pub(super) severity: u8,
    pub(super) type_name: String,
    pub(super) display_name: String,
    pub(super) description: String,
    pub(super) hostname: String,
    pub(super) product: String,
    pub(super) version: String,
    /// The event's own fields as `name=value`, by name.
    pub(super) parameters: Vec<String>,
    /// Everything else, by name, in the order of `docs/reference/syslog.md`.
    pub(super) others: Vec<(String, String)>,
}

impl Facts {
    pub(super) fn of(stored: QueuedEvent<'_>) -> Self {
        let mut event: Map<String, Value> = match serde_json::from_str(stored.body) {
            Ok(Value::Object(event)) => event,
            // It can only come of a damaged store, and must not stand in the way of those behind it.
            _ => [("body".to_owned(), Value::from(stored.body))].into_iter().collect(),
        };
        let data = match event.remove("data") {
            Some(Value::Object(data)) => data,
            Some(other) => [("data".to_owned(), other)].into_iter().collect(),
            None => Map::new(),
        };
        let of = |map: &Map<String, Value>, name: &str| map.get(name).map(words).unwrap_or_default();
        let mut others = Vec::new();
        let mut put = |name: &str, value: String| {
            if !value.is_empty() {
                others.push((name.to_owned(), value));
            }
        };
        put("id", of(&event, "id"));
        put("source", of(&event, "source"));
        put("sequence", format_sequence(stored.sequence));
        put("skipped_from", stored.skipped_from.map(format_sequence).unwrap_or_default());
        for name in
            ["severity", "effective_at", "phase", "phase_cause", "device_status", "device_status_reasons"]
        {
            put(name, of(&data, name));
        }
        put("subject", of(&event, "subject"));
        put("product", of(&data, "product_name"));
        put("product_version", of(&data, "product_version"));
        match data.get("snapshot") {
            Some(Value::Object(snapshot)) => {
                for (name, value) in in_order(snapshot, &[]) {
                    put(&format!("snapshot.{name}"), words(value));
                }
            }
            Some(other) => put("snapshot", words(other)),
            None => {}
        }
        let time = of(&event, "time");
        let text: Option<Timestamp> = time.parse().ok();
        if text.is_none() {
            put("time", time);
        }
        for (name, value) in in_order(&event, ATTRIBUTES) {
            put(name, words(value));
        }
        let severity = data.get("severity").and_then(Value::as_u64).and_then(|n| u8::try_from(n).ok());
        Self {
            time: text,
            severity: severity.filter(|n| (1..=4).contains(n)).unwrap_or(3),
            type_name: of(&event, "type"),
            display_name: of(&data, "event_type_display_name"),
            description: of(&data, "description"),
            hostname: of(&data, "hostname"),
            product: of(&data, "product_name"),
            version: of(&data, "product_version"),
            parameters: in_order(&data, COMMON)
                .into_iter()
                .map(|(name, value)| format!("{name}={}", words(value)))
                .collect(),
            others,
        }
    }
}

/// By name, so that the order is the same whatever the JSON library does.
fn in_order<'a>(map: &'a Map<String, Value>, without: &[&str]) -> Vec<(&'a String, &'a Value)> {
    let mut members: Vec<_> = map.iter().filter(|(name, _)| !without.contains(&name.as_str())).collect();
    members.sort_by_key(|(name, _)| *name);
    members
}

/// A value in words: text as it is, nothing for `null`, a list of plain words with commas, and JSON for the rest.
fn words(value: &Value) -> String {
    let plain = |word: &Value| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
        word.as_str().filter(|word| !word.is_empty() && word.chars().all(plain)).map(str::to_owned)
    };
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list
            .iter()
            .map(plain)
            .collect::<Option<Vec<String>>>()
            .map_or_else(|| value.to_string(), |words| words.join(",")),
        other => other.to_string(),
    }
}

/// Characters that may not reach a line of text: they could end the line, or make it look like another one.
pub(super) fn clean(c: char) -> char {
    if is_deceptive(c) { char::REPLACEMENT_CHARACTER } else { c }
}

/// The beginning of a text in which `put` writes each character, as far as `most` bytes go; whether all of it.
pub(super) fn fitted(text: &str, most: usize, put: impl Fn(&mut String, char)) -> (String, bool) {
    let mut out = String::new();
    for c in text.chars() {
        let before = out.len();
        put(&mut out, c);
        if out.len() > most {
            out.truncate(before);
            return (out, false);
        }
    }
    (out, true)
}

/// Where what does not fit is written down, for the receiver to see.
#[derive(Default)]
pub(super) struct Cut(Vec<String>);

impl Cut {
    /// What the names of all that was cut may take, in bytes.
    pub(super) const MOST: usize = 200;

    pub(super) fn note(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    /// The names, with a space between two; `None` where nothing was cut.
    pub(super) fn text(&self) -> Option<String> {
        let names = self.0.join(" ");
        (!names.is_empty()).then(|| match fitted(&names, Self::MOST - 10, String::push) {
            (names, true) => names,
            (names, false) => format!("{names} more"),
        })
    }
}
