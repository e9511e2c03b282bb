//! Why the store did not do what it was asked.

use std::path::PathBuf;

/// Why the store did not do what it was asked. Nothing of it was kept.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// No room on the disk.
    #[error("the disk is full")]
    Full,
    /// The database is not one any more.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The disk does not work, or something else is wrong with it.
    #[error("the database cannot be used: {0}")]
    Failed(String),
    /// A file beside the database cannot be used.
    #[error("cannot use {path}: {problem}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// A newer program made the database.
    #[error(
        "the database was made by a newer svm-agent (form {found}, this one knows {known}); upgrade, or restore a backup"
    )]
    Newer {
        /// The form of the file.
        found: i64,
        /// The newest form that this program knows.
        known: i64,
    },
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}
