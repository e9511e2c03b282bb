//! HTTP as all programs use it: bounded in time, size and work, no redirects, TLS by rustls.
//!
//! A client is for one address, which is sent as it stands in the settings, and holds one connection at most.

mod address;
mod connect;
mod meter;

pub use address::{AddressError, Target};

use crate::clock::Clock;
use crate::tls::{self, GoodCell, TlsError, TlsFiles};
use connect::Route;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
pub use hyper::{Method, StatusCode};
use meter::{Meter, Metered, Overrun};
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

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
    /// The address.
    #[error("the address {0}")]
    Address(#[from] AddressError),
}

const USER_AGENT: &str = concat!("svm-agent/", env!("CARGO_PKG_VERSION"));

/// A connection that carried nothing for so long is not used again: the other side may have given it up.
const MAX_IDLE: Duration = Duration::from_secs(20);

/// Pieces of a body between two turns of the other tasks.
const PIECES: usize = 64;

/// Chooses the cryptography for TLS. Called first thing by each program; a second call changes nothing.
pub fn install_tls() {
    rustls::crypto::ring::default_provider().install_default().ok();
}

/// A client for one address. It follows no redirect: where it is sent elsewhere, that is an answer like any other.
/// Certificates are good or not by `clock`.
///
/// # Errors
/// [`ClientError`]: the settings name something that cannot be used.
pub fn client(
    url: &str,
    connection: &Connection,
    keep_alive: bool,
    clock: Clock,
) -> Result<Client, ClientError> {
    Client::new(url, connection, keep_alive, || connection.tls.client_config(clock))
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
) -> Result<(Client, GoodCell), ClientError> {
    let mut good = GoodCell::default();
    let client = Client::new(url, connection, false, || {
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

/// Asks one address.
pub struct Client {
    target: Target,
    proxy: Option<Target>,
    /// Where anything is verified. Else no certificates need be read and held.
    tls: Option<Arc<rustls::ClientConfig>>,
    timeout: Duration,
    /// A connection that can be used again, where that is wanted.
    idle: Option<Arc<Idle>>,
}

type Idle = Mutex<Option<(Line, Instant)>>;

/// A connection.
struct Line {
    sender: http1::SendRequest<Full<Bytes>>,
    meter: Meter,
}

impl Client {
    fn new(
        url: &str,
        connection: &Connection,
        keep_alive: bool,
        tls: impl FnOnce() -> Result<rustls::ClientConfig, TlsError>,
    ) -> Result<Self, ClientError> {
        let target = Target::parse(url)?;
        let proxy = connection.proxy.as_deref().map(Target::parse).transpose()?;
        let secure = target.secure || proxy.as_ref().is_some_and(|proxy| proxy.secure);
        let config = secure.then(tls).transpose()?.map(|mut config| {
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Arc::new(config)
        });
        let idle = keep_alive.then(Arc::default);
        Ok(Self { target, proxy, tls: config, timeout: connection.timeout, idle })
    }

    /// A request to the address.
    pub fn request(&self, method: Method) -> Request<'_> {
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        Request { client: self, method, headers, body: Bytes::new() }
    }

    /// The proxy that answers may come from: over TLS it cannot answer for the other side.
    fn proxy_that_answers(&self) -> Option<&Target> {
        self.proxy.as_ref().filter(|_| !self.target.secure)
    }

    fn head(&self, method: Method, headers: HeaderMap, body: Bytes) -> Option<hyper::Request<Full<Bytes>>> {
        let path = self.target.path.as_str();
        let uri = match self.proxy_that_answers() {
            // The absolute form, for a proxy (RFC 9112, section 3.2.2).
            Some(_) => format!("http://{}{path}", self.target.authority()).parse().ok()?,
            None => hyper::Uri::from(self.target.path.clone()),
        };
        let mut request = hyper::Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        request.headers_mut().insert(header::HOST, HeaderValue::from_str(&self.target.authority()).ok()?);
        Some(request)
    }

    async fn exchange(
        &self,
        mut request: hyper::Request<Full<Bytes>>,
    ) -> Result<(hyper::Response<Incoming>, Line), Failure> {
        if let Some(mut line) = self.take_idle()
            && line.sender.ready().await.is_ok()
        {
            line.meter.begin();
            match line.sender.try_send_request(request).await {
                Ok(answer) => return Ok((answer, line)),
                Err(mut error) => match error.take_message() {
                    // The other side had given it up, and saw nothing of this.
                    Some(unsent) => request = unsent,
                    None => return Err(Failure::of(error.error())),
                },
            }
        }
        let route = Route { target: &self.target, proxy: self.proxy.as_ref(), tls: self.tls.as_ref() };
        let meter = Meter::default();
        let stream = Metered { stream: route.connect().await?, meter: meter.clone() };
        let made = http1::Builder::new().max_buf_size(meter::MAX_HEAD_BYTES).handshake(stream).await;
        let (sender, connection) = made.map_err(|error| Failure::of(&error))?;
        // It ends with the sender and the body of the last answer.
        tokio::spawn(connection);
        let mut line = Line { sender, meter };
        let answer = line.sender.send_request(request).await.map_err(|error| Failure::of(&error))?;
        Ok((answer, line))
    }

    fn take_idle(&self) -> Option<Line> {
        let (line, since) = self.idle.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        (since.elapsed() < MAX_IDLE && !line.sender.is_closed()).then_some(line)
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("target", &self.target).finish_non_exhaustive()
    }
}

/// A request that can be sent.
pub struct Request<'a> {
    client: &'a Client,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
}

impl Request<'_> {
    /// Adds a header. A value that cannot be one is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Adds headers.
    #[must_use]
    pub fn headers(mut self, headers: &HeaderMap) -> Self {
        self.headers.extend(headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        self
    }

    /// Shows a bearer token (RFC 6750).
    #[must_use]
    pub fn bearer(mut self, token: Option<&str>) -> Self {
        if let Some(Ok(mut value)) = token.map(|token| HeaderValue::from_str(&format!("Bearer {token}"))) {
            value.set_sensitive(true);
            self.headers.insert(header::AUTHORIZATION, value);
        }
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }

    /// Sends it, and waits for the head of the answer.
    ///
    /// # Errors
    /// [`Failure`]: there is none.
    pub async fn send(self) -> Result<Answer, Failure> {
        let Self { client, method, headers, body } = self;
        let until = Instant::now() + client.timeout;
        let request = client.head(method, headers, body);
        let request =
            request.ok_or_else(|| Failure::Unreachable("the address cannot be asked for".to_owned()))?;
        let exchanged = timeout_at(until, client.exchange(request)).await;
        let (answer, line) = exchanged.map_err(|_| Failure::Timeout)??;
        let proxy = client.proxy_that_answers().map(Target::place);
        if let (StatusCode::PROXY_AUTHENTICATION_REQUIRED, Some(proxy)) = (answer.status(), proxy.clone()) {
            let to = client.target.place();
            return Err(Failure::Proxy(ProxyRefusal { proxy, to, status: Some(407) }));
        }
        let (head, body) = answer.into_parts();
        let idle = client.idle.clone();
        Ok(Answer { status: head.status, headers: head.headers, proxy, body, line, idle, until })
    }
}

/// An answer whose head has come.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The proxy that may have answered in the place of whom was asked.
    pub proxy: Option<String>,
    body: Incoming,
    line: Line,
    idle: Option<Arc<Idle>>,
    until: Instant,
}

