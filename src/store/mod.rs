//! The store: one SQLite file with the state, the events and what waits for each destination.
//!
//! Promises: a state and the events it caused are kept in one synced transaction, or not at all; an answer
//! comes after the commit; what is damaged is set aside and rebuilt from the file beside it, never taken for
//! empty. One thread owns the file; calls that wait are committed together. Must not know: the rules of the
//! life cycle, networks. `docs/development/architecture.md` draws the tables.

mod bounds;
mod history;
mod inspect;
mod open;
mod outbox;
pub(crate) mod recovery;
mod sql;
mod worker;

use crate::identity::Bond;
use crate::lines::say;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use svm_core::events::{Drops, Filter, Record};
use svm_core::lock::lock;
use svm_core::subscription::State;

pub use bounds::Bounds;
pub use history::{EventRow, EventShown, Listing, Place, Waiting};
pub use inspect::{InspectError, Inspection, held_papers, inspect};
pub use open::{CHANGED_NOTE, Opened, REBUILT_NOTE, Rebuilt};
pub use outbox::{Above, Outgoing, Reading};
pub use recovery::write_atomically;

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

/// Where events go: a destination's name and what it takes.
#[derive(Clone, Debug)]
pub struct Route {
    /// The name in the settings.
    pub name: String,
    /// What it takes.
    pub filter: Filter,
}

/// How the store is to be kept.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Every configured destination.
    pub routes: Vec<Route>,
    /// How much is kept.
    pub bounds: Bounds,
}

/// An event that a destination refused for what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Which destination.
    pub destination: String,
    /// The event's number there.
    pub sequence: u64,
    /// Its id.
    pub id: String,
    /// Such as `http_400`.
    pub code: String,
    /// What the receiver said, bounded.
    pub answer: String,
    /// When.
    pub at: Timestamp,
}

/// What is written in one transaction.
#[derive(Clone, Default)]
pub struct Commit {
    /// The state, where it changed.
    pub state: Option<State>,
    /// All documents of held keys, where they changed.
    pub papers: Option<Vec<Paper>>,
    /// What happened.
    pub records: Vec<Record>,
    /// Named notes, such as the poller's.
    pub notes: Vec<(&'static str, String)>,
    /// A destination whose numbers go on above those that others have used.
    pub above: Option<Above>,
    /// What was refused and leaves the outbox.
    pub quarantined: Vec<Quarantined>,
    /// What waits since before this is dropped.
    pub expire_before: Option<Timestamp>,
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

/// Name of the note with what trusted time has to remember.
pub const TIME_NOTE: &str = "time";

/// Name of the note that the poller keeps.
pub const SOURCE_NOTE: &str = "source";

/// Name of the note with when which destination's numbers were taken above others.
pub const REVERTS_NOTE: &str = "reverts";

/// Name of the note with what was told of destinations' certificates.
pub const CERTIFICATES_NOTE: &str = "certificates";

/// Name of the note with what was dropped, as long as that was not told.
pub const DROPS_NOTE: &str = "dropped";

/// What a part of the agent remembered under a name. Nothing, and a line in the log, where that cannot be read: a note
/// that is damaged is not taken for one that is absent.
pub fn read_note<T: DeserializeOwned>(name: &str, text: Option<String>) -> Option<T> {
    let text = text.filter(|text| !text.is_empty())?;
    serde_json::from_str(&text)
        .inspect_err(|error| {
            // Not what stands there: a note may hold a secret.
            let place = format!("line {} column {}", error.line(), error.column());
            say!(
                NOTE_UNREADABLE of name,
                note = name,
                "the note {name} in the database cannot be read and is begun anew: it is damaged at {place}"
            );
        })
        .ok()
}

/// Whether a call's commit is synced before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sync {
    /// It is on the disk.
    Now,
    /// A power cut may take it back; the next synced commit takes it along. Nothing is ever half of it.
    Later,
}

/// A handle to the store; clones share the one thread.
#[derive(Clone)]
pub struct Store {
    worker: Worker,
    recovery: Arc<std::sync::Mutex<Recovery>>,
    plan: Arc<Plan>,
    sweep: bounds::Sweep,
}

impl Store {
    /// Keeps a commit. What it holds is on the disk when this returns. Answers all that was dropped for want of
    /// room and not told yet; a commit that writes [`DROPS_NOTE`] tells it.
    ///
    /// # Errors
    /// [`StoreError`]: nothing of it was kept.
    pub async fn commit(&self, commit: Commit) -> Result<Drops, StoreError> {
        let critical = commit.urgent
            || commit.records.iter().any(|r| r.severity == svm_core::subscription::Severity::Critical);
        let commit = Arc::new(commit);
        let (job, recovery, plan) = (commit.clone(), self.recovery.clone(), self.plan.clone());
        let sweep = self.sweep.clone();
        // It may be done twice: once together with others, and once alone.
        let work = move |db: &rusqlite::Connection| {
            sql::keep(db, &job)?;
            let numbered = outbox::keep(db, &job, &plan.routes)?;
            let mut changes = None;
            if job.changes() {
                let number = sql::number(db, CHANGES_NOTE)?.saturating_add(1);
                sql::set_note(db, CHANGES_NOTE, &number.to_string())?;
                changes = Some(number);
            }
            let drops = bounds::apply(db, &job, &numbered.without, plan.bounds, &sweep)?;
            // Before the commit: numbers above the ceiling must never be on disk before the ceiling is.
            Recovery::raise(&recovery, numbered.highest);
            Ok((drops, changes))
        };
        let recovery = self.recovery.clone();
        let kept = move |(_, changes): &(Drops, Option<u64>)| {
            if let Some(changes) = changes {
                lock(&recovery).follow(&commit, *changes);
            }
        };
        self.worker.keep(Sync::Now, critical, work, kept).await.map(|(drops, _)| drops)
    }

