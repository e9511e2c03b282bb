//! A batch over TCP or TLS, and how it is known that it arrived.
//!
//! Syslog has no receipts. That the kernel over there acknowledged every byte says little: the receiver may never
//! read them, may be killed before it does, or may refuse our certificate only after we began to write (TLS 1.3). So
//! each batch has a connection of its own and ends it: we close our side behind the last byte and wait until the
//! receiver closes its own. A receiver sees our close only after it read everything before it; one that closes or dies
//! with something unread sends a reset, and one that is stuck sends nothing. A batch counts where the receiver's close
//! came after ours, and our bytes and our close were acknowledged without a reset.
//!
//! What this does not promise: that the receiver wrote down what it read; and where a proxy stands in between, it is
//! the proxy that read it, though most pass a close on in order.

use super::facts::QueuedEvent;
use super::failure::Failure;
use super::frame::frame;
use crate::config::SyslogSettings;
use rustls::pki_types::ServerName;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use svm_core::failure_code::FailureCode;
use svm_core::library_words;
use svm_core::tls;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsConnector;

/// Bytes that are gathered before they are written.
const CHUNK: usize = 16 * 1024;

/// A receiver says nothing. One that says more than this is something else.
const MAX_SAID: usize = 16 * 1024;

/// Addresses of a name that are tried.
const MAX_ADDRESSES: usize = 8;

pub(super) async fn send(
    settings: &SyslogSettings,
    connector: Option<TlsConnector>,
    batch: &[QueuedEvent<'_>],
) -> Result<(), Failure> {
    let until = Instant::now() + settings.timeout;
    let broken = |error: &io::Error| broken(settings, error);
    let tcp = connect(settings, until).await?;
    match connector {
        None => {
            let mut stream = tcp;
            say(&mut stream, settings, batch, until, |s| s).await?.map_err(|e| broken(&e))?;
            hear_the_end(&mut stream, settings, until, |s| s).await
        }
        Some(connector) => {
            // A certificate knows nothing of the zone of an IPv6 address.
            let host = bare(&settings.host).split('%').next().unwrap_or_default().to_owned();
            let name = ServerName::try_from(host).map_err(|_| Failure {
                code: FailureCode::ConnectionSettings,
                message: format!(
                    "`{}` is neither a host name nor an IP address; correct the host in the url",
                    settings.host
                ),
                hold: true,
            })?;
            let agreed =
                within(until, settings, "waiting for the TLS handshake", connector.connect(name, tcp))
                    .await?;
            let mut stream = agreed.map_err(|e| broken(&e))?;
            if let Err(error) = say(&mut stream, settings, batch, until, |s| s.get_ref().0).await? {
                // The receiver may have said why, before it broke off.
                let said = timeout(Duration::from_secs(1), stream.read(&mut [0; 1])).await;
                return Err(match said {
                    Ok(Err(why)) if tls::refusal(&why).is_some() => broken(&why),
                    _ => broken(&error),
                });
            }
            hear_the_end(&mut stream, settings, until, |s| s.get_ref().0).await
        }
    }
}

/// What a step gives, unless the time for the whole batch is up before.
async fn within<T>(
    until: Instant,
    settings: &SyslogSettings,
    step: &str,
    future: impl Future<Output = T>,
) -> Result<T, Failure> {
    timeout_at(until, future).await.map_err(|_| {
        let place = place(settings);
        let limit = format!("{place} did not take the whole batch within the time limit");
        again(FailureCode::Timeout, format!("{limit}: stopped while {step}"))
    })
}

/// A connection to the first address that takes one. Each has its share of the time, so that one that is dead does
/// not stand in the way of the others.
async fn connect(settings: &SyslogSettings, until: Instant) -> Result<TcpStream, Failure> {
    let host = bare(&settings.host);
    let found = tokio::net::lookup_host((host, settings.port));
    let found = within(until, settings, "looking up its name", found).await?;
    let found = found.map_err(|e| again(
            FailureCode::Unreachable,
            format!(
                "cannot look up the host {host}: {}; correct the name in the address, or check this machine's DNS",
                library_words::io(&e)
            ),
        ))?;
    let addresses: Vec<SocketAddr> = found.take(MAX_ADDRESSES).collect();
    let share = settings.timeout / u32::try_from(addresses.len()).unwrap_or(1).max(1);
    let mut problem = "the name has no address".to_owned();
    for address in addresses {
        let cause = match timeout_at(until.min(Instant::now() + share), TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => library_words::connecting(&error),
            Err(_) => "no answer; check the address, the route and the firewalls in between".to_owned(),
        };
        let is_named = address.to_string() == place(settings);
        problem = if is_named { cause } else { format!("{address}: {cause}") };
    }
    Err(again(FailureCode::Unreachable, format!("cannot connect to {}: {problem}", place(settings))))
}

/// Writes the batch, and closes our side behind it. The inner result is that of the connection.
async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    settings: &SyslogSettings,
    batch: &[QueuedEvent<'_>],
    until: Instant,
    tcp: impl Fn(&S) -> &TcpStream,
) -> Result<io::Result<()>, Failure> {
    let from = tcp(stream).local_addr().ok().map(|address| address.ip());
    let saying = async {
        let mut gathered = Vec::with_capacity(CHUNK);
        for stored in batch {
            frame(&mut gathered, settings, *stored, from);
            if gathered.len() >= CHUNK {
                stream.write_all(&gathered).await?;
                gathered.clear();
            }
        }
        stream.write_all(&gathered).await?;
        stream.flush().await?;
        if over_already(stream).await? {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "it closed the connection too early",
            ));
        }
        stream.shutdown().await
    };
    within(until, settings, "writing; the receiver reads too slowly, or not at all", saying).await
}