impl Answer {
    /// The text of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body, of at most `max` bytes; not much more is read than needed to know that.
    ///
    /// # Errors
    /// [`Failure::TooLarge`], or what broke the connection.
    pub async fn body(self, max: usize) -> Result<Vec<u8>, Failure> {
        let Self { headers, body, line, idle, until, .. } = self;
        let length =
            headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > max as u64) {
            return Err(Failure::TooLarge(max));
        }
        // Chunks have a frame each. One whose frames outweigh what is in them is up to something.
        line.meter.allow(max.saturating_mul(2).saturating_add(16 * 1024));
        let whole = timeout_at(until, pieces(body, max)).await.map_err(|_| Failure::Timeout)??;
        if let Some(idle) = idle {
            *idle.lock().unwrap_or_else(PoisonError::into_inner) = Some((line, Instant::now()));
        }
        Ok(whole)
    }
}

async fn pieces(mut body: Incoming, max: usize) -> Result<Vec<u8>, Failure> {
    let (mut whole, mut count) = (Vec::new(), 0_usize);
    while let Some(piece) = body.frame().await {
        let piece = piece.map_err(|error| Failure::of(&error))?.into_data().unwrap_or_default();
        if whole.len() + piece.len() > max {
            return Err(Failure::TooLarge(max));
        }
        whole.extend_from_slice(&piece);
        count += 1;
        if count.is_multiple_of(PIECES) {
            tokio::task::yield_now().await;
        }
    }
    Ok(whole)
}

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
                "the proxy {proxy} does not answer as an HTTP proxy does: correct its address or port"
            );
        };
        write!(f, "the proxy {proxy} answers {status}: ")?;
        match status {
            407 => f.write_str("the proxy wants a password; it must let this SVM through without one"),
            300..=399 => write!(
                f,
                "it wants to lead elsewhere, as a log-in does; it must let this SVM through to {to}"
            ),
            400 | 405 | 501 => write!(
                f,
                "it gives no tunnels (CONNECT), or none to {to}; correct the address of the proxy, or allow it there"
            ),
            401 | 403 => write!(f, "it does not allow {to}; allow it there"),
            500..=599 => write!(f, "it cannot reach {to}; its log says why"),
            _ => write!(f, "it gives no connection to {to}; its log says why"),
        }
    }
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
    /// The proxy gives no connection.
    #[error("{0}")]
    Proxy(ProxyRefusal),
    /// It took too long.
    #[error("no whole answer within the time limit")]
    Timeout,
    /// The connection broke before the answer was whole.
    #[error("the answer was cut off: {0}")]
    Cut(String),
    /// What comes is no answer of HTTP.
    #[error("what answers does not speak HTTP: {0}; is it the right port?")]
    NotHttp(String),
    /// The answer has more than it may.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// What comes has no end that could be waited for.
    #[error("the answer has no end: {0}; it is hung up on")]
    Endless(String),
}

