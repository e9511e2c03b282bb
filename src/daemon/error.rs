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
    #[error("another svm-agent works in {0}")]
    AlreadyRunning(PathBuf),
    #[error("cannot be asked anything")]
    Socket(#[from] SocketError),
    #[error("cannot keep anything")]
    Store(#[from] StoreError),
    #[error("the gateway cannot run")]
    Gateway(#[source] std::io::Error),
    /// A part of the daemon ended, which it never should.
    #[error("a part of the agent ended: {0}")]
    Ended(String),
}
