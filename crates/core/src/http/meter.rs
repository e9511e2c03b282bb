//! A connection whose answers are bounded before anybody parses them: the heads of one answer, interim ones (1xx)
//! included, and the bytes behind them. A peer that talks without end is hung up on after a fixed amount of work, not
//! only after a time.

use crate::lock::lock;
use hyper::rt::{Read, ReadBufCursor, Write};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// All heads of one answer.
pub(super) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Interim answers before the one that counts.
const MAX_INTERIM: u8 = 16;

/// What is read of a body before somebody says how much it may have.
const UNASKED_BYTES: usize = 1024 * 1024;

/// Read at once at most.
const MAX_READ: usize = 16 * 1024;

/// Why reading an answer ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Overrun {
    #[error("its head is longer than 64 KiB")]
    Head,
    #[error("it begins with more than 16 interim answers (1xx)")]
    Interim,
    #[error("it has more bytes on the wire than its content could need")]
    Body,
}

/// Where an answer is, by its bytes.
#[derive(Debug, Default)]
struct State {
    /// Of all heads so far.
    head: usize,
    /// The beginning of the status line.
    status: [u8; 12],
    /// Characters of the line that is read now.
    line: usize,
    /// The status line is over.
    begun: bool,
    interim: u8,
    /// Behind the heads: what may still come.
    body: Option<usize>,
}

impl State {
    fn take(&mut self, mut bytes: &[u8]) -> Result<(), Overrun> {
        while self.body.is_none()
            && let Some((&byte, rest)) = bytes.split_first()
        {
            bytes = rest;
            self.head += 1;
            if self.head > MAX_HEAD_BYTES {
                return Err(Overrun::Head);
            }
            match byte {
                b'\n' if self.line > 0 => (self.begun, self.line) = (true, 0),
                // Empty lines before the status line belong to nothing.
                b'\n' if self.begun => self.head_is_over()?,
                b'\n' | b'\r' => {}
                byte => {
                    if let Some(place) = self.status.get_mut(self.line).filter(|_| !self.begun) {
                        *place = byte;
                    }
                    self.line += 1;
                }
            }
        }
        match &mut self.body {
            Some(left) => {
                *left = left.checked_sub(bytes.len()).ok_or(Overrun::Body)?;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn head_is_over(&mut self) -> Result<(), Overrun> {
        // `HTTP/1.1 100`; 101 is no interim answer: what follows is another protocol.
        let [.., hundreds, tens, ones] = self.status;
        if hundreds != b'1' || [tens, ones] == *b"01" {
            self.body = Some(UNASKED_BYTES);
            return Ok(());
        }
        (self.begun, self.interim) = (false, self.interim + 1);
        if self.interim > MAX_INTERIM { Err(Overrun::Interim) } else { Ok(()) }
    }
}

/// Counts what a connection's answers have.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter(Arc<Mutex<State>>);

impl Meter {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut lock(&self.0))
    }

    /// The next answer is a new one.
    pub(super) fn begin(&self) {
        self.with(|state| *state = State::default());
    }

    /// So much may still come of the body that is read now.
    pub(super) fn allow(&self, bytes: usize) {
        self.with(|state| state.body = state.body.map(|_| bytes));
    }
}

/// A stream whose incoming bytes are counted. For hyper.
pub(super) struct Metered<S> {
    pub(super) stream: S,
    pub(super) meter: Meter,
}

impl<S: AsyncRead + Unpin> Read for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut space = [std::mem::MaybeUninit::uninit(); MAX_READ];
        let room = into.remaining().min(MAX_READ);
        let Some(space) = space.get_mut(..room) else { return Poll::Ready(Ok(())) };
        let mut buffer = ReadBuf::uninit(space);
        std::task::ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        let bytes = buffer.filled();
        self.meter.with(|state| state.take(bytes)).map_err(io::Error::other)?;
        into.put_slice(bytes);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Write for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fed(parts: &[&[u8]]) -> (Result<(), Overrun>, State) {
        let mut state = State::default();
        for part in parts {
            if let Err(overrun) = state.take(part) {
                return (Err(overrun), state);
            }
        }
        (Ok(()), state)
    }

    #[test]
    fn heads_end_where_they_end_however_they_come() {
        let answer = b"\r\nHTTP/1.1 100 Continue\r\na: b\r\n\r\nHTTP/1.1 200 OK\r\nc: d\r\n\r\nbody";
        let split: Vec<&[u8]> = answer.chunks(1).collect();
        for parts in [&[&answer[..]][..], &split] {
            let (outcome, state) = fed(parts);
            assert_eq!((outcome, state.interim, state.body), (Ok(()), 1, Some(UNASKED_BYTES - 4)));
        }
        assert_eq!(fed(&[b"HTTP/1.1 101 Now\n\nwhatever"]).1.body, Some(UNASKED_BYTES - 8));
        assert_eq!(fed(&[b"HTTP/1.1 204 None\r\n\r\n"]).1.body, Some(UNASKED_BYTES));
    }

    #[test]
    fn what_has_no_end_is_cut_off() {
        assert_eq!(fed(&[&b"HTTP/1.1 103 Early\r\n\r\n".repeat(17)]).0, Err(Overrun::Interim));
        assert_eq!(fed(&[b"HTTP/1.1 200 OK\r\n", &b"a: b\r\n".repeat(20_000)]).0, Err(Overrun::Head));
        assert_eq!(fed(&[&b"\r\n".repeat(40_000)]).0, Err(Overrun::Head));
        assert_eq!(fed(&[b"HTTP/1.1 100 ", &[b'x'; 70_000]]).0, Err(Overrun::Head));
        let meter = Meter::default();
        meter.with(|state| state.take(b"HTTP/1.1 200 OK\r\n\r\n")).unwrap();
        meter.allow(5);
        meter.with(|state| state.take(b"12345")).unwrap();
        assert_eq!(meter.with(|state| state.take(b"6")), Err(Overrun::Body));
        meter.begin();
        meter.with(|state| state.take(b"HTTP/1.1 200 OK\r\n\r\n")).unwrap();
    }

    proptest! {
        /// Wherever the reads are cut, the same is counted.
        #[test]
        fn cuts_change_nothing(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'1'), any::<u8>()], 0..300), at in 0_usize..300) {
            let (one, two) = bytes.split_at(at.min(bytes.len()));
            let (whole, cut) = (fed(&[&bytes]), fed(&[one, two]));
            prop_assert_eq!(format!("{whole:?}"), format!("{cut:?}"));
        }
    }
}
