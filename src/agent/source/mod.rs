//! The source: where the vendor publishes documents as static files.
//!
//! Promises: an answer counts only as a whole document or as "not changed"; anything else has a name and
//! changes nothing; the code and the name of the file never stand in a log. Must not know: the rules of the
//! life cycle.

pub mod poller;
pub mod schedule;
mod vendor_clock;

use crate::agent::settings::SourceSettings;
use crate::clock::Clock;
use crate::documents::{MAX_DOCUMENT_BYTES, Sub, published_path};
use crate::http::{self, ClientError, Failure};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION};
use std::time::Duration;

/// Why a look brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// No `source.url` is set.
    #[error("no source.url is configured; documents can be added from files: svm-agent key add FILE")]
    NotConfigured,
    /// The connection cannot be prepared.
    #[error("{0}")]
    Client(String),
    /// No whole answer.
    #[error("{0}")]
    Exchange(#[from] Failure),
    /// The vendor's server knows no such document.
    #[error(
        "the vendor has no document for this code: check the code, or ask the vendor whether it is published"
    )]
    NotFound,
    /// The vendor's server says that it had one, and never will again.
    #[error("the vendor withdrew the document of this code for good (410): ask the vendor for another code")]
    Withdrawn,
    /// Sent elsewhere.
    #[error(
        "the server redirects ({status}) to {to}; redirects are not followed, set source.url to the right place"
    )]
    Redirect {
        /// 3xx.
        status: u16,
        /// The host it names.
        to: String,
    },
    /// Any other status.
    #[error("the server answers {status}")]
    Status {
        /// As it was answered.
        status: u16,
        /// How long the server wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// A page, such as that of a proxy or a log-in.
    #[error("the answer is not a document but {what}: is there a proxy in between?")]
    NotADocument {
        /// What it looks like.
        what: &'static str,
    },
}

impl SourceError {
    /// A short name for logs and status.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotConfigured => "not_configured",
            Self::Client(_) => "connection_settings",
            Self::Exchange(failure) => failure.code(),
            Self::NotFound => "not_found",
            Self::Withdrawn => "withdrawn",
            Self::Redirect { .. } => "redirect",
            Self::Status { .. } => "http_status",
            Self::NotADocument { .. } => "not_a_document",
        }
    }
}

/// What a look brought.
#[derive(Debug)]
pub enum Answer {
    /// The document that is known already.
    NotChanged,
    /// A document, not verified yet.
    Document {
        /// The text.
        text: String,
        /// The server's name for this version of it.
        etag: Option<String>,
    },
}

/// Looks for a published document; `etag` is that of the accepted one. Whatever the vendor's own host answers over
/// verified TLS tells `clock` the time.
///
/// # Errors
/// [`SourceError`], which names what came instead.
pub async fn fetch(
    settings: &SourceSettings,
    sub: &Sub,
    etag: Option<&str>,
    clock: &Clock,
) -> Result<Answer, SourceError> {
    let base = settings.url.as_ref().ok_or(SourceError::NotConfigured)?;
    // Made anew for each look: certificates may have changed, and hours lie between.
    let (client, good) = http::client_for_signed(base, &settings.connection, *clock)
        .map_err(|e: ClientError| SourceError::Client(crate::error_chain::Chain(&e).to_string()))?;
    let url = format!("{base}/{}", published_path(sub));
    let mut request = client.get(&url);
    if let Some(etag) = etag {
        request = request.header(IF_NONE_MATCH, etag);
    }
    let asked = crate::clock::stopwatch();
    let answer = request.send().await.map_err(|e| Failure::of(&e))?;
    vendor_clock::heed(&answer, asked(), (&client, &url, &good), clock).await;
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if etag.is_some() => return Ok(Answer::NotChanged),
        StatusCode::NOT_FOUND => return Err(SourceError::NotFound),
        StatusCode::GONE => return Err(SourceError::Withdrawn),
        // That nothing changed is no answer to who did not ask for changes, and is no redirect either.
        status if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
            let to =
                header(LOCATION).and_then(|to| Some(reqwest::Url::parse(&to).ok()?.host_str()?.to_owned()));
            let to = to.unwrap_or_else(|| "an unnamed place".to_owned());
            return Err(SourceError::Redirect { status: status.as_u16(), to });
        }
        status => {
            return Err(SourceError::Status {
                status: status.as_u16(),
                retry_after: http::retry_after(&answer, clock.now()),
            });
        }
    }
    let (html, etag) = (header(CONTENT_TYPE).is_some_and(|t| t.contains("html")), header(ETAG));
    let body = http::body(answer, MAX_DOCUMENT_BYTES).await?;
    let text = String::from_utf8(body).map_err(|_| SourceError::NotADocument { what: "binary data" })?;
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match text.trim_ascii() {
        "" => Err(SourceError::NotADocument { what: "empty" }),
        found if html || found.starts_with('<') => Err(SourceError::NotADocument { what: "a web page" }),
        found if found.split('.').count() == 3 && found.chars().all(|c| c == '.' || part(c)) => {
            Ok(Answer::Document { text, etag: etag.filter(|e| e.len() <= 200) })
        }
        _ => Err(SourceError::NotADocument { what: "some other text" }),
    }
}
