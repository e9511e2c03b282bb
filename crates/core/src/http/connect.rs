//! A connection to where a request goes: name, address, proxy, tunnel, TLS.

use crate::http::address::Target;
use crate::http::failure::{Failure, ProxyRefusal};
use crate::library_words;
use rustls::pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// The name that every request shows (RFC 9110, section 10.1.5).
pub(super) const USER_AGENT: &str = concat!("svm-agent/", env!("CARGO_PKG_VERSION"));

/// So long one address has a start before the next is tried as well (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// What a proxy may say before it gives a tunnel. It is read byte by byte, so as not to take what is behind it.
const MAX_TUNNEL_BYTES: usize = 8 * 1024;

/// Addresses of a name that are tried.
const MAX_ADDRESSES: usize = 8;

/// A stream of either kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// The way to a target.
pub(super) struct Route<'a> {
    pub(super) target: &'a Target,
    pub(super) proxy: Option<&'a Target>,
    /// Set where target or proxy speak TLS.
    pub(super) tls: Option<&'a Arc<rustls::ClientConfig>>,
}

impl Route<'_> {
    pub(super) async fn connect(&self) -> Result<Box<dyn Stream>, Failure> {
        let Some(proxy) = self.proxy else {
            let stream = dial(self.target).await.map_err(Failure::Unreachable)?;
            return self.secured(self.target, stream).await;
        };
        let unreachable =
            |problem: String| Failure::Unreachable(format!("the proxy {}: {problem}", proxy.place()));
        let stream = dial(proxy).await.map_err(unreachable)?;
        let mut stream = self.secured(proxy, stream).await.map_err(|failure| match failure {
            Failure::Tls(problem) => Failure::Tls(format!("the proxy {}: {problem}", proxy.place())),
            Failure::Unreachable(problem) => unreachable(problem),
            other => other,
        })?;
        if !self.target.secure {
            // Asked in the proxy's own words, it needs no tunnel.
            return Ok(stream);
        }
        let refused =
            |status| Failure::Proxy(ProxyRefusal { proxy: proxy.place(), to: self.target.place(), status });
        match tunnel(&mut stream, self.target).await {
            Ok(200..=299) => self.secured(self.target, stream).await,
            Ok(status) => Err(refused(Some(status))),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(refused(None)),
            Err(error) => {
                Err(Failure::Cut(format!("the proxy {}: {}", proxy.place(), library_words::io(&error))))
            }
        }
    }

    /// TLS over a stream, where `to` speaks it.
    async fn secured(&self, to: &Target, stream: impl Stream + 'static) -> Result<Box<dyn Stream>, Failure> {
        let Some(config) = self.tls.filter(|_| to.secure) else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(to.name().to_owned());
        let name = name.map_err(|_| {
            Failure::Tls(
                "no certificate can be issued for this host; correct the host in the address".to_owned(),
            )
        })?;
        let connector = TlsConnector::from(config.clone());
        let secured =
            connector.connect(name, stream).await.map_err(|error| match crate::tls::refusal(&error) {
                Some(refusal) => Failure::Tls(crate::tls::explain(refusal)),
                None => Failure::Unreachable(format!(
                    "{} ended the TLS handshake: {}",
                    to.place(),
                    library_words::io(&error)
                )),
            })?;
        Ok(Box::new(secured))
    }
}

/// A connection to the first address that takes one. Those of both kinds are tried in turns, each a little later than
/// the one before, so that one that is dead costs a moment.
///
/// The error is a sentence with the address.
async fn dial(target: &Target) -> Result<TcpStream, String> {
    let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
    let found = found.map_err(|error| {
        format!(
            "cannot look up the host {}: {}; correct the name in the address, or check this machine's DNS",
            target.name(),
            library_words::io(&error)
        )
    })?;
    let mut waiting = in_turns(found.take(MAX_ADDRESSES).collect()).into_iter();
    let mut trying = JoinSet::new();
    let mut problem = "the name has no address".to_owned();
    let mut more = try_next(&mut waiting, &mut trying);
    while !trying.is_empty() {
        let tried = tokio::select! {
            tried = trying.join_next() => tried,
            () = tokio::time::sleep(HEAD_START), if more => {
                more = try_next(&mut waiting, &mut trying);
                continue;
            }
        };
        match tried {
            Some(Ok(Ok(stream))) => return Ok(stream),
            Some(Ok(Err(error))) => problem = library_words::connecting(&error),
            Some(Err(_)) | None => {}
        }
        more = more && try_next(&mut waiting, &mut trying);
    }
    Err(format!("cannot connect to {}: {problem}", target.place()))
}

/// Addresses of both kinds in turns, beginning with that of the first.
fn in_turns(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let six = found.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = found.into_iter().partition(|address| address.is_ipv6() == six);
    let mut ordered = Vec::new();
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let pair = [first.next(), second.next()];
        if pair.iter().all(Option::is_none) {
            return ordered;
        }
        ordered.extend(pair.into_iter().flatten());
    }
}

/// Begins with the next address; answers whether there was one.
fn try_next(
    waiting: &mut std::vec::IntoIter<SocketAddr>,
    trying: &mut JoinSet<io::Result<TcpStream>>,
) -> bool {
    let Some(address) = waiting.next() else { return false };
    trying.spawn(async move {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    });
    true
}

/// Asks a proxy for a tunnel (RFC 9110, section 9.3.6); its status. Not a byte behind the head is read.
async fn tunnel(stream: &mut Box<dyn Stream>, to: &Target) -> io::Result<u16> {
    let place = to.place();
    let question = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\nUser-Agent: {}\r\n\r\n", USER_AGENT);
    stream.write_all(question.as_bytes()).await?;
    stream.flush().await?;
    let mut head = Vec::new();
    // All heads together, interim ones included.
    for _ in 0..MAX_TUNNEL_BYTES {
        head.push(stream.read_u8().await?);
        if !head.ends_with(b"\n\r\n") && !head.ends_with(b"\n\n") {
            continue;
        }
        let status = head.trim_ascii_start().strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5));
        let status = status.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u16>().ok());
        match status {
            // An interim answer; the next one may be the last.
            Some(100..=199) => head.clear(),
            Some(status) => return Ok(status),
            None => return Err(io::Error::new(io::ErrorKind::InvalidData, "its answer is not HTTP")),
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the head of its answer has no end"))
}
