//! `svm-agent events`: what happened here, and where each event is on its way.

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

/// So often `tail` looks for something new.
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
            list(dir, &query, out).await?;
        }
        EventsCommand::Tail => {
            let mut last = list(dir, "limit=10", out).await?;
            loop {
                tokio::time::sleep(TAIL_EVERY).await;
                last = list(dir, &format!("limit=1000&after={last}"), out).await?.max(last);
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
                    0 => "nothing is in quarantine".to_owned(),
                    1 => "1 event is sent again".to_owned(),
                    n => format!("{n} events are sent again"),
                })?;
            }
        }
    }
    Ok(())
}

/// Prints events, newest last; answers the number of the newest, 0 where there is none.
async fn list(dir: &Path, query: &str, out: &mut Out) -> Result<i64, CliError> {
    let path = format!("v1/events?{query}");
    let mut found: Events = ask(dir, SocketKind::Control, Method::GET, &path, None).await?;
    found.events.reverse();
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
            "this is no id of an event; `svm-agent events list --json` shows them",
        ));
    }
    Ok(format!("v1/events/{}", id.to_ascii_lowercase()))
}
