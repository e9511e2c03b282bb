//! What goes wrong with the store.

use std::path::PathBuf;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened or prepared.
    #[error("cannot open the store {}", path.display())]
    Open { path: PathBuf, source: rusqlite::Error },
    /// The file is of a newer collector.
    #[error("the store {} has tables of version {found}, which this version does not know", path.display())]
    Version {
        path: PathBuf,
        /// The version it has.
        found: i64,
    },
    /// A thread could not be started.
    #[error("cannot start the store's thread")]
    Thread(#[source] std::io::Error),
    #[error("cannot read the store")]
    Read(#[source] rusqlite::Error),
    /// A transaction failed; nothing of the request was stored.
    #[error("cannot write the store")]
    Write(#[source] rusqlite::Error),
    /// Too many requests wait.
    #[error("too many requests wait for the store")]
    Busy,
    /// A question took longer than its deadline.
    #[error("the question took too long")]
    TooLong,
    /// The store is closing.
    #[error("the store is closed")]
    Closed,
    /// The token belongs to another source.
    #[error("the token belongs to another source")]
    TokenOfAnother,
    /// The source belongs to another token, or was there before the token.
    #[error("the source belongs to another sender")]
    SourceOfAnother,
    /// There are as many sources as there may be.
    #[error("there is no room for another source")]
    TooManySources,
}
