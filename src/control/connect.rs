//! Connecting to a unix socket, never without a deadline: one whose queue is full would keep `connect(2)` waiting for
//! ever.

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Whether somebody listens at a socket. What is left in its queue by this, the listener finds closed.
pub fn is_served(path: &Path) -> bool {
    // One whose queue is full is served as well.
    matches!(at_once(path), Ok(_) | Err(Errno::AGAIN))
}

fn at_once(path: &Path) -> Result<OwnedFd, Errno> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &address)?;
    Ok(socket)
}

/// Waits for its turn where the queue is full: the kernel lets those that wait in one after the other.
fn in_turn(path: &Path, within: Duration) -> Result<OwnedFd, Errno> {
    let (address, until) = (SocketAddrUnix::new(path)?, Instant::now() + within);
    loop {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        // It bounds `connect` as well (`unix(7)`).
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(left))?;
        match rustix::net::connect(&socket, &address) {
            Ok(()) => return Ok(socket),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Connects to a socket.
///
/// # Errors
/// What the system says; [`io::ErrorKind::TimedOut`] where its queue stays full.
pub(super) async fn connect(path: &Path, within: Duration) -> io::Result<tokio::net::UnixStream> {
    let socket = match at_once(path) {
        Err(Errno::AGAIN) => {
            let (done, waits) = oneshot::channel();
            let path = path.to_owned();
            // A thread that nobody joins, so that a program that is ended meanwhile ends at once.
            std::thread::Builder::new()
                .name("connect".to_owned())
                .spawn(move || done.send(in_turn(&path, within)).ok())?;
            waits.await.unwrap_or(Err(Errno::AGAIN)).map_err(|error| match error {
                Errno::AGAIN => io::Error::new(
                    io::ErrorKind::TimedOut,
                    "too many other requests are waiting for an answer; try again later",
                ),
                error => error.into(),
            })?
        }
        made => made?,
    };
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(true)?;
    tokio::net::UnixStream::from_std(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_is_waited_for_so_long_and_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        assert_eq!(connect(&path, Duration::MAX).await.unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(!is_served(&path));
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        rustix::net::listen(&listener, 1).unwrap();
        let waiting: Vec<_> = std::iter::from_fn(|| at_once(&path).ok()).take(10).collect();
        assert!(waiting.len() < 10 && is_served(&path));
        let began = Instant::now();
        let refused = connect(&path, Duration::from_millis(200)).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        assert!((200..2000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
        // As soon as there is room it has its turn.
        let (connected, _) = tokio::join!(connect(&path, Duration::from_secs(10)), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            listener.accept().unwrap()
        });
        connected.unwrap();
        drop(listener);
        assert!(!is_served(&path));
    }
}