/// Whether the receiver closed before we did: then its close says nothing of what it read.
async fn over_already<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<bool> {
    let mut byte = [0; 1];
    let mut byte = ReadBuf::new(&mut byte);
    poll_fn(|context| {
        Poll::Ready(match Pin::new(&mut *stream).poll_read(context, &mut byte) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(())) => Ok(byte.filled().is_empty()),
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
            Poll::Ready(Err(error)) => Err(error),
        })
    })
    .await
}

/// Waits for the receiver's close, and until ours is acknowledged.
async fn hear_the_end<S: AsyncRead + Unpin>(
    stream: &mut S,
    settings: &SyslogSettings,
    until: Instant,
    tcp: impl Fn(&S) -> &TcpStream,
) -> Result<(), Failure> {
    let hearing = async {
        let mut said = 0;
        let mut buffer = [0; 512];
        while said <= MAX_SAID {
            match stream.read(&mut buffer).await {
                Ok(0) => return acknowledged(tcp(stream)).await.map_err(|e| broken(settings, &e)),
                // Many close TCP without a word of TLS. Whether it was in order is seen all the same.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return acknowledged(tcp(stream)).await.map_err(|e| broken(settings, &e));
                }
                Err(error) => return Err(broken(settings, &error)),
                Ok(some) => said += some,
            }
        }
        Err(Failure {
            code: FailureCode::NotAReceiver,
            message: format!(
                "{} sends data, which no syslog receiver does; correct the port",
                place(settings)
            ),
            hold: true,
        })
    };
    let step = "waiting for the receiver to read to the end and close; it hangs, or never closes";
    within(until, settings, step, hearing).await?
}

/// Waits until our bytes and our close are acknowledged. The receiver's close may have come before it saw them: then a
/// reset is on its way. For the kernel the connection is over, and has no peer any more, when either came.
async fn acknowledged(tcp: &TcpStream) -> io::Result<()> {
    let mut pause = Duration::from_millis(1);
    loop {
        let over = tcp.peer_addr().is_err();
        if let Some(error) = tcp.take_error()? {
            return Err(error);
        }
        if over {
            return Ok(());
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

fn broken(settings: &SyslogSettings, error: &io::Error) -> Failure {
    match tls::refusal(error) {
        Some(refusal) => Failure {
            code: FailureCode::TlsRefused,
            message: format!("no TLS connection to {}: {}", place(settings), tls::explain(refusal)),
            hold: true,
        },
        None => {
            // Some look at a client's certificate only after TLS is agreed on, and then just hang up.
            let hint = match settings.tls {
                true => {
                    "; if this happens each time, the receiver's log says why, such as a `certificate_file` that it does not accept"
                }
                false => "",
            };
            let place = place(settings);
            let message = format!(
                "{place} ended the connection before it had read everything: {}{hint}",
                library_words::io(error)
            );
            again(FailureCode::ConnectionCut, message)
        }
    }
}

fn again(code: FailureCode, message: String) -> Failure {
    Failure { code, message, hold: false }
}

/// Host and port, for people.
fn place(settings: &SyslogSettings) -> String {
    format!("{}:{}", settings.host, settings.port)
}

/// An IPv6 address without the brackets that it has in a URL.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}
