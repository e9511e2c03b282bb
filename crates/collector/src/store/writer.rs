//! The thread that writes: it takes all requests that wait, writes them in one transaction, and answers each only
//! after the COMMIT. Between requests it removes what is too old or too much.

use super::commit::{self, Ingest};
use super::error::StoreError;
use super::read;
use super::remove::{Removal, StoreBounds};
use super::schema;
use super::summary::CommitSummary;
use crate::metrics::Metrics;
use jiff::Timestamp;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use svm_core::error_chain::Chain;
use tokio::sync::mpsc::{self, error::TryRecvError};
use tokio::sync::{oneshot, watch};

/// Bytes of a write-ahead log that readers which overlap held back: the writer waits for them once.
const LARGE_LOG: u64 = 256 * 1024 * 1024;
/// Events of one transaction, after which no further request joins it: it bounds how long the first one waits.
const MAX_GROUP: usize = 10_000;

/// What the writing thread can be asked to do.
pub(super) enum Command {
    Ingest(Ingest, oneshot::Sender<Result<CommitSummary, StoreError>>),
    Remove { events_before: Timestamp, reports_before: Timestamp },
}

/// The connection that writes, and what the thread knows of the store.
pub(super) struct Writer {
    db: Connection,
    removal: Removal,
    metrics: Arc<Metrics>,
    latest: watch::Sender<i64>,
    outage: Outage,
    log: PathBuf,
}

impl Writer {
    /// Opens the store's file, or makes it.
    ///
    /// # Errors
    /// The file cannot be opened, prepared or read.
    pub(super) fn open(path: &Path, bounds: StoreBounds, metrics: Arc<Metrics>) -> Result<Self, StoreError> {
        let db = schema::open_writer(path)?;
        let removal = Removal::new(&db, bounds, &metrics).map_err(StoreError::Read)?;
        let latest = watch::Sender::new(read::latest(&db).map_err(StoreError::Read)?);
        Ok(Self { db, removal, metrics, latest, outage: Outage::default(), log: log_of(path) })
    }

    /// The position of the last event that was stored.
    pub(super) fn latest(&self) -> watch::Receiver<i64> {
        self.latest.subscribe()
    }

    /// Works on commands until the last handle is dropped.
    pub(super) fn run(&mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(first) = self.next(&mut commands) {
            self.commit_group(first, &mut commands);
            if std::fs::metadata(&self.log).is_ok_and(|log| log.len() > LARGE_LOG) {
                // Waits for the readers of now; those that come meanwhile read the file itself.
                self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).ok();
            }
        }
    }

    /// The next command. While none waits, removal goes on.
    fn next(&mut self, commands: &mut mpsc::Receiver<Command>) -> Option<Command> {
        while self.removal.is_due() {
            match commands.try_recv() {
                Ok(command) => return Some(command),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => self.remove_slice(),
            }
        }
        commands.blocking_recv()
    }

    /// Writes everything that waits in one transaction, then answers.
    fn commit_group(&mut self, first: Command, waiting: &mut mpsc::Receiver<Command>) {
        let (mut requests, mut answers, mut events) = (Vec::new(), Vec::new(), 0);
        let mut next = Some(first);
        while let Some(command) = next {
            match command {
                Command::Ingest(request, answer) => {
                    events += request.events.len();
                    requests.push(request);
                    answers.push(answer);
                }
                Command::Remove { events_before, reports_before } => {
                    self.removal.set_ages(events_before, reports_before);
                }
            }
            next = if events < MAX_GROUP { waiting.try_recv().ok() } else { None };
        }
        if requests.is_empty() {
            return;
        }
        let outcomes = self.commit(&requests);
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            self.outage.note(&outcome);
            if let Ok(CommitSummary { last_position: Some(position), .. }) = &outcome {
                self.latest.send_replace(*position);
            }
            answer.send(outcome).ok();
        }
        // Where requests never cease to wait, removal has its part all the same.
        if self.removal.is_due() {
            self.remove_slice();
        }
    }

    fn commit(&mut self, requests: &[Ingest]) -> Vec<Result<CommitSummary, StoreError>> {
        match commit::commit(&mut self.db, requests, &mut self.removal, &self.metrics) {
            Ok(outcomes) => outcomes,
            // One request that cannot be written must not fail the others: each on its own.
            Err(error) if requests.len() > 1 => {
                tracing::debug!(error = %Chain(&error), "cannot store a group of requests together; storing each separately");
                requests.iter().flat_map(|request| self.commit(std::slice::from_ref(request))).collect()
            }
            Err(error) => vec![Err(StoreError::Write(error))],
        }
    }

    fn remove_slice(&mut self) {
        if let Err(error) = self.removal.slice(&mut self.db, &self.metrics) {
            tracing::warn!(error = %Chain(&error), "cannot remove old events");
            self.removal.pause();
        }
    }
}

/// SQLite's write-ahead log of a file.
fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// A disk that is full or fails is logged when that begins and when it is over, not with each request.
#[derive(Default)]
struct Outage {
    refused: u64,
}

impl Outage {
    fn note(&mut self, outcome: &Result<CommitSummary, StoreError>) {
        match outcome {
            Err(error @ (StoreError::Read(_) | StoreError::Write(_))) => {
                if self.refused == 0 {
                    tracing::error!(error = %Chain(error), "cannot write to the database; senders keep their events and send them again");
                }
                self.refused = self.refused.saturating_add(1);
            }
            Ok(summary) if self.refused > 0 && summary.last_position.is_some() => {
                tracing::info!(refused = self.refused, "the database can be written again");
                self.refused = 0;
            }
            _ => {}
        }
    }
}
