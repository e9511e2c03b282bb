//! The door: a listening socket that is there as soon as its port is free, and that is not overrun.

use crate::log::log_event;
use crate::outage::{FailureKind, Outage};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;
use svm_core::backoff::Backoff;
use svm_core::clock::Clock;
use svm_core::failure_code::FailureCode;
use svm_core::library_words;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;

/// A port that is taken is tried again after so long, then after twice that, up to the second.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));

/// So many connections that nobody took yet may wait in the kernel.
const BACKLOG: u32 = 4096;

/// Of connections that are refused, so many are taken in such a time; the others wait in the kernel. One takes about
/// 10 µs, so that a flood keeps the thread busy for an eighth of its time.
const BURST: u32 = 64;
const BURST_TIME: Duration = Duration::from_millis(5);

/// After the system could not give a connection, such as for want of open files.
const FAILED: Duration = Duration::from_millis(100);

/// A connection, and where it comes from.
pub(crate) type Coming = (TcpStream, SocketAddr);

pub(crate) struct Listener {
    listen: SocketAddr,
    /// For the log.
    name: String,
    clock: Clock,
    listener: Option<TcpListener>,
    outage: Option<Outage>,
    /// Nothing is taken, and no port tried, before.
    pub(crate) closed_until: Option<Instant>,
    /// Failures to bind the port, in a row.
    failures: u32,
    burst: (Instant, u32),
}

impl Listener {
    pub(crate) fn new(listen: SocketAddr, clock: Clock) -> Self {
        Self {
            listen,
            name: listen.to_string(),
            clock,
            listener: None,
            outage: None,
            closed_until: None,
            failures: 0,
            burst: (Instant::now(), 0),
        }
    }

    /// Why nothing can be taken.
    pub(crate) fn problem(&self) -> Option<String> {
        self.outage.as_ref().map(|outage| outage.message.clone())
    }

    /// Opens the door where it is not: binds the port. Answers whether it is open.
    pub(crate) fn open(&mut self) -> bool {
        if self.listener.is_some() {
            return true;
        }
        match bind(self.listen) {
            Ok(listener) => {
                self.listener = Some(listener);
                self.failures = 0;
                Outage::over(&mut self.outage, FailureKind::Port(&self.name));
                let listen = self.listen;
                log_event!(GATEWAY_LISTENS, %listen);
                true
            }
            Err(error) => {
                let message = format!("cannot listen on {}: {}", self.listen, library_words::io(&error));
                Outage::note(
                    &mut self.outage,
                    self.clock.now(),
                    FailureKind::Port(&self.name),
                    FailureCode::Listen,
                    message,
                );
                self.closed_until = Some(Instant::now() + BACKOFF.span(self.failures));
                self.failures = self.failures.saturating_add(1);
                false
            }
        }
    }

    /// A connection that comes. Where the system cannot give it, the door is closed for a moment.
    pub(crate) async fn take(&mut self) -> Option<Coming> {
        let taken = match &self.listener {
            Some(listener) => listener.accept().await,
            None => std::future::pending().await,
        };
        self.check_accepted(taken)
    }

    /// Another connection, where one is there already.
    pub(crate) async fn take_next(&mut self) -> Option<Coming> {
        let listener = self.listener.as_ref()?;
        let taken = poll_fn(|cx| Poll::Ready(listener.poll_accept(cx))).await;
        match taken {
            Poll::Ready(taken) => self.check_accepted(taken),
            Poll::Pending => None,
        }
    }

    fn check_accepted(&mut self, taken: io::Result<Coming>) -> Option<Coming> {
        match taken {
            Ok(coming) => {
                if self.outage.is_some() {
                    Outage::over(&mut self.outage, FailureKind::Port(&self.name));
                }
                Some(coming)
            }
            // It went away before it was taken.
            Err(error) if is_of_the_connection(&error) => None,
            Err(error) => {
                let message =
                    format!("cannot accept connections on {}: {}", self.listen, library_words::io(&error));
                Outage::note(
                    &mut self.outage,
                    self.clock.now(),
                    FailureKind::Port(&self.name),
                    FailureCode::Accept,
                    message,
                );
                self.closed_until = Some(Instant::now() + FAILED);
                None
            }
        }
    }

    /// Counts one that was refused; after a burst of them the door is closed for a moment.
    pub(crate) fn refused(&mut self) {
        let (began, count) = self.burst;
        let now = Instant::now();
        if now.duration_since(began) >= BURST_TIME {
            self.burst = (now, 1);
        } else if count < BURST {
            self.burst = (began, count.saturating_add(1));
        } else {
            self.closed_until = Some(began + BURST_TIME);
        }
    }
}

fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections of an earlier run that linger in TIME_WAIT do not keep the port.
    socket.set_reuseaddr(true)?;
    // What is taken inherits it (`tcp(7)`).
    socket.set_nodelay(true)?;
    socket.bind(listen)?;
    socket.listen(BACKLOG)
}

/// Whether an error of `accept(2)` is one of the connection that was taken, and the next may be had at once.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkDown, NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionReset
            | HostUnreachable
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
    )
}
