//! The handle by which the parts of the agent ask the store.

use crate::identity::Bond;
use crate::storage::error::StoreError;
use crate::storage::history::{EventRow, EventShown, Listing, Waiting};
use crate::storage::notes::NoteName;
use crate::storage::outbox::{Outgoing, Reading};
use crate::storage::recovery::Recovery;
use crate::storage::types::{Commit, Durability, Plan};
use crate::storage::worker::Worker;
use crate::storage::{bounds, history, outbox, sql};
use std::sync::Arc;
use svm_core::events::Drops;
use svm_core::lock::lock;

/// A handle to the store; clones share the one thread.
#[derive(Clone)]
pub struct Store {
    pub(crate) worker: Worker,
    pub(crate) recovery: Arc<std::sync::Mutex<Recovery>>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) trim_cursor: bounds::TrimCursor,
}

impl Store {
    /// Keeps a commit. What it holds is on the disk when this returns. Answers all that was dropped for want of
    /// room and not told yet; a commit that writes [`crate::storage::NoteName::Dropped`] tells it.
    ///
    /// # Errors
    /// [`StoreError`]: nothing of it was kept.
    pub async fn commit(&self, commit: Commit) -> Result<Drops, StoreError> {
        let critical = commit.urgent
            || commit.records.iter().any(|r| r.severity == svm_core::subscription::Severity::Critical);
        let commit = Arc::new(commit);
        let (job, recovery, plan) = (commit.clone(), self.recovery.clone(), self.plan.clone());
        let trim_cursor = self.trim_cursor.clone();
        // It may be done twice: once together with others, and once alone.
        let work = move |db: &rusqlite::Connection| {
            sql::keep(db, &job)?;
            let numbered = outbox::keep(db, &job, &plan.routes)?;
            let mut changes = None;
            if job.changes() {
                let number = sql::number(db, NoteName::Changes)?.saturating_add(1);
                sql::set_note(db, NoteName::Changes, &number.to_string())?;
                changes = Some(number);
            }
            let drops = bounds::apply(db, &job, &numbered.without, plan.bounds, &trim_cursor)?;
            // Before the commit: numbers above the ceiling must never be on disk before the ceiling is.
            Recovery::raise(&recovery, numbered.highest);
            Ok((drops, changes))
        };
        let recovery = self.recovery.clone();
        let stored = move |(_, changes): &(Drops, Option<u64>)| {
            if let Some(changes) = changes {
                lock(&recovery).follow(&commit, *changes);
            }
        };
        self.worker.keep(Durability::Now, critical, work, stored).await.map(|(drops, _)| drops)
    }

    /// Waits until the recovery file, too, holds what was kept: then not even the loss of the database loses it. A
    /// file that cannot be written is logged and tried again; no caller waits for that.
    pub async fn safe(&self) {
        self.worker.safe().await;
    }

    /// The oldest events that wait for a destination, as far as `reading` goes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next(&self, destination: &str, reading: Reading) -> Result<Vec<Outgoing>, StoreError> {
        let destination = destination.to_owned();
        self.worker.call(Durability::Now, false, move |db| outbox::next(db, &destination, reading)).await
    }

    /// The last event that a destination has taken, where it is still kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn last_delivered(&self, destination: &str) -> Result<Option<Outgoing>, StoreError> {
        let destination = destination.to_owned();
        self.worker.call(Durability::Later, false, move |db| outbox::last_delivered(db, &destination)).await
    }

    /// Everything up to this sequence number has arrived. A power cut may forget that: then it is sent again.
    ///
    /// # Errors
    /// [`StoreError`]: it will be sent again.
    pub async fn delivered(&self, destination: &str, sequence: u64) -> Result<(), StoreError> {
        let destination = destination.to_owned();
        self.worker
            .call(Durability::Later, false, move |db| outbox::delivered(db, &destination, sequence))
            .await
    }

    /// A note by name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note(&self, name: NoteName) -> Result<Option<String>, StoreError> {
        self.worker.call(Durability::Later, false, move |db| sql::note(db, name)).await
    }

    /// What delivery to a destination wanted to remember, if anything.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn retry(&self, destination: &str) -> Result<Option<String>, StoreError> {
        let destination = destination.to_owned();
        self.worker.call(Durability::Later, false, move |db| outbox::retry(db, &destination)).await
    }

    /// Remembers how delivery to a destination fails, until something is delivered.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_retry(&self, destination: &str, retry: String) -> Result<(), StoreError> {
        let destination = destination.to_owned();
        self.worker
            .call(Durability::Later, false, move |db| outbox::set_retry(db, &destination, &retry))
            .await
    }

    /// The last sequence number that a destination's events were given; 0 where it has none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn last_sequence(&self, destination: &str) -> Result<u64, StoreError> {
        let destination = destination.to_owned();
        self.worker.call(Durability::Later, false, move |db| outbox::last_sequence(db, &destination)).await
    }

    /// Gives the id up: the next start takes a new one, on whatever machine. State and documents stay; events, and
    /// what is remembered of destinations, are dropped.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was changed.
    pub async fn give_up_identity(&self) -> Result<(), StoreError> {
        let bond = Bond { reset: true, ..lock(&self.recovery).contents.bond.clone() };
        let stored = bond.clone();
        let work = move |db: &rusqlite::Connection| {
            sql::forget_events(db)?;
            sql::set_bond(db, &bond)?;
            let changes = sql::number(db, NoteName::Changes)?.saturating_add(1);
            sql::set_note(db, NoteName::Changes, &changes.to_string())?;
            // An image does not carry along what stood there.
            while bounds::vacuum(db)? {}
            Ok(changes)
        };
        let recovery = self.recovery.clone();
        let stored = move |changes: &u64| {
            let mut recovery = lock(&recovery);
            recovery.contents.bond = stored;
            recovery.follow(&Commit::default(), *changes);
        };
        self.worker.keep(Durability::Now, true, work, stored).await.map(drop)
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
        self.worker.call(Durability::Now, false, work).await
    }

    /// How much waits for each destination.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        self.worker.call(Durability::Later, false, history::waiting).await
    }

    /// Events, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn events(&self, listing: Listing) -> Result<Vec<EventRow>, StoreError> {
        self.worker.call(Durability::Later, false, move |db| history::events(db, &listing)).await
    }

    /// The event of an id, if it is kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn event(&self, id: &str) -> Result<Option<EventShown>, StoreError> {
        let id = id.to_owned();
        self.worker.call(Durability::Later, false, move |db| history::show(db, &id)).await
    }

    /// Ends the thread after what was asked before; later calls get the error that the store is closed.
    pub async fn close(&self) {
        self.worker.close().await;
    }
}
