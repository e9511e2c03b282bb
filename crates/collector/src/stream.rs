//! A client's connection: how fast it must take what it is sent, and whether it is still there.
//!
//! Promises: a client that takes nothing for the write timeout, or less than [`MIN_BYTES_PER_SECOND`] since the
//! collector began to wait for it, is cut; one that takes twice as much never is. What the kernel holds for it is
//! bounded too. A client that left is seen without writing to it.

use super::connections::Connection;
use rustix::net::{RecvFlags, recv};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// Bytes a second that a client must take. The kernel takes them in pieces, of about a third of its buffer.
const MIN_BYTES_PER_SECOND: u64 = 2048;
/// What the kernel holds of an answer for one client; it doubles it for its own needs (`socket(7)`).
const KERNEL_BUFFER: usize = 128 * 1024;
/// How often a client is checked while its query runs.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);
/// How long a query continues for a client that has closed its sending side, but may still read.
const HALF_CLOSED_TIMEOUT: Duration = Duration::from_secs(2);

/// The client, for what depends on it.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) connection: Arc<Connection>,
    stream: Arc<TcpStream>,
}

impl Peer {
    /// Over when the client left: its connection broke, or it closed its side a while ago.
    pub(super) async fn left(&self) {
        let mut closed_since: Option<Instant> = None;
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            let mut byte = [0_u8; 1];
            match recv(&self.stream, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
                Ok((0, _)) => {
                    if closed_since.get_or_insert_with(Instant::now).elapsed() >= HALF_CLOSED_TIMEOUT {
                        return;
                    }
                }
                Ok(_) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }
}

/// A client's stream that ends when the client is too slow.
pub(super) struct Paced {
    stream: Arc<TcpStream>,
    write_timeout: Duration,
    /// Since when something waits to be taken, and how much was taken since then.
    behind: Option<(Instant, u64)>,
    timer: Pin<Box<Sleep>>,
}

/// The stream for HTTP, and its other end for rules.
pub(super) fn split(
    stream: TcpStream,
    address: SocketAddr,
    connection: Arc<Connection>,
    write_timeout: Duration,
) -> (Paced, Peer) {
    // The kernel cuts a client that acknowledges nothing or keeps its window shut for this long.
    let milliseconds = u32::try_from(write_timeout.as_millis()).unwrap_or(u32::MAX);
    rustix::net::sockopt::set_tcp_user_timeout(&stream, milliseconds).ok();
    rustix::net::sockopt::set_socket_send_buffer_size(&stream, KERNEL_BUFFER).ok();
    stream.set_nodelay(true).ok();
    let stream = Arc::new(stream);
    let timer = Box::pin(tokio::time::sleep(write_timeout));
    let paced = Paced { stream: Arc::clone(&stream), write_timeout, behind: None, timer };
    (paced, Peer { address, connection, stream })
}

impl Paced {
    /// The client does not take what waits for it: whether that has lasted too long.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (since, taken) = *self.behind.get_or_insert_with(|| {
            let now = Instant::now();
            self.timer.as_mut().reset(now + self.write_timeout);
            (now, 0)
        });
        ready!(self.timer.as_mut().poll(cx));
        let elapsed = since.elapsed();
        if taken < elapsed.as_secs().saturating_mul(MIN_BYTES_PER_SECOND) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let next = Instant::now() + CHECK_INTERVAL.max(self.write_timeout / 4);
        self.timer.as_mut().reset(next);
        // Registers for the next look.
        match self.timer.as_mut().poll(cx) {
            Poll::Ready(()) | Poll::Pending => Poll::Pending,
        }
    }

    fn write(
        &mut self,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.stream.poll_write_ready(cx) {
                Poll::Pending => {
                    ready!(self.wait(cx))?;
                    return Poll::Pending;
                }
                Poll::Ready(ready) => ready?,
            }
            match attempt(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(count) => {
                    if let Some((_, taken)) = &mut self.behind {
                        *taken = taken.saturating_add(count as u64);
                    }
                    return Poll::Ready(Ok(count));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.stream.try_read(buffer.initialize_unfilled()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(count) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Paced {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().write(cx, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().write(cx, |stream| stream.try_write_vectored(parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Called when all was written: the client is not behind.
    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.behind = None;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(
            rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Write).map_err(io::Error::from),
        )
    }
}
