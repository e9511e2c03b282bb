//! HTTP as all programs use it: bounded in time, size and work, no redirects, TLS by rustls.
//!
//! A client is for one address, which is sent as it stands in the settings, and holds one connection at most.

mod address;
mod connect;
mod failure;
mod headers;
mod meter;
mod page;

pub use address::{AddressError, Target};
pub use failure::{Failure, ProxyRefusal};
pub use headers::{retry_after, server_time};
pub use page::is_page;

use crate::clock::Clock;
use crate::lock::lock;
use crate::tls::{GoodCell, TlsError, TlsFiles};
use connect::{Route, USER_AGENT};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
pub use hyper::{Method, StatusCode};
use meter::{Meter, Metered};
use std::sync::{Arc, Mutex};
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
    /// The URL of the other side or of the proxy cannot be used.
    #[error("the address {0}")]
    Address(#[from] AddressError),
}

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

/// A client of one URL. It holds at most one idle connection.
pub struct Client {
    target: Target,
    proxy: Option<Target>,
    /// Where anything is verified. Else no certificates need be read and held.
    tls: Option<Arc<rustls::ClientConfig>>,
    timeout: Duration,
    /// A connection that can be used again.
    idle: Option<Arc<Idle>>,
}

type Idle = Mutex<Option<(HttpConnection, Instant)>>;

struct HttpConnection {
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
    ) -> Result<(hyper::Response<Incoming>, HttpConnection), Failure> {
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
        let mut line = HttpConnection { sender, meter };
        let answer = line.sender.send_request(request).await.map_err(|error| Failure::of(&error))?;
        Ok((answer, line))
    }

    fn take_idle(&self) -> Option<HttpConnection> {
        let (line, since) = lock(self.idle.as_ref()?).take()?;
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

    /// Adds headers, each in the place of one of the same name.
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

    /// Sends this body; without it the request has none.
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
        let request = request.ok_or_else(|| {
            Failure::Unreachable("the address cannot be used in a request; correct it".to_owned())
        })?;
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
    /// Of any class: an answer of 400 or above is no error of the exchange.
    pub status: StatusCode,
    /// As they were sent; names are compared without case.
    pub headers: HeaderMap,
    /// The proxy that may have answered in the place of whom was asked.
    pub proxy: Option<String>,
    body: Incoming,
    line: HttpConnection,
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
            *lock(&idle) = Some((line, Instant::now()));
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
