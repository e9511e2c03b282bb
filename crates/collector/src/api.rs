//! The reading part of the API: SVMs, events, health and metrics, as JSON and text.

use super::answer::{Json, Refusal};
use super::app::App;
use super::fleet::{Filter, SVM_SOURCE, canonical_source};
use super::query::{Parameters, Query, number};
use super::store::{Event, Events, Svms, SvmsPage};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::sync::Arc;
use svm_core::subscription::DeviceStatus;

/// Rows of one answer, where the question names no number, and at most.
const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;
/// Keys in the metrics: the fullest ones.
const METRIC_KEYS: u32 = 1000;

/// Parameters of `/v1/svms` and of the page. A form sends empty fields: they filter nothing.
#[derive(Debug, Default)]
pub(crate) struct FleetQuery {
    pub(super) status: String,
    pub(super) phase: String,
    pub(super) q: String,
    offset: Option<u32>,
    limit: Option<u32>,
    pub(super) page: Option<u32>,
}

impl Parameters for FleetQuery {
    const NAMES: &'static [&'static str] = &["status", "phase", "q", "offset", "limit", "page"];

    fn set(&mut self, name: &str, value: String) -> Result<(), Refusal> {
        match name {
            "status" => self.status = value,
            "phase" => self.phase = value,
            "q" => self.q = value,
            "offset" => self.offset = Some(number("offset", &value)?),
            "limit" => self.limit = Some(number("limit", &value)?),
            _ => self.page = Some(number("page", &value)?),
        }
        Ok(())
    }
}

impl FleetQuery {
    pub(crate) fn filter(&self) -> Result<Filter, Refusal> {
        let status = match self.status.as_str() {
            "" => None,
            "ok" => Some(DeviceStatus::Ok),
            "warning" => Some(DeviceStatus::Warning),
            "critical" => Some(DeviceStatus::Critical),
            _ => return Err(Refusal::Query { field: "status", problem: "must be ok, warning or critical" }),
        };
        let some = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
        if self.q.chars().count() > 200 || self.phase.chars().count() > 64 {
            return Err(Refusal::Query { field: "q or phase", problem: "is too long" });
        }
        Ok(Filter { status, phase: some(&self.phase), text: some(&self.q) })
    }
}

/// Parameters of the lists of events.
#[derive(Debug, Default)]
pub(crate) struct EventsQuery {
    after: i64,
    before: Option<i64>,
    limit: Option<u32>,
    source: Option<String>,
    r#type: Option<String>,
    severity: Option<u8>,
}

impl Parameters for EventsQuery {
    const NAMES: &'static [&'static str] = &["after", "before", "limit", "source", "type", "severity"];

    fn set(&mut self, name: &str, value: String) -> Result<(), Refusal> {
        match name {
            "after" => self.after = number("after", &value)?,
            "before" => self.before = Some(number("before", &value)?),
            "limit" => self.limit = Some(number("limit", &value)?),
            "source" => self.source = Some(value),
            "type" => self.r#type = Some(value),
            _ => self.severity = Some(number("severity", &value)?),
        }
        Ok(())
    }
}

pub(super) type Named = Result<Path<String>, PathRejection>;

/// The id in a path. The path is decoded; one that is not UTF-8 then names no SVM.
pub(super) fn id(path: Named) -> Result<String, Refusal> {
    path.map(|Path(id)| id).map_err(|_| Refusal::NotFound("such SVM"))
}

fn limit(asked: Option<u32>) -> Result<u32, Refusal> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        _ => Err(Refusal::Query { field: "limit", problem: "must be 1 to 1000" }),
    }
}

pub(super) async fn svms(
    State(app): State<Arc<App>>,
    Query(query): Query<FleetQuery>,
) -> Result<Json, Refusal> {
    let silent_before = app.silent_before();
    let (limit, offset) = (limit(query.limit)?, query.offset.unwrap_or(0));
    let asked = Svms { filter: query.filter()?, silent_before, offset, limit };
    let SvmsPage { svms, total } = app.store.svms(asked).await?;
    let counts = app.store.counts(silent_before).await?;
    let next = u64::from(offset).saturating_add(svms.len() as u64);
    let next = (next < total && !svms.is_empty()).then_some(next);
    let svms: Vec<Value> = svms.iter().map(|stored| stored.svm.to_json(silent_before)).collect();
    Ok(Json(json!({"svms": svms, "total": total, "next": next, "counts": counts})))
}

