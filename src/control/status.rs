//! What only reads: the status and its parts, and what is to come.

use super::fault::Fault;
use super::query::pairs;
use super::request::{Answer, Call};
use crate::forecast;
use crate::identity::{Why, of_this_machine};
use hyper::StatusCode;
use jiff::Timestamp;
use serde_json::json;
use svm_core::subscription::read_instant;

pub(super) async fn show(call: Call<'_>) -> Result<Answer, Fault> {
    Ok(json!(call.api.status.status().await).into())
}

pub(super) async fn updates(call: Call<'_>) -> Result<Answer, Fault> {
    Ok(json!(call.api.status.context.health.updates().clone()).into())
}

pub(super) async fn clock(call: Call<'_>) -> Result<Answer, Fault> {
    Ok(json!(call.api.status.context.clock.status()).into())
}

/// The id, and whether this machine is the one to which it is bound.
pub(super) async fn identity(call: Call<'_>) -> Result<Answer, Fault> {
    let api = call.api;
    let machine = of_this_machine(&api.settings.identity, &api.settings.runtime_dir);
    let differs = api.bond.binding.differs(&machine);
    Ok(json!({
        "id": &*api.status.id,
        "since": api.bond.since,
        "instance": &api.status.context.engine.snapshot.borrow().instance,
        "bound_to": api.bond.binding.names(),
        "seen_now": machine.names(),
        "differs": differs.map(Why::as_str),
    })
    .into())
}

/// What time alone will bring; a year ahead where no end is given.
pub(super) async fn forecast(call: Call<'_>) -> Result<Answer, Fault> {
    let (api, until) = (call.api, until(call.query)?);
    let state = api.status.context.engine.snapshot.borrow().state.as_ref().clone();
    let rows = forecast::forecast(state, &api.settings.rules, api.status.context.clock.now(), until);
    Ok(json!(rows.map_err(|e| Fault::new(StatusCode::BAD_REQUEST, "bad_instant", e.to_string()))?).into())
}

pub(crate) fn until(query: &str) -> Result<Option<Timestamp>, Fault> {
    let bad = |code: &str, message: String| Fault::new(StatusCode::BAD_REQUEST, code, message);
    let mut until = None;
    for pair in pairs(query) {
        match (pair.0.as_str(), pair.1) {
            ("until", Some(text)) if until.is_none() => {
                let instant = read_instant(&text);
                until = Some(instant.map_err(|error| bad("bad_instant", format!("until: {error}")))?);
            }
            _ => return Err(bad("bad_request", "the query accepts only until=INSTANT".to_owned())),
        }
    }
    Ok(until)
}
