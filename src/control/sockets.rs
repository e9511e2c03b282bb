//! The two sockets: taken over from systemd, or made with their mode from the start.

use super::connect::is_served;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// Which socket a request came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketKind {
    /// For everyone: permits and a status without secrets.
    Query,
    /// For those who may change things.
    Control,
}

impl SocketKind {
    /// The name of the socket.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Query => "query.sock",
            Self::Control => "control.sock",
        }
    }

    /// What is taken away from 0777 when the socket is made: 0666 for everyone, 0660 for a group.
    fn umask(self) -> rustix::fs::Mode {
        rustix::fs::Mode::from_raw_mode(match self {
            Self::Query => 0o111,
            Self::Control => 0o117,
        })
    }
}

/// Why a socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("another svm-agent serves {0}; stop it first")]
    Taken(PathBuf),
    #[error("cannot open {path}")]
    Failed { path: PathBuf, source: std::io::Error },
}

/// Opens both sockets in `folder`, or takes those that systemd made.
///
/// # Errors
/// [`SocketError`] with the path.
pub fn open(folder: &Path) -> Result<Vec<(SocketKind, UnixListener)>, SocketError> {
    let mut given = Vec::new();
    let mut passed = listenfd::ListenFd::from_env();
    for index in 0..passed.len() {
        if let Ok(Some(listener)) = passed.take_unix_listener(index) {
            given.push(listener);
        }
    }
    let mut opened = Vec::new();
    for socket in [SocketKind::Query, SocketKind::Control] {
        let path = folder.join(socket.file_name());
        let failed = |source| SocketError::Failed { path: path.clone(), source };
        let named = |listener: &StdListener| {
            let address = listener.local_addr().ok();
            address.is_some_and(|a| {
                a.as_pathname().and_then(Path::file_name).is_some_and(|n| n == socket.file_name())
            })
        };
        let listener = match given.iter().position(named) {
            Some(index) => given.swap_remove(index),
            None => make(socket, &path)?,
        };
        listener.set_nonblocking(true).map_err(failed)?;
        opened.push((socket, UnixListener::from_std(listener).map_err(failed)?));
    }
    Ok(opened)
}

fn make(socket: SocketKind, path: &Path) -> Result<StdListener, SocketError> {
    let failed = |source| SocketError::Failed { path: path.to_owned(), source };
    if is_served(path) {
        return Err(SocketError::Taken(path.to_owned()));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    // A socket's mode comes from the umask alone; no other file is made meanwhile that does not name its own.
    let before = rustix::process::umask(socket.umask());
    let listener = StdListener::bind(path);
    rustix::process::umask(before);
    listener.map_err(failed)
}
