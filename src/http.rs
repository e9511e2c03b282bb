//! HTTP as all programs use it: bounded in time and size, no redirects, TLS by rustls.

use crate::clock::Clock;
use crate::tls::{self, GoodCell, TlsError, TlsFiles};
use std::error::Error as _;
use std::time::Duration;

/// How a connection is made.
#[derive(Clone, Debug)]
pub struct Connection {
    /// For one exchange, from connecting to the last byte of the answer.
    pub timeout: Duration,
    /// What is trusted, and the client's certificate.
    pub tls: TlsFiles,
    /// URL of an HTTP proxy. The proxy variables of the environment are not obeyed.
    pub proxy: Option<String>,
}

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The files for TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Anything else in the settings of the connection.
    #[error("cannot prepare the connection")]
    Client(#[from] reqwest::Error),
}

/// Chooses the cryptography for TLS. Called first thing by each program; a second call changes nothing.
pub fn install_tls() {
    rustls::crypto::ring::default_provider().install_default().ok();
}

/// A client for one place. It follows no redirect: where it is sent elsewhere, that is an answer like any other.
/// Certificates are good or not by `clock`.
///
/// # Errors
/// [`ClientError`]: the settings name something that cannot be used.
pub fn client(
    url: &str,
    connection: &Connection,
    keep_alive: bool,
    clock: Clock,
) -> Result<reqwest::Client, ClientError> {
    build(url, connection, keep_alive, || connection.tls.client_config(clock))
}

/// A client for what is signed itself, and for one look: by a server's certificate `clock` may turn out to be wrong. The
/// second tells when the certificate was good.
///
/// # Errors
/// As [`client`].
pub fn client_for_signed(
    url: &str,
    connection: &Connection,
    clock: Clock,
) -> Result<(reqwest::Client, GoodCell), ClientError> {
    let mut good = GoodCell::default();
    let client = build(url, connection, false, || {
        let (config, cell) = connection.tls.client_config_for_signed(clock, clock.wall_clock())?;
        good = cell;
        Ok(config)
    })?;
    Ok((client, good))
}

/// Whether an address is one of TLS.
pub fn is_secure(url: &str) -> bool {
    url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
}

fn build(
    url: &str,
    connection: &Connection,
    keep_alive: bool,
    tls: impl FnOnce() -> Result<rustls::ClientConfig, TlsError>,
) -> Result<reqwest::Client, ClientError> {
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(connection.timeout)
        .user_agent(concat!("svm-agent/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .pool_max_idle_per_host(usize::from(keep_alive))
        .pool_idle_timeout(Duration::from_secs(20));
    builder = if is_secure(url) || connection.proxy.as_deref().is_some_and(is_secure) {
        let mut config = tls()?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        builder.tls_backend_preconfigured(config)
    } else {
        // Nothing will be verified, so no certificates need be read and held.
        builder.tls_certs_only([])
    };
    if let Some(proxy) = &connection.proxy {
        builder = builder.proxy(reqwest::Proxy::all(proxy)?);
    }
    Ok(builder.build()?)
}

/// Why an exchange gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nobody is there.
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// The certificate or the handshake is not accepted.
    #[error("the TLS connection was refused: {0}")]
    Tls(String),
    /// The proxy wants a password (407) before it connects to an https server.
    #[error("the proxy wants a password: it must let this SVM through without one")]
    ProxyPassword,
    /// It took too long.
    #[error("no whole answer within the time limit")]
    Timeout,
    /// The connection broke before the answer was whole.
    #[error("the answer was cut off: {0}")]
    Cut(String),
    /// The answer has more than it may.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

impl Failure {
    /// The failure behind an error of the client.
    pub fn of(error: &reqwest::Error) -> Self {
        // The client's own text names the whole URL, which may hold a secret: only its sources are told.
        let mut cause = error.source();
        let mut text = String::new();
        while let Some(inner) = cause {
            text = inner.to_string();
            cause = inner.source();
        }
        if let Some(refusal) = tls::refusal(error) {
            return Self::Tls(tls::explain(refusal));
        }
        match () {
            () if error.is_timeout() => Self::Timeout,
            // The words of hyper-util's tunnel: it gives no type for that.
            () if text.contains("proxy authorization required") => Self::ProxyPassword,
            () if error.is_connect() => Self::Unreachable(text),
            () => Self::Cut(text),
        }
    }

    /// A short name for logs and status.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Tls(_) => "tls_refused",
            Self::ProxyPassword => "http_407",
            Self::Timeout => "timeout",
            Self::Cut(_) => "answer_cut",
            Self::TooLarge(_) => "answer_too_large",
        }
    }
}

/// The body of an answer, of at most `most` bytes; not a byte more is read than needed to know that.
///
/// # Errors
/// [`Failure::TooLarge`], or what broke the connection.
pub async fn body(mut answer: reqwest::Response, most: usize) -> Result<Vec<u8>, Failure> {
    if answer.content_length().is_some_and(|length| length > most as u64) {
        return Err(Failure::TooLarge(most));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|e| Failure::of(&e))? {
        if body.len() + chunk.len() > most {
            return Err(Failure::TooLarge(most));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The `Retry-After` of an answer (RFC 9110, section 10.2.3), in seconds or as a date, at most an hour.
pub fn retry_after(answer: &reqwest::Response, now: jiff::Timestamp) -> Option<Duration> {
    let text = answer.headers().get(reqwest::header::RETRY_AFTER)?.to_str().ok()?;
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
            Duration::try_from(date.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(Duration::from_secs(3600)))
}

/// The time that an answer tells: its `Date`, and the `Age` that a cache adds to it (RFC 9110, section 6.6.1; RFC 9111,
/// section 5.1).
pub fn told_time(answer: &reqwest::Response) -> Option<jiff::Timestamp> {
    let header = |name| answer.headers().get(name)?.to_str().ok();
    let date =
        jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(header(reqwest::header::DATE)?).ok()?;
    let age = header(reqwest::header::AGE).map_or(Ok(0), str::parse::<u32>).ok()?;
    date.checked_add(jiff::SignedDuration::from_secs(age.into())).ok()
}

/// A random part of a span, for jitter: anything from nothing to all of it.
pub fn jitter(span: Duration) -> Duration {
    use ring::rand::SecureRandom;
    let mut bytes = [0; 4];
    // Without randomness there is no jitter, and nothing else is lost.
    ring::rand::SystemRandom::new().fill(&mut bytes).ok();
    span.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}
