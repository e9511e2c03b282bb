//! Why an exchange gave no answer.

use crate::failure_code::FailureCode;
use crate::http::meter::Overrun;
use crate::library_words;
use crate::tls;
use std::error::Error;

/// A proxy that gave no connection, and what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyRefusal {
    /// Its host and port.
    pub proxy: String,
    /// What it was to connect to.
    pub to: String,
    /// Its status; `None` where what it said is no answer of HTTP.
    pub status: Option<u16>,
}

impl std::fmt::Display for ProxyRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { proxy, to, status } = self;
        let Some(status) = status else {
            return write!(
                f,
                "the proxy {proxy} does not answer as an HTTP proxy does; correct its address or port"
            );
        };
        write!(f, "the proxy {proxy} answers {status}: ")?;
        match status {
            407 => f.write_str("the proxy requires a password; let this SVM through without one"),
            300..=399 => write!(
                f,
                "it redirects, as a log-in page does; let this SVM through to {to} without a log-in"
            ),
            400 | 405 | 501 => write!(
                f,
                "it makes no tunnels (CONNECT), or none to {to}; correct the address of the proxy, or allow {to} there"
            ),
            401 | 403 => write!(f, "it does not allow {to}; allow it there"),
            500..=599 => write!(f, "it cannot reach {to}; its log says why"),
            _ => write!(f, "it makes no connection to {to}; its log says why"),
        }
    }
}

/// Why an exchange gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No name, no route, or no listener: a sentence that names the address.
    #[error("{0}")]
    Unreachable(String),
    /// The certificate or the handshake is not accepted.
    #[error("no TLS connection: {0}")]
    Tls(String),
    /// The proxy gives no connection.
    #[error("{0}")]
    Proxy(ProxyRefusal),
    /// It took too long.
    #[error(
        "no complete answer within the time limit; check that the server is reachable and not overloaded"
    )]
    Timeout,
    /// The connection broke before the answer was whole.
    #[error("the answer is incomplete: {0}")]
    Cut(String),
    /// What comes is no answer of HTTP.
    #[error("what answers does not speak HTTP; check the port, and whether the address needs https://")]
    NotHttp,
    /// The answer has more than it may.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// What comes has no end that could be waited for.
    #[error("the answer is too long: {0}; the connection was closed")]
    Endless(String),
}

impl Failure {
    /// The failure behind an error of a connection, named by its innermost cause.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        if let Some(refusal) = tls::refusal(error) {
            return Self::Tls(tls::explain(refusal));
        }
        let (mut next, mut words) = (Some(error), None);
        while let Some(inner) = next {
            if let Some(overrun) = inner.downcast_ref::<Overrun>() {
                return Self::Endless(overrun.to_string());
            }
            if inner.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse_too_large) {
                return Self::Endless("its head is longer than 64 KiB".to_owned());
            }
            if inner.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
                return Self::NotHttp;
            }
            words = library_words::of(inner).or(words);
            let within = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            next = within.map_or_else(|| inner.source(), |within| Some(within));
        }
        Self::Cut(words.unwrap_or_else(|| "the connection was closed too early".to_owned()))
    }

    /// A short name for logs and status.
    pub fn code(&self) -> FailureCode {
        match self {
            Self::Unreachable(_) => FailureCode::Unreachable,
            Self::Tls(_) => FailureCode::TlsRefused,
            Self::Proxy(ProxyRefusal { status: Some(407), .. }) => FailureCode::Http(407),
            Self::Proxy(_) => FailureCode::ProxyRefused,
            Self::Timeout => FailureCode::Timeout,
            Self::Cut(_) | Self::NotHttp => FailureCode::AnswerCut,
            Self::TooLarge(_) | Self::Endless(_) => FailureCode::AnswerTooLarge,
        }
    }

    /// Whether retries cannot help: the cause is a setting, here or there.
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Tls(_) => true,
            Self::Proxy(refusal) => refusal.status.is_none_or(|status| status < 500),
            _ => false,
        }
    }
}
