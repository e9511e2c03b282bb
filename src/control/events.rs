//! The events that are stored, and sending again what a destination refused.

use super::fault::Fault;
use super::query::pairs;
use super::request::{Answer, Call, read};
use crate::storage::{EventRow, Listing};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use svm_core::words::Language;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retry {
    id: Option<String>,
}

pub(super) async fn list(call: Call<'_>) -> Result<Answer, Fault> {
    let (listing, language) = listing(call.query)?;
    let mut events = call.api.status.context.store.events(listing).await?;
    if language != Language::English {
        events.iter_mut().for_each(|event| translate(event, language));
    }
    Ok(json!({ "events": events }).into())
}

/// Puts an event's sentence into a language. One that only another version knows stays as it was stored.
fn translate(event: &mut EventRow, language: Language) {
    let whole: Option<Value> = event.body.as_deref().and_then(|body| serde_json::from_str(body).ok());
    let sentence = whole.and_then(|whole| {
        let time = event.time.parse().ok()?;
        svm_core::events::sentence(&event.r#type, whole.get("data")?, time, language)
    });
    if let Some(sentence) = sentence {
        event.description = sentence;
    }
}

/// Which events a query asks for, and in which language.
pub(crate) fn listing(query: &str) -> Result<(Listing, Language), Fault> {
    let mut listing = Listing { most: 50, ..Listing::default() };
    let mut language = Language::English;
    for (name, value) in pairs(query) {
        let wrong = || {
            let message = "the query takes before=NUMBER, after=NUMBER, limit=1 to 1000, severity=1 to 4, waiting=true, quarantined=true, and lang=en or lang=ru";
            Fault::new(StatusCode::BAD_REQUEST, "bad_request", message)
        };
        let value = value.ok_or_else(wrong)?;
        match (name.as_str(), value) {
            ("before", number) => listing.before = Some(number.parse().map_err(|_| wrong())?),
            ("after", number) => listing.after = number.parse().map_err(|_| wrong())?,
            ("limit", number) => {
                listing.most = number.parse().ok().filter(|n| (1..=1000).contains(n)).ok_or_else(wrong)?;
            }
            ("severity", number) => {
                listing.least = number.parse().ok().filter(|n| (1..=4).contains(n)).ok_or_else(wrong)?;
            }
            ("waiting", only) => listing.waiting = only.parse().map_err(|_| wrong())?,
            ("lang", code) => {
                language = Language::from_code(&code).ok_or_else(wrong)?;
                listing.with_body = language != Language::English;
            }
            ("quarantined", only) => listing.quarantined = only.parse().map_err(|_| wrong())?,
            _ => return Err(wrong()),
        }
    }
    Ok((listing, language))
}

pub(super) async fn show(call: Call<'_>) -> Result<Answer, Fault> {
    let gone = "this SVM has no event with this id; svm-agent events list --json shows the ids";
    let found = call.api.status.context.store.event(&call.part.to_lowercase()).await?;
    found
        .map(|event| json!(event).into())
        .ok_or_else(|| Fault::new(StatusCode::NOT_FOUND, "unknown_event", gone))
}

/// Sends quarantined events again: that of one id, or all.
pub(super) async fn retry(call: Call<'_>) -> Result<Answer, Fault> {
    let Call { api, body, .. } = call;
    let Retry { id } = read(body).await?;
    let id = id.map(|id| id.to_lowercase());
    let one = id.is_some();
    let again = api.status.context.store.requeue(id).await?;
    if one && again == 0 {
        let none = "no event with this id is in quarantine; svm-agent events list --quarantined --json shows the ids";
        return Err(Fault::new(StatusCode::NOT_FOUND, "not_quarantined", none));
    }
    api.status.context.engine.check_outbox();
    Ok(json!({"again": again}).into())
}
