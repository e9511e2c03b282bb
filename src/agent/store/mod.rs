//! The store: one SQLite file with the state, the events and what waits for each destination.
//!
//! Promises: a state and the events it caused are kept in one synced transaction, or not at all; an answer
//! comes after the commit; what is damaged is set aside and rebuilt from the file beside it, never taken for
//! empty. One thread owns the file; calls that wait are committed together. Must not know: the rules of the
//! life cycle, networks. `docs/architecture.md` draws the tables.

mod open;
mod recovery;
mod sql;
mod worker;

use crate::events::Record;
use crate::subscription::State;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

pub use open::{Opened, REBUILT_NOTE, Rebuilt};
pub use recovery::write_atomically;
pub use sql::{EventRow, Outgoing, Waiting};

use recovery::Recovery;
use worker::Worker;

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

/// A verified document of a key that is held, as it was received. Its `Debug` shows neither `sub` nor text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paper {
    /// The key.
    pub key: String,
    /// Who stated it; revisions come from the same.
    pub issuer: String,
    /// The name of its published file: a secret.
    pub sub: String,
    /// The signed text.
    pub jws: String,
}

impl std::fmt::Debug for Paper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Paper").field("key", &self.key).field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// What is written in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// The state, where it changed.
    pub state: Option<State>,
    /// All documents of held keys, where they changed.
    pub papers: Option<Vec<Paper>>,
    /// What happened.
    pub records: Vec<Record>,
    /// Named notes, such as the poller's.
    pub notes: Vec<(&'static str, String)>,
    /// Whether it may use the room that is kept for Critical events, also where it has none itself.
    pub urgent: bool,
}

impl Commit {
    /// Whether it changes what the recovery file holds.
    fn changes(&self) -> bool {
        self.state.is_some() || self.papers.is_some()
    }
}

/// Name of the note with how many changes were kept.
const CHANGES_NOTE: &str = "changes";

/// Name of the note that the poller keeps.
pub const SOURCE_NOTE: &str = "source";

/// A handle to the store; clones share the one thread.
#[derive(Clone)]
pub struct Store {
    worker: Worker,
    recovery: Arc<std::sync::Mutex<Recovery>>,
}

impl Store {
    /// Keeps a commit. What it holds is on the disk when this returns; of what waits for nobody, `history` events
    /// stay.
    ///
    /// # Errors
    /// [`StoreError`]: nothing of it was kept.
    pub async fn commit(&self, commit: Commit, history: u32) -> Result<(), StoreError> {
        let critical = commit.urgent
            || commit.records.iter().any(|r| r.severity == crate::subscription::Severity::Critical);
        let commit = Arc::new(commit);
        let (job, recovery) = (commit.clone(), self.recovery.clone());
        let changes = commit.changes().then(|| recovery::lock(&self.recovery).contents.changes + 1);
        self.worker
            .call(critical, move |db| {
                let used = sql::keep(db, &job, history)?;
                if let Some(changes) = changes {
                    sql::set_note(db, CHANGES_NOTE, &changes.to_string())?;
                }
                // Before the commit: numbers above the ceiling must never be on disk before the ceiling is.
                recovery::lock(&recovery).raise(used);
                Ok(())
            })
            .await?;
        if commit.changes() {
            recovery::lock(&self.recovery).follow(&commit);
        }
        Ok(())
    }

    /// The oldest events that wait for a destination, at most `most` of them and about 256 KiB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next(&self, destination: &str, most: usize) -> Result<Vec<Outgoing>, StoreError> {
        let destination = destination.to_owned();
        self.worker.call(false, move |db| sql::next(db, &destination, most)).await
    }

    /// Everything up to this sequence number has arrived.
    ///
    /// # Errors
    /// [`StoreError`]: it will be sent again.
    pub async fn delivered(&self, destination: &str, sequence: u64) -> Result<(), StoreError> {
        let destination = destination.to_owned();
        self.worker.call(false, move |db| sql::delivered(db, &destination, sequence)).await
    }

    /// How much waits for each destination.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        self.worker.call(false, sql::waiting).await
    }

    /// The newest events, newest first, from before event number `before` where given.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn events(&self, before: Option<i64>, most: usize) -> Result<Vec<EventRow>, StoreError> {
        self.worker.call(false, move |db| sql::events(db, before, most)).await
    }

    /// Ends the thread after what was asked before; later calls are told that the store is closed.
    pub async fn close(&self) {
        self.worker.close().await;
    }
}

#[cfg(test)]
mod tests;
