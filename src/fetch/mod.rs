//! Fetching: asking the vendor's host for a published document, and verifying the answer.
//!
//! Promises: an answer counts only as a whole document or as "not changed"; anything else has a name and
//! changes nothing; the code and the name of the file never stand in a log. Must not know: the rules of the
//! life cycle, and when to ask.

mod retry;
mod server_date;
mod verify;

pub use retry::after_failure;
pub use verify::verify_now;

use crate::config::{Settings, SourceSettings};
use hyper::header::{ACCEPT_ENCODING, IF_NONE_MATCH};
use std::path::PathBuf;
use std::time::Duration;
use svm_core::clock::Clock;
use svm_core::documents::{MAX_DOCUMENT_BYTES, Sub, published_path};
use svm_core::failure_code::FailureCode;
use svm_core::http::{self, ClientError, Failure, Method, StatusCode};
use svm_core::text::{clean_start, trim_pasted};

/// Why a look brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// No `source.url` is set.
    #[error(
        "source.url is not set, so no documents are fetched; set it, or add a document from a file: svm-agent key add FILE"
    )]
    NotConfigured,
    /// The connection cannot be prepared.
    #[error("{0}")]
    Client(String),
    /// No whole answer.
    #[error("{0}")]
    Exchange(#[from] Failure),
    /// The vendor's server knows no such document.
    #[error(
        "the provider's host has no document for this key (404); ask the provider whether it is still published; the document on this SVM stays in force"
    )]
    NotFound,
    /// The vendor's server says that it had one, and never will again.
    #[error(
        "the provider withdrew the document of this key for good (410); ask the provider for another activation code"
    )]
    Withdrawn,
    /// Sent elsewhere.
    #[error(
        "the server redirects ({status}) to {to}; redirects are not followed, so set source.url to where the documents are"
    )]
    Redirect {
        /// 3xx.
        status: u16,
        /// Scheme and host, and the path before the name of the document.
        to: String,
    },
    /// Any other status.
    #[error("{who} answers {status}: {}", about(*status))]
    Status {
        /// As it was answered.
        status: u16,
        /// Who answers: the server, or a proxy before it.
        who: String,
        /// How long the server wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// A body in a form that was not asked for.
    #[error(
        "the server compresses the document ({encoding}), though the agent asked for plain data; ask the provider to publish it as a plain file, and check whether a proxy in between compresses"
    )]
    Encoded { encoding: String },
    /// A page, such as that of a proxy or a log-in.
    #[error(
        "the answer is not a document but {what}; check source.url, and whether a proxy in between answers"
    )]
    NotADocument {
        /// What it looks like.
        what: &'static str,
    },
}

/// What a status means at a place where documents lie, and the way out.
fn about(status: u16) -> &'static str {
    match status {
        401 => "it requires a log-in, and this SVM has none; ask the provider whether source.url is right",
        403 => {
            "the document may not be read, or does not exist (object stores answer so for what does not exist); check source.url, and ask the provider whether the document is published and readable for everyone"
        }
        407 => "a proxy requires a password; check source.proxy",
        400 | 405 | 414 | 421 | 431 => "it does not understand the request; check source.url",
        429 => "it gets too many requests; the agent tries again later",
        451 => "it may not give the document out for legal reasons; ask the provider",
        400..=499 => "it refuses the request; check source.url, and ask the provider",
        500..=599 => "the server has a fault; the agent tries again later",
        _ => "this status comes without a document; check source.url, and ask the provider",
    }
}

impl SourceError {
    /// A short name for logs and status.
    pub fn code(&self) -> FailureCode {
        match self {
            Self::NotConfigured => FailureCode::NotConfigured,
            Self::Client(_) => FailureCode::ConnectionSettings,
            Self::Exchange(failure) => failure.code(),
            Self::NotFound => FailureCode::NotFound,
            Self::Withdrawn => FailureCode::Withdrawn,
            Self::Redirect { .. } => FailureCode::Redirect,
            Self::Status { .. } => FailureCode::HttpStatus,
            Self::Encoded { .. } | Self::NotADocument { .. } => FailureCode::NotADocument,
        }
    }
}

/// Where documents come from and whose signatures count.
#[derive(Clone, Debug)]
pub struct DocumentSource {
    /// The address, and how it is asked.
    pub source: SourceSettings,
    /// The folder of the trusted signers.
    pub trust_dir: PathBuf,
}

impl DocumentSource {
    /// The sections of the settings that it is made of.
    pub fn of(settings: &Settings) -> Self {
        Self { source: settings.source.clone(), trust_dir: settings.trust_dir.clone() }
    }
}

