//! One connection, from when it is let in until it is closed.
//!
//! Promises: however it ends, what was open is closed: with an end that was passed on in both directions, or else with
//! a reset, so that no peer takes what it got for the whole.

use crate::gateway::relay::Direction;
use crate::gateway::shared::Shared;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;
use svm_core::clock::Clock;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

/// What bounds a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) connect_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_age: Duration,
}

/// A connection that is reset when this is dropped, unless it was let go.
struct Held {
    stream: TcpStream,
    reset: bool,
}

impl Held {
    fn new(stream: TcpStream) -> Self {
        Self { stream, reset: true }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.reset {
            // Where that cannot be set it is closed all the same.
            self.stream.set_zero_linger().ok();
        }
    }
}

/// Closes a connection with a reset.
pub(crate) fn refuse(client: TcpStream) {
    drop(Held::new(client));
}

/// Counts one connection to an upstream as long as it lives.
struct Counted<'a>(&'a AtomicU64);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// A client that was let in; it counts as open from now on, and is reset when this is dropped.
pub(crate) struct Client {
    held: Held,
    /// By which it is known whose it is.
    number: u64,
    shared: Arc<Shared>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shared.owners.forget(self.number);
        self.shared.closed_one();
    }
}

impl Client {
    pub(crate) fn let_in(stream: TcpStream, number: u64, shared: Arc<Shared>) -> Self {
        shared.accepted.fetch_add(1, Relaxed);
        shared.open.fetch_add(1, Relaxed);
        Self { held: Held::new(stream), number, shared }
    }

    /// Connects it to an upstream and relays until both have ended, or a bound is reached.
    pub(crate) async fn serve(mut self, bounds: Bounds, clock: Clock) {
        let began = Instant::now();
        let shared = self.shared.clone();
        let mut up = Direction::default();
        let Ok(first) = up.take_first(&mut self.held.stream).await else { return };
        let connected = shared.targets.connect(bounds.connect_timeout, first, &clock).await;
        let Some((upstream, target)) = connected else {
            shared.upstream_failed.fetch_add(1, Relaxed);
            return;
        };
        let _connection = Counted::new(&target.connections);
        relay(&mut self.held, Held::new(upstream), up, &shared, bounds, began).await;
    }
}

/// How a connection ended.
enum Ended {
    Well,
    /// One peer hung up: the other gets a reset.
    Broken,
    Idle,
    Old,
}

async fn relay(
    client: &mut Held,
    mut upstream: Held,
    mut up: Direction,
    shared: &Shared,
    bounds: Bounds,
    began: Instant,
) {
    let mut down = Direction::default();
    let ends = began + bounds.max_age;
    let mut active = Instant::now();
    // Rings at the earliest instant at which there may be something to close; what happens meanwhile puts that off,
    // which is seen when it rings. So work sets no timer.
    let mut timer = pin!(sleep_until(ends.min(active + bounds.idle_timeout)));
    let ended = poll_fn(|cx| {
        let (client, upstream) = (&mut client.stream, &mut upstream.stream);
        let passed = up.poll(client, upstream, down.is_over(), &shared.relayed_up, cx);
        if let Poll::Ready(Err(_)) = passed {
            return Poll::Ready(Ended::Broken);
        }
        let passed = down.poll(upstream, client, up.is_over(), &shared.relayed_down, cx);
        if let Poll::Ready(Err(_)) = passed {
            return Poll::Ready(Ended::Broken);
        }
        if up.is_over() && down.is_over() {
            return Poll::Ready(Ended::Well);
        }
        // Both are asked: each forgets.
        if up.moved() | down.moved() {
            active = Instant::now();
        }
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let since = [up.stuck(), down.stuck()].into_iter().flatten().fold(active, Instant::min);
            if now >= ends {
                return Poll::Ready(Ended::Old);
            } else if now >= since + bounds.idle_timeout {
                return Poll::Ready(Ended::Idle);
            }
            timer.as_mut().reset(ends.min(since + bounds.idle_timeout));
        }
        Poll::Pending
    })
    .await;
    match ended {
        Ended::Well => (client.reset, upstream.reset) = (false, false),
        Ended::Broken => {}
        Ended::Idle => drop(shared.closed_idle.fetch_add(1, Relaxed)),
        Ended::Old => drop(shared.closed_age.fetch_add(1, Relaxed)),
    }
}
