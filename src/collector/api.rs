//! The reading part of the API: SVMs, events, health and metrics, as JSON and text.

use super::App;
use super::answer::{Json, Refusal};
use super::fleet::{Filter, SVM_SOURCE};
use super::store::{Event, Events};
use crate::subscription::DeviceStatus;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::sync::Arc;

/// Rows of one answer, where the question names no number, and at most.
const USUAL: u32 = 100;
const MOST: u32 = 1000;

/// What `/v1/svms` and the page are asked. A form sends empty fields: they ask nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FleetQuery {
    pub(super) status: String,
    pub(super) phase: String,
    pub(super) q: String,
    offset: Option<u32>,
    limit: Option<u32>,
    pub(super) page: Option<u32>,
}

impl FleetQuery {
    pub(crate) fn filter(&self) -> Result<Filter, Refusal> {
        let status = match self.status.as_str() {
            "" => None,
            "ok" => Some(DeviceStatus::Ok),
            "warning" => Some(DeviceStatus::Warning),
            "critical" => Some(DeviceStatus::Critical),
            _ => return Err(Refusal::Query { field: "status", problem: "is not ok, warning or critical" }),
        };
        let some = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
        if self.q.chars().count() > 200 || self.phase.chars().count() > 64 {
            return Err(Refusal::Query { field: "q or phase", problem: "is too long" });
        }
        Ok(Filter { status, phase: some(&self.phase), text: some(&self.q) })
    }
}

/// What the lists of events are asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EventsQuery {
    after: i64,
    before: Option<i64>,
    limit: Option<u32>,
    source: Option<String>,
    r#type: Option<String>,
    severity: Option<u8>,
}

pub(super) type Asked<T> = Result<Query<T>, QueryRejection>;

pub(super) fn asked<T>(query: Asked<T>) -> Result<T, Refusal> {
    query.map(|Query(query)| query).map_err(|error| Refusal::QueryText(error.body_text()))
}

fn limit(asked: Option<u32>) -> Result<u32, Refusal> {
    match asked.unwrap_or(USUAL) {
        limit @ 1..=MOST => Ok(limit),
        _ => Err(Refusal::Query { field: "limit", problem: "is not from 1 to 1000" }),
    }
}

pub(super) async fn svms(State(app): State<Arc<App>>, query: Asked<FleetQuery>) -> Result<Json, Refusal> {
    let query = asked(query)?;
    let silent_before = app.silent_before();
    let (limit, offset) = (limit(query.limit)?, query.offset.unwrap_or(0));
    let (svms, total) = app.store.svms(query.filter()?, silent_before, offset, limit).await?;
    let counts = app.store.counts(silent_before).await?;
    let svms: Vec<Value> = svms.iter().map(|kept| kept.svm.to_json(silent_before)).collect();
    Ok(Json(json!({"svms": svms, "total": total, "counts": counts})))
}

pub(super) async fn svm(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json, Refusal> {
    let kept = app.store.svm(id).await?.ok_or(Refusal::NotFound("such SVM"))?;
    let mut shown = kept.svm.to_json(app.silent_before());
    let report = kept.report.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("report".to_owned(), report.unwrap_or(Value::Null));
    }
    Ok(Json(shown))
}

pub(super) async fn svm_events(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Asked<EventsQuery>,
) -> Result<Response, Refusal> {
    let query = asked(query)?;
    if query.source.is_some() {
        return Err(Refusal::Query { field: "source", problem: "is already given by the path" });
    }
    app.store.svm(id.clone()).await?.ok_or(Refusal::NotFound("such SVM"))?;
    list(&app, EventsQuery { source: Some(format!("{SVM_SOURCE}{id}")), ..query }).await
}

pub(super) async fn events(
    State(app): State<Arc<App>>,
    query: Asked<EventsQuery>,
) -> Result<Response, Refusal> {
    list(&app, asked(query)?).await
}

async fn list(app: &App, query: EventsQuery) -> Result<Response, Refusal> {
    let asked = Events {
        source: query.source,
        kind: query.r#type,
        severity: query.severity,
        after: query.after,
        before: query.before,
        limit: limit(query.limit)?,
    };
    let full = asked.limit as usize;
    let events = app.store.events(asked).await?;
    let next = events.last().filter(|_| events.len() == full).map(|event| event.position);
    let events: Vec<String> = events.iter().map(to_json).collect();
    let text = format!("{{\"events\":[{}],\"next\":{}}}", events.join(","), json!(next));
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// An event as lists and live readers get it. The kept text goes through as it is.
pub(super) fn to_json(event: &Event) -> String {
    let text: &RawValue = match serde_json::from_str(&event.text) {
        Ok(text) => text,
        Err(_) => RawValue::NULL,
    };
    json_line(event.position, event.received_at, text)
}

fn json_line(position: i64, received_at: jiff::Timestamp, event: &RawValue) -> String {
    format!("{{\"position\":{position},\"received_at\":\"{received_at}\",\"event\":{event}}}")
}

pub(super) async fn health(State(app): State<Arc<App>>) -> Result<Json, Refusal> {
    app.store.answers().await?;
    Ok(Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")})))
}

pub(super) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    let counts = app.store.counts(app.silent_before()).await?;
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, app.metrics.text(counts)).into_response())
}
