//! `POST /v1/events`: from a request to an answer that names what is on disk.
//!
//! Promises: all bodies together, packed and unpacked, take
//! a bounded amount of memory until their events are stored, and one token does not take all of it; either every event of a
//! request is valid or none is stored; ids are named only after the store said that they are stored.

use super::answer::{Json, Refusal};
use super::app::App;
use super::cloudevent::Event;
use super::coding::{self, Coding};
use super::store::{CommitSummary, Ingest, TokenHolder};
use super::stream::Peer;
use super::tokens::KnownToken;
use super::wire::{self, MAX_BODY};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use svm_core::text::clean;
use tokio::sync::SemaphorePermit;

/// Room that a body has before any of it came.
const FIRST_ROOM: usize = 64 * 1024;
/// How long a body waits for more room.
const ROOM_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) async fn post(State(app): State<Arc<App>>, request: Request) -> Response {
    match take(&app, request).await {
        Ok(response) => response,
        Err(refusal) => {
            tracing::debug!(refusal = %clean(&refusal.to_string()), "refused a request with events");
            refusal.into_response()
        }
    }
}

async fn take(app: &App, request: Request) -> Result<Response, Refusal> {
    let (mut head, body) = request.into_parts();
    // The guard of the table has judged the token. Without one nothing is taken where one is required.
    let token = head.extensions.remove::<KnownToken>();
    if app.tokens.is_some() && token.is_none() {
        return Err(Refusal::Unauthorised);
    }
    // A sender sends one body after the other: one token cannot take the room of all.
    let _part = match &token {
        Some(token) => Some(app.senders.take(token.hash.clone(), false).ok_or(Refusal::Busy)?),
        None => None,
    };
    let (events, room) = receive(app, &head, body).await?;
    if token.is_some()
        && let Some(first) = events.first()
        && let Some(position) = events.iter().position(|event| event.source != first.source)
    {
        return Err(Refusal::SeveralSources { position });
    }
    let token = token.zip(app.tokens.as_ref()).map(|(token, file)| TokenHolder {
        hash: token.hash,
        source: token.source,
        source_is_named: events.first().is_some_and(|event| file.names(&event.source)),
    });
    let summary = app.store.ingest(Ingest { token, events, at: app.clock.now() }).await?;
    drop(room);
    Ok(answer(&summary))
}

/// The events of a request, and the room that they take until they are stored.
async fn receive<'a>(app: &'a App, head: &Parts, body: Body) -> Result<(Vec<Event>, Room<'a>), Refusal> {
    let client = head.extensions.get::<Peer>().map(|peer| Arc::clone(&peer.connection));
    let reading = client.as_ref().inspect(|client| client.waits());
    let mode = wire::mode(&head.headers)?;
    let coding = coding::coding(&head.headers)?;
    let body_timeout = Duration::from_secs(app.settings.limits.body_timeout_seconds.into());
    let read = tokio::time::timeout(body_timeout, read_body(app, &head.headers, body));
    let (body, mut room) = read.await.map_err(|_| Refusal::Slow)??;
    if let Some(client) = reading {
        client.works();
    }
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
    // The events are about as large as the body, and take its room.
    Ok((wire::read(mode, &head.headers, &body)?, room))
}

/// The answer that names what is on disk.
fn answer(summary: &CommitSummary) -> Response {
    let mut answer = json!({"kept": summary.kept, "conflicts": summary.conflicts});
    if !summary.kept.is_empty() || summary.conflicts.is_empty() {
        return Json(answer).into_response();
    }
    if let Some(answer) = answer.as_object_mut() {
        answer.insert(
            "error".to_owned(),
            json!({"code": "sequence_conflict",
                "message": "no event was stored: their sequence numbers belong to other events of this source, or are far \
                    above its highest number"}),
        );
    }
    (StatusCode::CONFLICT, Json(answer)).into_response()
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

    /// Takes more for a body that has so many bytes by now, and waits for it a while: requests that each have a part of
    /// the room and wait for more might wait for each other.
    async fn reach(&mut self, app: &'a App, bytes: usize) -> Result<(), Refusal> {
        let held = self.0.num_permits();
        if Self::kibibytes(bytes) <= held {
            return Ok(());
        }
        // Doubled, so that a large body asks a few times only.
        let wanted = Self::kibibytes(bytes).max((held * 2).min(Self::kibibytes(MAX_BODY)));
        let missing = u32::try_from(wanted - held).map_err(|_| Refusal::TooLarge)?;
        let more = tokio::time::timeout(ROOM_TIMEOUT, app.bodies.acquire_many(missing)).await;
        self.0.merge(more.map_err(|_| Refusal::Busy)?.map_err(|_| Refusal::Busy)?);
        Ok(())
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

/// Reads the body within its bound. It takes room as it comes: what is only promised holds back nobody.
async fn read_body<'a>(
    app: &'a App,
    headers: &HeaderMap,
    mut body: Body,
) -> Result<(hyper::body::Bytes, Room<'a>), Refusal> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let length: usize = declared.unwrap_or(FIRST_ROOM);
    if length > MAX_BODY {
        return Err(Refusal::TooLarge);
    }
    let mut room = Room::wait(app, length.min(FIRST_ROOM)).await?;
    let mut bytes = Vec::with_capacity(length);
    while let Some(frame) = body.frame().await {
        let Ok(part) = frame.map_err(|_| Refusal::Broken)?.into_data() else { continue };
        let size = bytes.len().saturating_add(part.len());
        if size > MAX_BODY {
            return Err(Refusal::TooLarge);
        }
        room.reach(app, size).await?;
        bytes.extend_from_slice(&part);
    }
    room.shrink(bytes.len());
    Ok((bytes.into(), room))
}