impl Failure {
    /// The failure behind an error of a connection. Of what causes it the innermost is told.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        if let Some(refusal) = tls::refusal(error) {
            return Self::Tls(tls::explain(refusal));
        }
        let (mut next, mut text, mut not_http) = (Some(error), String::new(), false);
        while let Some(inner) = next {
            if let Some(overrun) = inner.downcast_ref::<Overrun>() {
                return Self::Endless(overrun.to_string());
            }
            if inner.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse_too_large) {
                return Self::Endless("its head is too long".to_owned());
            }
            not_http |= inner.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse);
            text = inner.to_string();
            let within = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            next = within.map_or_else(|| inner.source(), |within| Some(within));
        }
        if not_http { Self::NotHttp(text) } else { Self::Cut(text) }
    }

    /// A short name for logs and status.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Tls(_) => "tls_refused",
            Self::Proxy(ProxyRefusal { status: Some(407), .. }) => "http_407",
            Self::Proxy(_) => "proxy_refused",
            Self::Timeout => "timeout",
            Self::Cut(_) | Self::NotHttp(_) => "answer_cut",
            Self::TooLarge(_) | Self::Endless(_) => "answer_too_large",
        }
    }

    /// Whether nothing gets better by itself: it is a matter of configuration, here or there.
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Tls(_) => true,
            Self::Proxy(refusal) => refusal.status.is_none_or(|status| status < 500),
            _ => false,
        }
    }
}

