//! `POST /v1/events`: from a request to an answer that names what is on disk.
//!
//! Promises: who may not send is refused before the body is read; all bodies together take a bounded amount of
//! memory; either every event of a request is valid or none is kept; ids are named only after the store said
//! that they are kept.

use super::App;
use super::answer::{Json, Refusal};
use super::store::Ingest;
use super::wire;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Bytes of a request's body.
pub(super) const MAX_BODY: usize = 4 * 1024 * 1024;

pub(super) async fn post(State(app): State<Arc<App>>, request: Request) -> Response {
    match take(&app, request).await {
        Ok(response) => response,
        Err(refusal) => {
            tracing::debug!(%refusal, "a request with events was refused");
            let response = refusal.into_response();
            match response.status() {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => &app.metrics.unauthorised,
                StatusCode::SERVICE_UNAVAILABLE => &app.metrics.unavailable,
                _ => &app.metrics.refused,
            }
            .fetch_add(1, Relaxed);
            response
        }
    }
}

async fn take(app: &App, request: Request) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    let token = match &app.tokens {
        Some(tokens) => Some(tokens.known(&head.headers).ok_or(Refusal::Unauthorised)?),
        None => None,
    };
    let mode = wire::mode(&head.headers)?;
    if let Some(encoding) = head.headers.get(header::CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(Refusal::Encoding(encoding.to_str().unwrap_or("?").chars().take(32).collect()));
    }
    let events = {
        let patience = Duration::from_secs(app.settings.limits.body_timeout_seconds.into());
        let read = tokio::time::timeout(patience, read_body(app, &head.headers, body));
        let (body, _room) = read.await.map_err(|_| Refusal::Slow)??;
        wire::read(mode, &head.headers, &body)?
    };
    if token.is_some()
        && let Some(first) = events.first()
        && let Some(position) = events.iter().position(|event| event.source != first.source)
    {
        return Err(Refusal::SeveralSources { position });
    }
    let outcome = app.store.ingest(Ingest { token, events, at: app.clock.now() }).await?;
    let refused = outcome.kept.is_empty() && !outcome.conflicts.is_empty();
    if refused {
        app.metrics.refused.fetch_add(1, Relaxed);
    }
    let status = if refused { StatusCode::CONFLICT } else { StatusCode::OK };
    let mut answer = json!({"kept": outcome.kept, "conflicts": outcome.conflicts});
    if let (true, Some(answer)) = (refused, answer.as_object_mut()) {
        answer.insert(
            "error".to_owned(),
            json!({"code": "sequence_conflict",
                "message": "the sequence numbers of all events belong to other events of this source"}),
        );
    }
    Ok((status, Json(answer)).into_response())
}

/// Reads the body within its bound, and first waits for room for it.
async fn read_body<'a>(
    app: &'a App,
    headers: &HeaderMap,
    body: Body,
) -> Result<(hyper::body::Bytes, tokio::sync::SemaphorePermit<'a>), Refusal> {
    let told = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let length: usize = told.unwrap_or(MAX_BODY);
    if length > MAX_BODY {
        return Err(Refusal::TooLarge);
    }
    let kibibytes = u32::try_from(length.div_ceil(1024)).unwrap_or(u32::MAX);
    let room = app.bodies.acquire_many(kibibytes).await.map_err(|_| Refusal::Busy)?;
    let body = Limited::new(body, MAX_BODY).collect().await.map_err(|error| {
        if error.downcast_ref::<LengthLimitError>().is_some() { Refusal::TooLarge } else { Refusal::Broken }
    })?;
    Ok((body.to_bytes(), room))
}
