//! Why the store did not do what it was asked.

use crate::storage::sql::SCHEMA_VERSION;
use std::path::PathBuf;
use svm_core::library_words;

/// Why the store did not do what it was asked. Nothing of it was kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No room on the disk.
    #[error("the disk is full")]
    Full,
    /// The database is not one any more.
    #[error("the database is damaged: {0}")]
    Damaged(#[source] Damage),
    /// The disk does not work, or something else is wrong with it.
    #[error("cannot use the database: {0}")]
    Failed(#[source] SqliteError),
    /// No thread could be made for it.
    #[error("cannot use the database: cannot start its thread: {}", library_words::io(.0))]
    NoThread(#[source] std::io::Error),
    /// A file beside the database cannot be used.
    #[error("cannot use {path}: {}", library_words::io(source))]
    File { path: PathBuf, source: std::io::Error },
    /// A newer program made the database.
    #[error(
        "a newer svm-agent made the database (schema {found}, this version knows {known}); upgrade svm-agent, or restore a backup",
        known = SCHEMA_VERSION
    )]
    Newer {
        /// The version of its schema.
        found: i64,
    },
    /// The store is closed.
    #[error("the database is closed, because the agent is stopping")]
    Closed,
}

/// What is wrong with a database that is damaged.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// SQLite cannot read it.
    #[error("{0}")]
    Unreadable(#[source] SqliteError),
    /// What `PRAGMA quick_check` found.
    #[error("{0}")]
    Found(String),
    /// Its schema is older than any that was released.
    #[error("its schema is older than the first release")]
    Unreleased,
    /// Something that every database has is not there.
    #[error("its {0} is missing")]
    Missing(&'static str),
    /// The life cycle's state is no JSON of ours.
    #[error("its state cannot be read: {}", library_words::json(.0))]
    State(#[source] serde_json::Error),
    /// What the id is bound to is no JSON of ours.
    #[error("the machine identity in it cannot be read: {}", library_words::json(.0))]
    Bond(#[source] serde_json::Error),
    /// It knows of fewer changes than the recovery file: so many.
    #[error("it lost {0} stored changes; was agent.db-wal deleted?")]
    LostChanges(u64),
}

/// An error of SQLite, in plain words. What SQLite says itself is in its `Debug`.
#[derive(Debug)]
pub struct SqliteError(rusqlite::Error);

impl std::error::Error for SqliteError {}

impl std::fmt::Display for SqliteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use rusqlite::ErrorCode as E;
        f.write_str(match self.0.sqlite_error_code() {
            Some(E::CannotOpen) => "the file cannot be opened; check the directory and who may write it",
            Some(E::PermissionDenied | E::AuthorizationForStatementDenied) => "permission denied",
            Some(E::ReadOnly) => "it is read-only; check the file and its file system",
            Some(E::DatabaseBusy | E::DatabaseLocked) => "another process uses it",
            Some(E::OutOfMemory) => "not enough memory",
            Some(E::SystemIoFailure) => "the disk reports an input/output error",
            Some(E::DiskFull) => "the disk is full",
            Some(E::DatabaseCorrupt) => "its content is damaged",
            Some(E::NotADatabase) => "it is not a database",
            Some(E::TooBig) => "a value is too large",
            Some(E::NoLargeFileSupport) => "the file system does not support files of this size",
            _ => "it has another form than expected",
        })
    }
}

impl From<Damage> for StoreError {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Damage::Unreadable(SqliteError(error)).into()
            }
            _ => Self::Failed(SqliteError(error)),
        }
    }
}
