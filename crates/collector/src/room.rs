//! The memory of all answers together.
//!
//! Promises: an answer is made only when there is room for it, and has its room until the kernel took its last byte or the
//! client is gone. Where there is no room, the client that has been slow the longest makes it. Lists of events have one half
//! of the room, all else the other: a reader of many lists does not block the pages.

use super::answer::Refusal;
use super::connections::{Connection, Connections};
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room for an answer while it is made: its rows, and its text.
const MAKING: usize = 2304 * 1024;
/// A client this long behind makes room for another, if there is none.
const SLOW: Duration = Duration::from_millis(500);
/// How often somebody is cut while room is waited for.
const CUT_INTERVAL: Duration = Duration::from_millis(250);
/// How long room is waited for.
const ROOM_TIMEOUT: Duration = Duration::from_secs(10);

/// Room for all answers.
pub(super) struct Answers {
    lists: Arc<Semaphore>,
    others: Arc<Semaphore>,
}

pub(super) struct Room(OwnedSemaphorePermit);

fn kibibytes(bytes: usize) -> usize {
    bytes.div_ceil(1024)
}

impl Answers {
    pub(super) fn new(mebibytes: u32) -> Self {
        let half = || Arc::new(Semaphore::new(mebibytes as usize * 512));
        Self { lists: half(), others: half() }
    }

    /// Room to make an answer.
    pub(super) async fn room(&self, is_list: bool, connections: &Connections) -> Result<Room, Refusal> {
        let half = if is_list { &self.lists } else { &self.others };
        let wanted = u32::try_from(kibibytes(MAKING)).map_err(|_| Refusal::Busy)?;
        let acquire = Arc::clone(half).acquire_many_owned(wanted);
        let (mut acquire, end) = (std::pin::pin!(acquire), tokio::time::sleep(ROOM_TIMEOUT));
        let mut end = std::pin::pin!(end);
        loop {
            // It keeps its place among those that wait.
            tokio::select! {
                permit = &mut acquire => return permit.map(Room).map_err(|_| Refusal::Busy),
                () = tokio::time::sleep(CUT_INTERVAL) => connections.cut_slowest(SLOW),
                () = &mut end => return Err(Refusal::Busy),
            }
        }
    }
}

impl Room {
    /// The answer with its room, as much as it needs from now on.
    pub(super) async fn hold(self, answer: Response, connection: &Arc<Connection>) -> Response {
        let (mut head, body) = answer.into_parts();
        // Handlers make their answers whole: nothing is waited for here.
        let Ok(body) = body.collect().await else { return Response::from_parts(head, Body::empty()) };
        let bytes = body.to_bytes();
        let Self(mut permit) = self;
        drop(permit.split(permit.num_permits().saturating_sub(kibibytes(bytes.len()))));
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        connection.answers();
        let held = Held { bytes, connection: Arc::clone(connection), _permit: permit };
        Response::from_parts(head, Body::from(Bytes::from_owner(held)))
    }
}

/// The bytes of an answer until they are sent.
struct Held {
    bytes: Bytes,
    connection: Arc<Connection>,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.connection.answered();
    }
}
