//! A request as its handler takes it, and the answer that it gives.

use super::api::Api;
use super::fault::Fault;
use super::peer::Peer;
use http_body_util::{BodyExt, Limited};
use hyper::StatusCode;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use svm_core::documents::MAX_DOCUMENT_BYTES;

/// A request's body, from its first to its last byte.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// A request that has a route.
pub(crate) struct Call<'a> {
    pub(super) api: &'a Api,
    pub(super) peer: &'a Peer,
    /// The part of the path that `*` stands for, decoded.
    pub(super) part: String,
    /// As it was encoded.
    pub(super) query: &'a str,
    pub(super) body: Incoming,
}

/// What a handler answers.
pub(crate) enum Answer {
    Json(Value),
    /// Nothing is in force yet; the agent goes on with it.
    Accepted(Value),
    /// Text of a media type.
    Text(&'static str, String),
}

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}

pub(super) async fn read<T: for<'a> Deserialize<'a>>(body: Incoming) -> Result<T, Fault> {
    let body = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, 2 * MAX_DOCUMENT_BYTES).collect()).await;
    let bad = |message: String| Fault::new(StatusCode::BAD_REQUEST, "bad_request", message);
    let body = body.map_err(|_| bad("the body did not arrive in time".to_owned()))?;
    let body = body.map_err(|_| bad("the body is cut off or too large".to_owned()))?.to_bytes();
    parse(&body)
}

pub(crate) fn parse<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, Fault> {
    // The body may contain a code: an error names only the place in it.
    serde_json::from_slice(body).map_err(|e| {
        let place = format!("at line {} column {}", e.line(), e.column());
        Fault::new(
            StatusCode::BAD_REQUEST,
            "bad_request",
            format!("the body is not the expected JSON, {place}"),
        )
    })
}