pub(super) async fn svm(State(app): State<Arc<App>>, path: Named) -> Result<Json, Refusal> {
    let stored = app.store.svm(id(path)?).await?.ok_or(Refusal::NotFound("such SVM"))?;
    let mut shown = stored.svm.to_json(app.silent_before());
    if let Some(shown) = shown.as_object_mut() {
        let (at, sequence) =
            stored.report.as_ref().map(|report| (report.at, report.sequence.as_ref())).unzip();
        let report =
            stored.report.as_ref().and_then(|report| serde_json::from_str::<Value>(&report.text).ok());
        shown.insert("report".to_owned(), report.unwrap_or(Value::Null));
        shown.insert("report_at".to_owned(), json!(at.flatten()));
        shown.insert("report_sequence".to_owned(), json!(sequence.flatten()));
    }
    Ok(Json(shown))
}

/// Parameters of the list of keys.
#[derive(Debug, Default)]
pub(crate) struct KeysQuery {
    offset: u32,
    limit: Option<u32>,
}

impl Parameters for KeysQuery {
    const NAMES: &'static [&'static str] = &["offset", "limit"];

    fn set(&mut self, name: &str, value: String) -> Result<(), Refusal> {
        match name {
            "offset" => self.offset = number("offset", &value)?,
            _ => self.limit = Some(number("limit", &value)?),
        }
        Ok(())
    }
}

pub(super) async fn keys(
    State(app): State<Arc<App>>,
    Query(query): Query<KeysQuery>,
) -> Result<Json, Refusal> {
    let limit = limit(query.limit)?;
    let keys = app.store.keys(query.offset, limit).await?;
    let next = (keys.len() == limit as usize).then(|| query.offset.saturating_add(limit));
    let keys: Vec<Value> = keys.iter().map(|sum| sum.to_json()).collect();
    Ok(Json(json!({"keys": keys, "next": next})))
}

pub(super) async fn svm_events(
    State(app): State<Arc<App>>,
    path: Named,
    Query(query): Query<EventsQuery>,
) -> Result<Response, Refusal> {
    let id = id(path)?;
    if query.source.is_some() {
        return Err(Refusal::Query { field: "source", problem: "is already given by the path" });
    }
    let stored = app.store.svm(id).await?.ok_or(Refusal::NotFound("such SVM"))?;
    list(&app, EventsQuery { source: Some(format!("{SVM_SOURCE}{}", stored.svm.id)), ..query }).await
}

pub(super) async fn events(
    State(app): State<Arc<App>>,
    Query(query): Query<EventsQuery>,
) -> Result<Response, Refusal> {
    let source = query.source.as_deref().map(|source| canonical_source(source).into_owned());
    list(&app, EventsQuery { source, ..query }).await
}

async fn list(app: &App, query: EventsQuery) -> Result<Response, Refusal> {
    let asked = Events {
        source: query.source,
        kind: query.r#type,
        severity: query.severity,
        after: query.after,
        before: query.before,
        limit: limit(query.limit)?,
        ..Events::default()
    };
    let page = app.store.events(asked).await?;
    let mut text = String::from("{\"events\":[");
    for (n, event) in page.events.into_iter().enumerate() {
        text.push_str(if n == 0 { "" } else { "," });
        text.push_str(&to_json(&event));
    }
    text.push_str(&format!("],\"next\":{}}}", json!(page.next)));
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// An event as lists and live readers get it. The stored text goes through as it is.
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
    let keys = app.store.keys(0, METRIC_KEYS).await?;
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    let text = app.metrics.text(counts, &keys, app.store_limit());
    Ok((kind, text).into_response())
}