/// What a look brought.
pub enum Answer {
    /// The document that is known already.
    NotChanged,
    /// A document, not verified yet.
    Document {
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
    let url = format!("{base}/{}", published_path(sub));
    let (client, good) = http::client_for_signed(&url, &settings.connection, *clock)
        .map_err(|e: ClientError| SourceError::Client(svm_core::error_chain::Chain(&e).to_string()))?;
    let mut request = client.request(Method::GET).header(ACCEPT_ENCODING, "identity");
    if let Some(etag) = etag {
        request = request.header(IF_NONE_MATCH, etag);
    }
    let asked = svm_core::clock::stopwatch();
    let answer = request.send().await?;
    server_date::observe_server_date(&answer, asked(), (&client, &url, &good), clock).await;
    match answer.status {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if etag.is_some() => return Ok(Answer::NotChanged),
        StatusCode::NOT_FOUND => return Err(SourceError::NotFound),
        StatusCode::GONE => return Err(SourceError::Withdrawn),
        // That nothing changed is no answer to who did not ask for changes, and is no redirect either.
        status if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
            let to = answer.header("location").and_then(|to| leads_to(&url, to, sub));
            let to = to.unwrap_or_else(|| "an address that it does not name".to_owned());
            return Err(SourceError::Redirect { status: status.as_u16(), to });
        }
        status => {
            let who = match &answer.proxy {
                Some(proxy) => format!("the server, or the proxy {proxy} before it,"),
                None => "the server".to_owned(),
            };
            let retry_after = http::retry_after(&answer.headers, clock.now());
            return Err(SourceError::Status { status: status.as_u16(), who, retry_after });
        }
    }
    let etag = answer.header("etag").filter(|etag| etag.len() <= 200).map(str::to_owned);
    let encoding = answer.header("content-encoding").map(|encoding| clean_start(encoding.trim(), 40));
    let body = answer.body(MAX_DOCUMENT_BYTES).await?;
    document(&body, encoding.as_deref()).map(|text| Answer::Document { text, etag })
}

/// Where a redirect leads: scheme, host and the path before the name of the document, which is a secret.
fn leads_to(from: &str, to: &str, sub: &Sub) -> Option<String> {
    let to = reqwest::Url::parse(from).ok()?.join(to).ok()?;
    let host = to.host_str()?;
    let port = to.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = to.path().strip_suffix(&format!("/{}", published_path(sub))).unwrap_or_default();
    Some(clean_start(&format!("{}://{host}{port}{path}", to.scheme()), 200))
}

/// The document in a body, judged by what it holds: whatever a server calls it.
fn document(body: &[u8], encoding: Option<&str>) -> Result<String, SourceError> {
    let not = |what| Err(SourceError::NotADocument { what });
    let Ok(text) = std::str::from_utf8(body) else {
        let magic = match body {
            [0x1f, 0x8b, ..] => Some("gzip"),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd"),
            _ => None,
        };
        return match encoding.filter(|encoding| !encoding.eq_ignore_ascii_case("identity")).or(magic) {
            Some(encoding) => Err(SourceError::Encoded { encoding: encoding.to_owned() }),
            None => not("binary data"),
        };
    };
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match trim_pasted(text) {
        "" => not("an empty body"),
        found if found.starts_with('<') => not("a web page"),
        found if found.split('.').count() == 3 && found.chars().all(|c| c == '.' || part(c)) => {
            Ok(found.to_owned())
        }
        found if found.starts_with(['{', '[']) => not("JSON"),
        _ => not("some other text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_judged_by_what_it_holds() {
        let of = |body: &[u8], encoding| document(body, encoding).map_err(|error| error.to_string());
        assert_eq!(of(b"a-_.b.c\r\n", None).as_deref(), Ok("a-_.b.c"));
        assert_eq!(of("\u{feff}a.b.c\u{200b}\n\u{a0}".as_bytes(), None).as_deref(), Ok("a.b.c"));
        // What is plain is plain, whatever it is called.
        assert_eq!(of(b"a.b.c", Some("gzip")).as_deref(), Ok("a.b.c"));
        for (body, encoding, message) in [
            (&b"\x1f\x8b\x08\0\xff"[..], Some("gzip"), "(gzip)"),
            (b"\x1f\x8b\x08\0\xff", Some("identity"), "(gzip)"),
            (b"\x1f\x8b\x08\0\xff", None, "(gzip)"),
            (b"\x28\xb5\x2f\xfd\xff", None, "(zstd)"),
            (b"\xff\xfe\x01", Some("br"), "(br)"),
            (b"\xff\xfe\x01", None, "binary data"),
            (b"", None, "empty"),
            (b" <html>", None, "a web page"),
            (b"{\"error\": 1}", None, "JSON"),
            (b"a.b", None, "some other text"),
        ] {
            let error = of(body, encoding).unwrap_err();
            assert!(error.contains(message), "{error}: {message}");
        }
    }

    #[test]
    fn a_redirect_is_named_by_its_place_and_never_by_the_name_of_the_document() {
        let sub: Sub = "0123456789abcdef".repeat(4).parse().unwrap();
        let path = published_path(&sub);
        let from = format!("https://h/base/{path}");
        for (to, message) in [
            ("/login?next=x", "https://h"),
            ("//other.example/x", "https://other.example"),
            ("../../elsewhere/", "https://h"),
            ("http://other.example:8080/", "http://other.example:8080"),
            (&format!("https://me:planted@new.example/docs/{path}"), "https://new.example/docs"),
            (&format!("/moved/{path}#x"), "https://h/moved"),
            (&format!("/x/{}", sub.as_str()), "https://h"),
        ] {
            assert_eq!(leads_to(&from, to, &sub).as_deref(), Some(message), "{to}");
        }
        assert_eq!(leads_to(&from, "https://", &sub), None);
    }
}
