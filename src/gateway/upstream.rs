//! Where look-ups go: the first upstream that works, and when one that did not is tried again.

use crate::config::Upstream;
use crate::health::UpstreamHealth;
use crate::outage::{FailureKind, Outage};
use rustix::net::sockopt::set_tcp_quickack;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;
use svm_core::backoff::Backoff;
use svm_core::clock::Clock;
use svm_core::failure_code::FailureCode;
use svm_core::library_words;
use svm_core::lock::lock;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

/// One that failed is tried again after so long, then after twice that, up to the second.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(10), Duration::from_secs(60));

/// What a name was looked up to is good for so long.
const NAME_TTL: Duration = Duration::from_secs(60);

#[derive(Debug)]
enum Place {
    Fixed(SocketAddr),
    Name(tokio::sync::Mutex<Option<(Vec<SocketAddr>, Instant)>>),
}

#[derive(Debug, Default)]
struct Failing {
    outage: Option<Outage>,
    /// It is tried again from then on.
    retry: Option<Instant>,
    /// How often it was tried again since it failed first.
    retries: u32,
}

/// One upstream, and what is known of it.
#[derive(Debug)]
pub(crate) struct Target {
    upstream: Upstream,
    place: Place,
    failing: Mutex<Failing>,
    pub(crate) connections: AtomicU64,
}

impl Target {
    fn new(upstream: Upstream) -> Self {
        let place = match upstream.host.parse::<IpAddr>() {
            Ok(ip) => Place::Fixed(SocketAddr::new(ip, upstream.port)),
            Err(_) => Place::Name(tokio::sync::Mutex::default()),
        };
        Self { upstream, place, failing: Mutex::default(), connections: AtomicU64::new(0) }
    }

    fn failing(&self) -> MutexGuard<'_, Failing> {
        lock(&self.failing)
    }

    fn health(&self) -> UpstreamHealth {
        let failing = self.failing();
        let outage = failing.outage.as_ref();
        UpstreamHealth {
            address: self.upstream.to_string(),
            healthy: outage.is_none(),
            failing_since: outage.map(|outage| outage.since),
            failures: outage.map_or(0, |outage| outage.times),
            connections: self.connections.load(Relaxed),
        }
    }

    /// Whether a client is sent here now. Where a look is due at one that failed, one client makes it, and the others
    /// do not wait for it.
    fn is_offered(&self) -> bool {
        let mut failing = self.failing();
        match failing.retry {
            None => true,
            Some(at) if Instant::now() >= at => {
                failing.retries = failing.retries.saturating_add(1);
                failing.retry = Some(Instant::now() + BACKOFF.span(failing.retries));
                true
            }
            Some(_) => false,
        }
    }

    async fn connect(&self, within: Duration, first: bool, clock: &Clock) -> Option<TcpStream> {
        let made = match in_time(within, self.reach(first)).await {
            Some(made) => made,
            None => Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {within:?}"))),
        };
        let name = self.upstream.to_string();
        let mut failing = self.failing();
        match made {
            Ok(stream) => {
                if failing.outage.is_some() {
                    Outage::over(&mut failing.outage, FailureKind::Upstream(&name));
                    *failing = Failing::default();
                }
                Some(stream)
            }
            // It says nothing of the upstream.
            Err(error) if is_of_this_process(&error) => None,
            Err(error) => {
                let message =
                    format!("cannot connect to {}: {}", self.upstream, library_words::connecting(&error));
                Outage::note(
                    &mut failing.outage,
                    clock.now(),
                    FailureKind::Upstream(&name),
                    FailureCode::Unreachable,
                    message,
                );
                if failing.retry.is_none() {
                    failing.retry = Some(Instant::now() + BACKOFF.span(0));
                }
                None
            }
        }
    }

    async fn reach(&self, first: bool) -> io::Result<TcpStream> {
        match &self.place {
            Place::Fixed(address) => connect(*address, first).await,
            Place::Name(known) => {
                let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                for address in self.addresses(known).await? {
                    match connect(address, first).await {
                        Ok(stream) => return Ok(stream),
                        Err(error) => failed = error,
                    }
                }
                Err(failed)
            }
        }
    }

    /// The addresses of a name. One look-up is made at a time; where it fails, what was known before is used.
    async fn addresses(
        &self,
        known: &tokio::sync::Mutex<Option<(Vec<SocketAddr>, Instant)>>,
    ) -> io::Result<Vec<SocketAddr>> {
        let mut known = known.lock().await;
        if let Some((addresses, at)) = &*known
            && at.elapsed() < NAME_TTL
        {
            return Ok(addresses.clone());
        }
        let Upstream { host, port } = &self.upstream;
        match tokio::net::lookup_host((host.as_str(), *port)).await {
            Ok(found) => {
                let found: Vec<SocketAddr> = found.collect();
                *known = Some((found.clone(), Instant::now()));
                Ok(found)
            }
            Err(error) => known.as_ref().map(|(addresses, _)| addresses.clone()).ok_or(error),
        }
    }
}

/// Where there is something to be sent at once, that is also the answer to the other side's part of the handshake, and
/// no packet of its own is: the upstream wakes up once, for both (`tcp(7)`, TCP_QUICKACK; it lasts until then).
async fn connect(address: SocketAddr, first: bool) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_nodelay(true)?;
    if first {
        set_tcp_quickack(&socket, false)?;
    }
    socket.connect(address).await
}

/// Waits so long at most. Most connections are there when the kernel was asked once: they need no timer, and setting
/// one that is earlier than all others would wake the thread once more.
async fn in_time<T>(within: Duration, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    for _ in 0..2 {
        if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
            return Some(done);
        }
        tokio::task::yield_now().await;
    }
    timeout(within, work).await.ok()
}

/// Whether an error is for want of something here, such as open files.
fn is_of_this_process(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

#[derive(Debug)]
pub(crate) struct Targets(Vec<Target>);

impl Targets {
    pub(crate) fn new(upstreams: &[Upstream]) -> Self {
        Self(upstreams.iter().cloned().map(Target::new).collect())
    }

    pub(crate) fn health(&self) -> Vec<UpstreamHealth> {
        self.0.iter().map(Target::health).collect()
    }

    /// A connection to the first that works, of those that are said to work; where none does, of all. `first` says
    /// whether there is something to be sent at once.
    pub(crate) async fn connect(
        &self,
        within: Duration,
        first: bool,
        clock: &Clock,
    ) -> Option<(TcpStream, &Target)> {
        let mut last = Vec::new();
        for target in &self.0 {
            if !target.is_offered() {
                last.push(target);
            } else if let Some(stream) = target.connect(within, first, clock).await {
                return Some((stream, target));
            }
        }
        for target in last {
            if let Some(stream) = target.connect(within, first, clock).await {
                return Some((stream, target));
            }
        }
        None
    }
}
