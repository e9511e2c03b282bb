//! What the daemon cannot work without.

use crate::control::SocketError;
use crate::storage::StoreError;
use std::path::PathBuf;

/// Why the daemon cannot work.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A folder or file cannot be used.
    #[error("cannot use {path}")]
    Path { path: PathBuf, source: std::io::Error },
    /// One is there already.
    #[error("another svm-agent uses the folder {0}; stop it first")]
    AlreadyRunning(PathBuf),
    #[error("cannot open the sockets for commands")]
    Socket(#[from] SocketError),
    #[error("cannot use the database")]
    Store(#[from] StoreError),
    #[error("cannot start the KSN gateway")]
    Gateway(#[source] std::io::Error),
    /// A part of the daemon ended, which it never should.
    #[error("a part of the agent ended unexpectedly: {0}")]
    Ended(String),
}
