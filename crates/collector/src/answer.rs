//! Errors as answers: `{"error":{"code","message"}}` with the status that belongs to the code.

use super::cloudevent::Invalid;
use super::store::StoreError;
use super::wire::WireError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

pub(super) struct Json(pub(super) Value);

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], self.0.to_string()).into_response()
    }
}

/// A request that is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(
        "this collector does not know the token, or the request has none: send \"Authorization: Bearer TOKEN\" with a token whose \
         hash stands in tokens.file"
    )]
    Unauthorised,
    #[error("this token belongs to another source: use the token of this source")]
    TokenOfAnother,
    #[error(
        "this source belongs to another token, or sent events before this token was used: to give it to this token, write \
         source=SOURCE after the hash of the token in tokens.file"
    )]
    SourceOfAnother,
    #[error("this collector accepts no further sources: raise store.max_sources in its settings")]
    TooManySources,
    #[error(
        "all events of a request must have the source of the token: event {position} has another source than event 0"
    )]
    SeveralSources { position: usize },
    #[error(
        "only programs on the same machine may read here: use a reading token (page.readers_file), or change page.open_to"
    )]
    NotLoopback,
    #[error(
        "only readers with a token may read here: send \"Authorization: Bearer TOKEN\" with a token whose hash stands in \
         page.readers_file, or change page.open_to"
    )]
    NotReader,
    #[error(
        "this request comes through a proxy, so it may be from anyone: make the proxy ask for a login and send a reading \
         token (page.readers_file), or open the page to all (page.open_to)"
    )]
    Forwarded,
    #[error("a request needs exactly one Host header, with a name or an address")]
    Host,
    #[error(
        "this collector does not answer to the name {0}: if it is one of its own names, add it to hosts in the settings"
    )]
    UnknownHost(String),
    #[error(
        "web pages of other sites may not send events to this collector or follow them (see the headers Origin and \
         Sec-Fetch-Site)"
    )]
    ForeignOrigin,
    #[error("the client closed the connection")]
    Left,
    #[error("the body is larger than {} bytes", super::wire::MAX_BODY)]
    TooLarge,
    #[error("the body did not arrive in time (limits.body_timeout_seconds)")]
    Slow,
    #[error("the body could not be read")]
    Broken,
    #[error("unknown Content-Encoding {0:?}: send zstd, or an unencoded body")]
    Encoding(String),
    #[error("the body is not made of complete zstd frames with windows of at most 8 MiB")]
    Zstd(#[source] std::io::Error),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("{field} {problem}")]
    Query { field: &'static str, problem: &'static str },
    #[error("unknown parameter {name:?}; this address knows {known}")]
    UnknownParameter { name: String, known: String },
    #[error("there is no {0}")]
    NotFound(&'static str),
    #[error("this address does not allow that method (see the header Allow)")]
    Method,
    #[error("too many requests are waiting: try again later")]
    Busy,
    #[error(
        "the query took too long (limits.query_timeout_seconds): ask for less, such as one source or one type"
    )]
    TooLong,
    #[error("the database is unavailable, and nothing of this request was stored: try again later")]
    Store(#[source] StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TokenOfAnother => Self::TokenOfAnother,
            StoreError::SourceOfAnother => Self::SourceOfAnother,
            StoreError::TooManySources => Self::TooManySources,
            StoreError::Busy => Self::Busy,
            StoreError::TooLong => Self::TooLong,
            error => Self::Store(error),
        }
    }
}

impl Refusal {
    fn code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorised => (StatusCode::UNAUTHORIZED, "unauthorised"),
            Self::TokenOfAnother => (StatusCode::FORBIDDEN, "token_of_another_source"),
            Self::SeveralSources { .. } => (StatusCode::FORBIDDEN, "several_sources"),
            Self::SourceOfAnother => (StatusCode::FORBIDDEN, "source_of_another_token"),
            Self::TooManySources => (StatusCode::FORBIDDEN, "too_many_sources"),
            Self::NotLoopback => (StatusCode::FORBIDDEN, "not_loopback"),
            Self::NotReader => (StatusCode::UNAUTHORIZED, "not_reader"),
            Self::Forwarded => (StatusCode::FORBIDDEN, "forwarded"),
            Self::Host => (StatusCode::BAD_REQUEST, "bad_host"),
            Self::UnknownHost(_) => (StatusCode::MISDIRECTED_REQUEST, "unknown_host"),
            Self::ForeignOrigin => (StatusCode::FORBIDDEN, "foreign_origin"),
            // Nobody reads it. 499 is what nginx logs then.
            Self::Left => (StatusCode::from_u16(499).unwrap_or(StatusCode::REQUEST_TIMEOUT), "client_left"),
            Self::TooLong => (StatusCode::SERVICE_UNAVAILABLE, "query_timeout"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "body_timeout"),
            Self::Broken => (StatusCode::BAD_REQUEST, "body_broken"),
            Self::Zstd(_) => (StatusCode::BAD_REQUEST, "zstd_broken"),
            Self::Encoding(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_encoding"),
            Self::Wire(WireError::Event { .. }) => (StatusCode::BAD_REQUEST, "invalid_event"),
            Self::Wire(WireError::Batch { .. }) => (StatusCode::BAD_REQUEST, "invalid_batch"),
            Self::Wire(WireError::TooMany) => (StatusCode::PAYLOAD_TOO_LARGE, "batch_too_large"),
            Self::Wire(WireError::ContentType(_)) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type"),
            Self::Query { .. } | Self::UnknownParameter { .. } => (StatusCode::BAD_REQUEST, "invalid_query"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Self::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store"),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code) = self.code();
        // The store itself logs when writing begins to fail, and when it is over.
        if let Self::Store(error) = &self
            && !matches!(error, StoreError::Write(_))
        {
            tracing::error!(error = %svm_core::error_chain::Chain(error), "cannot answer a request");
        }
        let mut error = json!({"code": code, "message": self.to_string()});
        if let (Self::Wire(WireError::Event { position, invalid: Invalid { field, .. } }), Some(error)) =
            (&self, error.as_object_mut())
        {
            error.insert("event".to_owned(), json!(position));
            error.insert("field".to_owned(), json!(field));
        }
        let mut response = (status, Json(json!({"error": error}))).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        if matches!(self, Self::Encoding(_)) {
            // RFC 9110, section 15.5.16.
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("zstd"));
        }
        if matches!(status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