/// Nobody waits longer for what a server asks.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The `Retry-After` of an answer (RFC 9110, section 10.2.3), in seconds or as a date, at most an hour.
pub fn retry_after(headers: &HeaderMap, now: jiff::Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More than a number can be is still a number.
        text.parse().map_or(MAX_RETRY_AFTER, Duration::from_secs)
    } else {
        let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Duration::try_from(date.duration_since(now)).unwrap_or_default()
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// The time that an answer tells: its `Date`, and the `Age` that a cache adds to it (RFC 9110, section 6.6.1; RFC 9111,
/// section 5.1).
pub fn told_time(headers: &HeaderMap) -> Option<jiff::Timestamp> {
    let header = |name| headers.get(name)?.to_str().ok();
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(header(header::DATE)?).ok()?;
    let age = header(header::AGE).map_or(Ok(0), str::parse::<u32>).ok()?;
    date.checked_add(jiff::SignedDuration::from_secs(age.into())).ok()
}

/// Whether a body is a web page, such as that of a log-in or a proxy, by how it begins. A content type says little: many
/// receivers call everything `text/html`.
pub fn is_page(body: &[u8]) -> bool {
    const BEGINNINGS: [&str; 12] = [
        "!doctype html",
        "html",
        "head",
        "body",
        "title",
        "meta",
        "script",
        "style",
        "link",
        "frameset",
        "iframe",
        "form",
    ];
    let text = String::from_utf8_lossy(body.get(..body.len().min(4096)).unwrap_or_default());
    let mut text = crate::text::trim_pasted(&text);
    // Comments and processing instructions may come before.
    for (opens, closes) in std::iter::repeat_n([("<!--", "-->"), ("<?", "?>")], 8).flatten() {
        if let Some((_, rest)) = text.strip_prefix(opens).and_then(|rest| rest.split_once(closes)) {
            text = crate::text::trim_pasted(rest);
        }
    }
    let Some(tag) = text.strip_prefix('<') else { return false };
    BEGINNINGS.iter().any(|beginning| {
        tag.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
            && !tag
                .get(beginning.len()..)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '-'))
    })
}

/// A random part of a span, for jitter: anything from nothing to all of it.
pub fn jitter(span: Duration) -> Duration {
    use ring::rand::SecureRandom;
    let mut bytes = [0; 4];
    // Without randomness there is no jitter, and nothing else is lost.
    ring::rand::SystemRandom::new().fill(&mut bytes).ok();
    span.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_by_how_it_begins() {
        for page in [
            "<!DOCTYPE html><p>x",
            "<!doctype HTML PUBLIC \"x\">",
            "\u{feff}\r\n <html lang=\"en\">",
            "<HTML>",
            "<html\n>",
            "<!-- a --> <!-- b --><html>",
            "<?xml version=\"1.0\"?>\n<!DOCTYPE html>",
            "<head><title>",
            "<script>location='x'</script>",
            "<meta http-equiv=refresh>",
            "<body/>",
            "<form action=/login>",
        ] {
            assert!(is_page(page.as_bytes()), "{page}");
        }
        for other in [
            "",
            "OK",
            "ok\n",
            "<p>OK</p>",
            "<h1>Accepted</h1>",
            "<ok/>",
            "<header/>",
            "<html5ish>",
            "{\"html\":\"<html>\"}",
            "text <html>",
            "<?xml version=\"1.0\"?><response status=\"ok\"/>",
            "<!-- html",
            "<",
        ] {
            assert!(!is_page(other.as_bytes()), "{other}");
        }
        assert!(!is_page(&[0xff, 0xfe, 0]));
    }

    #[test]
    fn a_wait_that_no_number_can_hold_is_the_longest_there_is() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            retry_after(&headers, jiff::Timestamp::UNIX_EPOCH)
        };
        for (text, wait) in [
            ("0", Some(0)),
            ("30", Some(30)),
            (" 30 ", Some(30)),
            ("99999999999999999999", Some(3600)),
            ("3601", Some(3600)),
            ("Thu, 01 Jan 1970 00:00:05 GMT", Some(5)),
            ("Tue, 01 Jan 2030 00:00:05 GMT", Some(3600)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(of(text), wait.map(Duration::from_secs), "{text}");
        }
    }
}
