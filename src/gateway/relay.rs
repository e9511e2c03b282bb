//! Passing bytes on between two connections, both ways, with the end of each.
//!
//! Promises: nothing is kept for a connection that is idle. What is read lies in one buffer of the thread and is
//! written at once; only what the other side does not take is kept, in a buffer of its own, and until that is written
//! nothing more is read: the kernel slows down a side that sends faster than the other reads.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// What is read at once.
const SCRATCH_BYTES: usize = 256 * 1024;

/// Where so much is held for peers that do not take it, less is read at once, so that many of them hold little more.
const HELD_MUCH_BYTES: usize = 16 * 1024 * 1024;
const LITTLE_BYTES: usize = 8 * 1024;

/// So many reads in a row before other connections have their turn.
const TURN: u32 = 8;

thread_local! {
    /// One for all connections of the thread: it is empty whenever none of them runs.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice());

    /// What all connections of the thread hold, in bytes.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// One way of a connection.
#[derive(Default)]
pub(crate) struct Direction {
    /// What the other side did not take yet, from `written` on.
    held: Vec<u8>,
    written: usize,
    /// Since when the other side takes nothing of it.
    stuck: Option<Instant>,
    /// Whether a byte went since this was last looked at.
    moved: bool,
    /// The sender has ended.
    ended: bool,
    /// That was passed on, after all that was sent.
    over: bool,
}

impl Direction {
    /// Since when the receiver takes nothing of what waits for it.
    pub(crate) fn stuck(&self) -> Option<Instant> {
        self.stuck
    }

    /// Whether a byte went since this was last asked.
    pub(crate) fn moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Whether all was passed on, the end too.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Takes what the sender has sent already, before there is a receiver. Whether there is something to send.
    ///
    /// # Errors
    /// Where the sender hung up.
    pub(crate) async fn take_first(&mut self, from: &mut TcpStream) -> io::Result<bool> {
        // What came with the connection is known when the kernel was asked once more.
        tokio::task::yield_now().await;
        poll_fn(|cx| {
            Poll::Ready(SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch.get_mut(..LITTLE_BYTES).unwrap_or_default());
                if Pin::new(&mut *from).poll_read(cx, &mut buffer)?.is_ready() {
                    self.hold(buffer.filled());
                    self.ended = self.held.is_empty();
                }
                Ok(!self.held.is_empty())
            }))
        })
        .await
    }

    /// Passes on everything there is, then waits. `Ready` when the end was passed on; where the
    /// `other_is_over`, closing both connections does that.
    pub(crate) fn poll(
        &mut self,
        from: &mut TcpStream,
        to: &mut TcpStream,
        other_is_over: bool,
        total: &AtomicU64,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        for _ in 0..TURN {
            if self.over {
                return Poll::Ready(Ok(()));
            }
            if !self.held.is_empty() {
                ready!(self.poll_held(to, total, cx))?;
            } else if self.ended {
                if !other_is_over {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                }
                self.over = true;
            } else {
                ready!(SCRATCH.with_borrow_mut(|scratch| self.poll_through(scratch, from, to, total, cx)))?;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Keeps a copy of what is to be written later, instead of what was kept.
    fn hold(&mut self, bytes: &[u8]) {
        HELD.set(HELD.get().saturating_sub(self.held.len()).saturating_add(bytes.len()));
        (self.held, self.written) = (bytes.to_vec(), 0);
    }

    /// Writes what is held. `Ready` when all of it was.
    fn poll_held(
        &mut self,
        to: &mut TcpStream,
        total: &AtomicU64,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = self.held.get(self.written..).filter(|rest| !rest.is_empty()) {
            let Poll::Ready(count) = Pin::new(&mut *to).poll_write(cx, rest)? else {
                self.stuck.get_or_insert_with(Instant::now);
                return Poll::Pending;
            };
            self.written = self.written.saturating_add(count);
            self.moved = true;
            count_bytes(total, count);
            if self.written < self.held.len() {
                self.stuck = Some(Instant::now());
            }
        }
        self.hold(&[]);
        self.stuck = None;
        Poll::Ready(Ok(()))
    }

    /// Reads once and writes it, or keeps what cannot be written.
    fn poll_through(
        &mut self,
        scratch: &mut [u8],
        from: &mut TcpStream,
        to: &mut TcpStream,
        total: &AtomicU64,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let most = if HELD.get() < HELD_MUCH_BYTES { SCRATCH_BYTES } else { LITTLE_BYTES };
        let mut buffer = ReadBuf::new(scratch.get_mut(..most).unwrap_or_default());
        ready!(Pin::new(from).poll_read(cx, &mut buffer))?;
        let read = buffer.filled();
        if read.is_empty() {
            self.ended = true;
            return Poll::Ready(Ok(()));
        }
        self.moved = true;
        let count = match Pin::new(to).poll_write(cx, read)? {
            Poll::Ready(count) => count,
            Poll::Pending => 0,
        };
        count_bytes(total, count);
        if let Some(rest) = read.get(count..).filter(|rest| !rest.is_empty()) {
            self.hold(rest);
            self.stuck = Some(Instant::now());
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Direction {
    fn drop(&mut self) {
        self.hold(&[]);
    }
}

fn count_bytes(total: &AtomicU64, count: usize) {
    total.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Relaxed);
}
