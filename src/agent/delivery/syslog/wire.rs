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

use super::{Failure, Kept, SyslogSettings, frame};
use crate::tls;
use rustls::pki_types::ServerName;
use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

/// Bytes that are gathered before they are written.
const CHUNK: usize = 16 * 1024;

/// A receiver says nothing. One that says more than this is something else.
const MOST_SAID: usize = 16 * 1024;

/// Addresses of a name that are tried.
const MOST_ADDRESSES: usize = 8;

/// What is under way, for the message when the time is up.
type Stage = Cell<&'static str>;

pub(super) async fn send(
    settings: &SyslogSettings,
    connector: Option<TlsConnector>,
    batch: &[Kept<'_>],
) -> Result<(), Failure> {
    let stage = Stage::new("looking up its name");
    match timeout(settings.timeout, exchange(settings, connector, batch, &stage)).await {
        Ok(done) => done,
        Err(_) => Err(again(
            "timeout",
            format!(
                "{} was not done with the whole batch within the time limit: stopped while {}",
                place(settings),
                stage.get()
            ),
        )),
    }
}

async fn exchange(
    settings: &SyslogSettings,
    connector: Option<TlsConnector>,
    batch: &[Kept<'_>],
    stage: &Stage,
) -> Result<(), Failure> {
    let tcp = connect(settings, stage).await?;
    let broken = |error: &io::Error| broken(settings, error);
    match connector {
        None => {
            let mut stream = tcp;
            say(&mut stream, settings, batch, stage, |s| s).await.map_err(|e| broken(&e))?;
            hear_the_end(&mut stream, settings, stage, |s| s).await
        }
        Some(connector) => {
            stage.set("agreeing on TLS");
            let host = bare(&settings.host).to_owned();
            let name = ServerName::try_from(host).map_err(|_| Failure {
                code: "connection_settings",
                message: format!("`{}` is neither a name nor an address: correct the host", settings.host),
                hold: true,
            })?;
            let mut stream = connector.connect(name, tcp).await.map_err(|e| broken(&e))?;
            if let Err(error) = say(&mut stream, settings, batch, stage, |s| s.get_ref().0).await {
                // The receiver may have said why, before it broke off.
                let said = timeout(Duration::from_secs(1), stream.read(&mut [0; 1])).await;
                return Err(match said {
                    Ok(Err(why)) if tls::refusal(&why).is_some() => broken(&why),
                    _ => broken(&error),
                });
            }
            hear_the_end(&mut stream, settings, stage, |s| s.get_ref().0).await
        }
    }
}

/// A connection to the first address that takes one. Each has its share of the time, so that one that is dead does
/// not stand in the way of the others.
async fn connect(settings: &SyslogSettings, stage: &Stage) -> Result<TcpStream, Failure> {
    let host = bare(&settings.host);
    let found = tokio::net::lookup_host((host, settings.port)).await;
    let found = found.map_err(|e| again("unreachable", format!("cannot look up {host}: {e}")))?;
    let addresses: Vec<SocketAddr> = found.take(MOST_ADDRESSES).collect();
    stage.set("connecting");
    let share = settings.timeout / u32::try_from(addresses.len()).unwrap_or(1).max(1);
    let mut problem = "the name has no address".to_owned();
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => problem = format!("{address}: {error}"),
            Err(_) => problem = format!("{address}: no answer"),
        }
    }
    Err(again("unreachable", format!("cannot connect to {}: {problem}", place(settings))))
}

/// Writes the batch, and closes our side behind it.
async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    settings: &SyslogSettings,
    batch: &[Kept<'_>],
    stage: &Stage,
    tcp: impl Fn(&S) -> &TcpStream,
) -> io::Result<()> {
    stage.set("writing: the receiver reads too slowly, or not at all");
    let from = tcp(stream).local_addr().ok().map(|address| address.ip());
    let mut gathered = Vec::with_capacity(CHUNK);
    for kept in batch {
        frame(&mut gathered, settings, *kept, from);
        if gathered.len() >= CHUNK {
            stream.write_all(&gathered).await?;
            gathered.clear();
        }
    }
    stream.write_all(&gathered).await?;
    stream.flush().await?;
    if over_already(stream).await? {
        return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "it closed before the end"));
    }
    stream.shutdown().await
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
    stage: &Stage,
    tcp: impl Fn(&S) -> &TcpStream,
) -> Result<(), Failure> {
    stage.set("waiting for the receiver to read to the end and close: it is stuck, or it never closes");
    let mut said = 0;
    let mut buffer = [0; 512];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => break,
            // Many close TCP without a word of TLS. Whether it was in order is seen below all the same.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(broken(settings, &error)),
            Ok(some) => said += some,
        }
        if said > MOST_SAID {
            return Err(Failure {
                code: "not_a_receiver",
                message: format!(
                    "{} talks, which no syslog receiver does: correct the port",
                    place(settings)
                ),
                hold: true,
            });
        }
    }
    // The receiver's close may have come before it saw our bytes: then a reset is on its way. The connection is over
    // for the kernel, and has no peer any more, when both closes were acknowledged or a reset came.
    let mut pause = Duration::from_millis(1);
    loop {
        let over = tcp(stream).peer_addr().is_err();
        if let Some(error) = tcp(stream).take_error().unwrap_or_else(Some) {
            return Err(broken(settings, &error));
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
            code: "tls_refused",
            message: format!("no TLS with {}: {}", place(settings), tls::explain(refusal)),
            hold: true,
        },
        None => {
            // Some look at a client's certificate only after TLS is agreed on, and then just hang up.
            let hint = match settings.tls {
                true => {
                    "; if it always does, its log says why, such as a `certificate_file` that it does not accept"
                }
                false => "",
            };
            let place = place(settings);
            let message =
                format!("{place} broke the connection before it had read everything: {error}{hint}");
            again("connection_cut", message)
        }
    }
}

fn again(code: &'static str, message: String) -> Failure {
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
