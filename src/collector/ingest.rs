//! `POST /v1/events`: from a request to an answer that names what is on disk.
//!
//! Promises: who may not send is refused before the body is read; all bodies together, packed and unpacked, take
//! a bounded amount of memory until their events are kept; either every event of a request is valid or none is kept; ids are named only after the store said
//! that they are kept.

use super::App;
use super::answer::{Json, Refusal};
use super::coding::{self, Coding};
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
use tokio::sync::SemaphorePermit;

/// Bytes of a request's body, as it comes and unpacked.
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
    let coding = coding::coding(&head.headers)?;
    let patience = Duration::from_secs(app.settings.limits.body_timeout_seconds.into());
    let read = tokio::time::timeout(patience, read_body(app, &head.headers, body));
    let (body, mut room) = read.await.map_err(|_| Refusal::Slow)??;
    let body = match coding {
        Coding::Identity => body,
        Coding::Zstd => {
            let packed = body;
            let body = coding::unpack(&packed, MAX_BODY, |bytes| room.grow(app, packed.len() + bytes))?;
            drop(packed);
            room.shrink(body.len());
            body.into()
        }
    };
    let events = wire::read(mode, &head.headers, &body)?;
    // The events are about as large as the body, and take its room until they are kept.
    drop(body);
    if token.is_some()
        && let Some(first) = events.first()
        && let Some(position) = events.iter().position(|event| event.source != first.source)
    {
        return Err(Refusal::SeveralSources { position });
    }
    let outcome = app.store.ingest(Ingest { token, events, at: app.clock.now() }).await?;
    drop(room);
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

/// The part of the room for all bodies that one request has.
struct Room<'a>(SemaphorePermit<'a>);

impl<'a> Room<'a> {
    fn kibibytes(bytes: usize) -> usize {
        bytes.div_ceil(1024)
    }

    /// Waits until there is room for so many bytes.
    async fn wait(app: &'a App, bytes: usize) -> Result<Self, Refusal> {
        let wanted = u32::try_from(Self::kibibytes(bytes)).map_err(|_| Refusal::TooLarge)?;
        app.bodies.acquire_many(wanted).await.map(Self).map_err(|_| Refusal::Busy)
    }

    /// Takes more, up to so many bytes in all. It does not wait: requests that each have a part of the room and
    /// wait for more would wait for each other.
    fn grow(&mut self, app: &'a App, bytes: usize) -> Result<(), Refusal> {
        let missing = Self::kibibytes(bytes).saturating_sub(self.0.num_permits());
        let missing = u32::try_from(missing).map_err(|_| Refusal::TooLarge)?;
        self.0.merge(app.bodies.try_acquire_many(missing).map_err(|_| Refusal::Busy)?);
        Ok(())
    }

    /// Gives back what is above so many bytes.
    fn shrink(&mut self, bytes: usize) {
        drop(self.0.split(self.0.num_permits().saturating_sub(Self::kibibytes(bytes))));
    }
}

/// Reads the body within its bound, and first waits for room for it.
async fn read_body<'a>(
    app: &'a App,
    headers: &HeaderMap,
    body: Body,
) -> Result<(hyper::body::Bytes, Room<'a>), Refusal> {
    let told = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let length: usize = told.unwrap_or(MAX_BODY);
    if length > MAX_BODY {
        return Err(Refusal::TooLarge);
    }
    let mut room = Room::wait(app, length).await?;
    let body = Limited::new(body, MAX_BODY).collect().await.map_err(|error| {
        if error.downcast_ref::<LengthLimitError>().is_some() { Refusal::TooLarge } else { Refusal::Broken }
    })?;
    let body = body.to_bytes();
    room.shrink(body.len());
    Ok((body, room))
}
