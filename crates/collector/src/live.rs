//! `GET /v1/live`: events as they are stored, as server-sent events.
//!
//! Promises: every event in its order, from `Last-Event-ID` on, none left out. A reader is served from the
//! store, so that nothing is buffered for it but two pieces of bounded size on their way; one that takes nothing for the
//! write timeout is cut, and comes back with its `Last-Event-ID`. One address does not take all places.

use super::answer::Refusal;
use super::api;
use super::app::App;
use super::connections::Owner;
use super::fleet::canonical_source;
use super::metrics::Gauge;
use super::query::{Parameters, Query, number};
use super::shutdown::closed;
use super::store::{Events, StoreError};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};
use http_body_util::channel::{Channel, Sender};
use hyper::body::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Events read at once for one reader, and the bytes of their texts. An event may be larger than a piece, and is one then.
const PIECE: u32 = 50;
const PIECE_BYTES: usize = 64 * 1024;
/// Pieces on their way to one reader.
const PIECES: usize = 1;
/// A comment after this much silence keeps proxies from closing the connection.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// After this a reader asks again when the store was busy.
const BUSY_INTERVAL: Duration = Duration::from_millis(500);

/// Parameters of the stream.
#[derive(Debug, Default)]
pub(super) struct LiveQuery {
    source: Option<String>,
    after: Option<i64>,
}

impl Parameters for LiveQuery {
    const NAMES: &'static [&'static str] = &["source", "after"];

    fn set(&mut self, name: &str, value: String) -> Result<(), Refusal> {
        match name {
            "source" => self.source = Some(value),
            _ => self.after = Some(number("after", &value)?),
        }
        Ok(())
    }
}

/// Why a reader's stream ends early.
#[derive(Debug, thiserror::Error)]
#[error("the reader took nothing for too long")]
pub(super) struct Cut;

pub(super) async fn get(
    State(app): State<Arc<App>>,
    Extension(Owner(owner)): Extension<Owner>,
    headers: HeaderMap,
    Query(query): Query<LiveQuery>,
) -> Result<Response, Refusal> {
    let source = query.source.map(|source| canonical_source(&source).into_owned());
    let place = app.live.take(owner, false).ok_or(Refusal::Busy)?;
    let last_id = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let after = last_id.or(query.after).unwrap_or_else(|| *app.store.latest().borrow());
    let (sender, body) = Channel::<Bytes, Cut>::new(PIECES);
    tokio::spawn(async move {
        let _gauge = Gauge::up(&app.metrics, |metrics| &metrics.live_readers);
        feed(&app, sender, after, source).await;
        drop(place);
    });
    let kind = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // nginx, and some proxies after it, would hold pieces back until there are enough of them.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((kind, Body::new(body)).into_response())
}

/// Feeds one reader until it is gone, is cut, or the collector stops.
async fn feed(app: &App, mut sender: Sender<Bytes, Cut>, mut after: i64, source: Option<String>) {
    let write_timeout = Duration::from_secs(app.settings.limits.write_timeout_seconds.into());
    let (mut latest, mut closing) = (app.store.latest(), app.closing.clone());
    let mut piece = "retry: 3000\n\n".to_owned();
    loop {
        if !piece.is_empty() {
            match tokio::time::timeout(write_timeout, sender.send_data(std::mem::take(&mut piece).into()))
                .await
            {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => {
                    app.metrics.live_cut.fetch_add(1, Relaxed);
                    sender.abort(Cut);
                    return;
                }
            }
        }
        // Marked as seen before looking, so that what is kept meanwhile wakes this reader again.
        let until = *latest.borrow_and_update();
        let asked =
            Events { source: source.clone(), after, limit: PIECE, bytes: PIECE_BYTES, ..Events::default() };
        let page = match app.store.piece(asked).await {
            Ok(page) => page,
            // Many read at once: this one waits its turn.
            Err(StoreError::Busy | StoreError::TooLong) => {
                tokio::time::sleep(BUSY_INTERVAL).await;
                continue;
            }
            Err(_) => return,
        };
        piece = page
            .events
            .iter()
            .map(|event| format!("id: {}\ndata: {}\n\n", event.position, api::to_json(event)))
            .collect();
        match page.events.last() {
            Some(last) => after = last.position,
            None => {
                // Nothing of this source up to here: the next look need not pass over it again.
                after = after.max(until);
                tokio::select! {
                    changed = latest.changed() => if changed.is_err() { return },
                    () = closed(&mut closing) => return,
                    () = tokio::time::sleep(KEEP_ALIVE_INTERVAL) => piece = ":\n\n".to_owned(),
                }
            }
        }
    }
}
