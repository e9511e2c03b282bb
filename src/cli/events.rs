//! `svm-agent events`: the events of this SVM, and where each was sent.

use super::arguments::EventsCommand;
use super::client::typed;
use super::error::CliError;
use super::format;
use super::output::Out;
use crate::control::SocketKind;
use crate::control::client::ask;
use crate::storage::{EventRow, EventShown};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use svm_core::words::Language;

/// How often `tail` asks for new events.
const TAIL_EVERY: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
struct Events {
    events: Vec<EventRow>,
}

pub(super) async fn run(command: &EventsCommand, dir: &Path, out: &mut Out) -> Result<(), CliError> {
    match command {
        EventsCommand::List { limit, severity, waiting, quarantined, .. } => {
            let severity = *severity as u8;
            let query =
                format!("limit={limit}&severity={severity}&waiting={waiting}&quarantined={quarantined}");
            let newest = list(dir, &query, true, out).await?;
            if newest == 0 && !out.json() {
                out.line(match (waiting, quarantined) {
                    (true, false) => "No events are waiting.",
                    (false, true) => "No events are in quarantine.",
                    _ => "There are no such events.",
                })?;
            }
        }
        EventsCommand::Tail => {
            let mut last = list(dir, "limit=10", true, out).await?;
            loop {
                tokio::time::sleep(TAIL_EVERY).await;
                last = list(dir, &format!("limit=1000&after={last}"), false, out).await?.max(last);
            }
        }
        EventsCommand::Show { id, .. } => {
            let value: Value = ask(dir, SocketKind::Control, Method::GET, &path(id)?, None).await?;
            if out.json() {
                out.value(&value)?;
            } else {
                format::event_whole(out, &typed::<EventShown>(value)?)?;
            }
        }
        EventsCommand::Retry { id, .. } => {
            if let Some(id) = id {
                path(id)?;
            }
            let body = json!({"id": id});
            let value: Value =
                ask(dir, SocketKind::Control, Method::POST, "v1/events/retry", Some(&body)).await?;
            if out.json() {
                out.value(&value)?;
            } else {
                let again = value.get("again").and_then(Value::as_u64).unwrap_or_default();
                out.line(match again {
                    0 => "No events are in quarantine.".to_owned(),
                    1 => "1 event will be sent again.".to_owned(),
                    n => format!("{n} events will be sent again."),
                })?;
            }
        }
    }
    Ok(())
}

/// Prints events, newest last, below the names of their columns with `header`; gives the number of the newest, 0 if there
/// is none.
async fn list(dir: &Path, query: &str, header: bool, out: &mut Out) -> Result<i64, CliError> {
    // JSON is in English, as events are on the wire.
    let language = if out.json() { Language::English } else { out.language() };
    let path = format!("v1/events?{query}&lang={}", language.code());
    let mut found: Events = ask(dir, SocketKind::Control, Method::GET, &path, None).await?;
    found.events.reverse();
    if header && !out.json() && !found.events.is_empty() {
        out.line(format::EVENT_COLUMNS)?;
    }
    for event in &found.events {
        if out.json() { out.value(event)? } else { format::event(out, event)? }
    }
    Ok(found.events.last().map_or(0, |event| event.number))
}

fn path(id: &str) -> Result<String, CliError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if id.is_empty() || id.len() > 64 || !id.bytes().all(plain) {
        return Err(CliError::given(
            "unknown_event",
            "this is not the id of an event; svm-agent events list --json shows the ids",
        ));
    }
    Ok(format!("v1/events/{}", id.to_ascii_lowercase()))
}