    /// Waits until the recovery file, too, holds what was kept: then not even the loss of the database loses it. A
    /// file that cannot be written is told in the log, and tried again; nobody is kept waiting for that.
    pub async fn safe(&self) {
        self.worker.safe().await;
    }

    /// The oldest events that wait for a destination, as far as `reading` goes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next(&self, destination: &str, reading: Reading) -> Result<Vec<Outgoing>, StoreError> {
        let destination = destination.to_owned();
        self.worker.call(Sync::Now, false, move |db| outbox::next(db, &destination, reading)).await
    }

    /// The last event that a destination has taken, where it is still kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn last_delivered(&self, destination: &str) -> Result<Option<Outgoing>, StoreError> {
        let destination = destination.to_owned();
        self.worker.call(Sync::Later, false, move |db| outbox::last_delivered(db, &destination)).await
    }

    /// Everything up to this sequence number has arrived. A power cut may forget that: then it is sent again.
    ///
    /// # Errors
    /// [`StoreError`]: it will be sent again.
    pub async fn delivered(&self, destination: &str, sequence: u64) -> Result<(), StoreError> {
        let destination = destination.to_owned();
        self.worker.call(Sync::Later, false, move |db| outbox::delivered(db, &destination, sequence)).await
    }

    /// A note by name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        self.worker.call(Sync::Later, false, move |db| sql::note(db, name)).await
    }

    /// What delivery to a destination wanted to remember, if anything.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn retry(&self, destination: &str) -> Result<Option<String>, StoreError> {
        let destination = destination.to_owned();
        self.worker.call(Sync::Later, false, move |db| outbox::retry(db, &destination)).await
    }

    /// Remembers how delivery to a destination fails, until something is delivered.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_retry(&self, destination: &str, retry: String) -> Result<(), StoreError> {
        let destination = destination.to_owned();
        self.worker.call(Sync::Later, false, move |db| outbox::set_retry(db, &destination, &retry)).await
    }

    /// The last sequence number that a destination's events were given; 0 where it has none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn last_sequence(&self, destination: &str) -> Result<u64, StoreError> {
        let destination = destination.to_owned();
        self.worker.call(Sync::Later, false, move |db| outbox::last_sequence(db, &destination)).await
    }

    /// Gives the id up: the next start takes a new one, on whatever machine. State and documents stay; events, and
    /// what is remembered of destinations, are dropped.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was changed.
    pub async fn give_up_identity(&self) -> Result<(), StoreError> {
        let bond = Bond { reset: true, ..lock(&self.recovery).contents.bond.clone() };
        let kept = bond.clone();
        let work = move |db: &rusqlite::Connection| {
            sql::forget_events(db)?;
            sql::set_bond(db, &bond)?;
            let changes = sql::number(db, CHANGES_NOTE)?.saturating_add(1);
            sql::set_note(db, CHANGES_NOTE, &changes.to_string())?;
            // An image does not carry along what stood there.
            while bounds::vacuum(db)? {}
            Ok(changes)
        };
        let recovery = self.recovery.clone();
        let kept = move |changes: &u64| {
            let mut recovery = lock(&recovery);
            recovery.contents.bond = kept;
            recovery.follow(&Commit::default(), *changes);
        };
        self.worker.keep(Sync::Now, true, work, kept).await.map(drop)
    }

    /// Puts quarantined events, that of one id or all, at the end of what waits again. Answers how many.
    ///
    /// # Errors
    /// [`StoreError`]: none was.
    pub async fn requeue(&self, id: Option<String>) -> Result<u64, StoreError> {
        let recovery = self.recovery.clone();
        let work = move |db: &rusqlite::Connection| {
            let (moved, used) = outbox::requeue(db, id.as_deref())?;
            Recovery::raise(&recovery, used);
            Ok(moved)
        };
        self.worker.call(Sync::Now, false, work).await
    }

    /// How much waits for each destination.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        self.worker.call(Sync::Later, false, history::waiting).await
    }

    /// Events, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn events(&self, listing: Listing) -> Result<Vec<EventRow>, StoreError> {
        self.worker.call(Sync::Later, false, move |db| history::events(db, &listing)).await
    }

    /// The event of an id, if it is kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn event(&self, id: &str) -> Result<Option<EventShown>, StoreError> {
        let id = id.to_owned();
        self.worker.call(Sync::Later, false, move |db| history::show(db, &id)).await
    }

    /// Ends the thread after what was asked before; later calls are told that the store is closed.
    pub async fn close(&self) {
        self.worker.close().await;
    }
}

#[cfg(test)]
mod tests;
