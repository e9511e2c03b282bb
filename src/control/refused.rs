//! Connections that are refused, with a body that says why.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::Shutdown;
use tokio::net::UnixStream;

/// Connections that were refused, the latest of them. They stay open until others come: who is cut off while it still
/// sends its request would not read why.
#[derive(Default)]
pub(super) struct RefusedConnections(VecDeque<std::os::unix::net::UnixStream>);

impl RefusedConnections {
    /// So many stay open.
    const MAX: usize = 32;

    /// Refuses a connection with a body that says why, without waiting for anything.
    pub(super) fn refuse(&mut self, stream: UnixStream, why: &str) {
        let Ok(mut stream) = stream.into_std() else { return };
        let head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close";
        // It fits into what the kernel holds for a new connection; if it does not, the caller gets no answer.
        stream
            .write_all(format!("{head}\r\nContent-Length: {}\r\n\r\n{why}\n", why.len() + 1).as_bytes())
            .ok();
        stream.shutdown(Shutdown::Write).ok();
        if self.0.len() >= Self::MAX {
            // What is closed with something unread, is reset.
            if let Some(mut first) = self.0.pop_front() {
                drop(first.read(&mut [0; 4096]));
            }
        }
        self.0.push_back(stream);
    }
}
