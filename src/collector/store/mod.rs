//! The store: what is kept, and when it counts as kept.
//!
//! Promises: one thread owns the connection that writes. It takes all requests that wait, writes them in one
//! transaction with `synchronous=FULL`, and answers each only after the COMMIT: what an answer names is on disk.
//! A second thread reads, so that a long look does not hold up senders. Every SQL statement of the collector
//! is below this module. It must not know HTTP.

mod read;
mod schema;
mod write;

pub use read::{Event, Events, KeptSvm};
pub(super) use write::Ingest;
pub use write::{Conflict, Kept};

use super::fleet::{Counts, Filter, KeySum};
use super::metrics::Metrics;
use jiff::Timestamp;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// Requests that may wait for the writing thread; more are answered with 503.
const WAITING_WRITES: usize = 1024;
/// Questions that may wait for the reading thread.
const WAITING_READS: usize = 256;

/// What goes wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened or prepared.
    #[error("cannot open the store {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file is of a newer collector.
    #[error("the store {} has tables of version {found}, which this version does not know", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version it has.
        found: i64,
    },
    /// A thread could not be started.
    #[error("cannot start the store's thread")]
    Thread(#[source] std::io::Error),
    /// Reading or writing failed; nothing of the request was kept.
    #[error("cannot {0} the store")]
    Failed(&'static str, #[source] Arc<rusqlite::Error>),
    /// Too many requests wait.
    #[error("too many requests wait for the store")]
    Busy,
    /// The store is closing.
    #[error("the store is closed")]
    Closed,
    /// The token belongs to another source.
    #[error("the token belongs to another source")]
    TokenOfAnother,
}

type Question = Box<dyn FnOnce(&Connection) + Send>;

enum Command {
    Ingest(Ingest, oneshot::Sender<Result<Kept, StoreError>>),
    Prune { events_before: Timestamp, reports_before: Timestamp },
}

/// A handle; all clones mean the same threads. They end when the last is dropped.
#[derive(Clone)]
pub struct Store {
    writes: mpsc::Sender<Command>,
    reads: mpsc::Sender<Question>,
    latest: watch::Receiver<i64>,
}

impl Store {
    /// Opens the file and starts the two threads. The returned waiter is over when both have ended.
    pub(super) fn open(
        path: &Path,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, oneshot::Receiver<()>), StoreError> {
        let mut writer = schema::open_writer(path)?;
        let reader = schema::open_reader(path)?;
        let failed = |source| StoreError::Failed("read", Arc::new(source));
        let (tell_latest, latest) = watch::channel(read::latest(&reader).map_err(failed)?);
        let (writes, mut commands) = mpsc::channel(WAITING_WRITES);
        let (reads, mut questions) = mpsc::channel::<Question>(WAITING_READS);
        let (ended, over) = oneshot::channel();
        let reading = std::thread::Builder::new().name("store-read".into()).spawn(move || {
            while let Some(question) = questions.blocking_recv() {
                question(&reader);
            }
        });
        let reading = reading.map_err(StoreError::Thread)?;
        let writing = move || {
            let mut outage = Outage::default();
            while let Some(first) = commands.blocking_recv() {
                take_all(&mut writer, first, &mut commands, &tell_latest, &metrics, &mut outage);
            }
            reading.join().ok();
            drop(writer);
            ended.send(()).ok();
        };
        std::thread::Builder::new().name("store-write".into()).spawn(writing).map_err(StoreError::Thread)?;
        Ok((Self { writes, reads, latest }, over))
    }

    /// Keeps a request's events; when it answers, they are on disk.
    pub(super) async fn ingest(&self, ingest: Ingest) -> Result<Kept, StoreError> {
        let (answer, kept) = oneshot::channel();
        match self.writes.try_send(Command::Ingest(ingest, answer)) {
            Ok(()) => kept.await.map_err(|_| StoreError::Closed)?,
            Err(mpsc::error::TrySendError::Full(_)) => Err(StoreError::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(StoreError::Closed),
        }
    }

    /// Removes what is older than the settings allow. Not awaited: it is done between requests.
    pub(super) fn prune(&self, events_before: Timestamp, reports_before: Timestamp) {
        self.writes.try_send(Command::Prune { events_before, reports_before }).ok();
    }

    /// The position of the last event that was kept; changes when there are more.
    pub(super) fn latest(&self) -> watch::Receiver<i64> {
        self.latest.clone()
    }

    /// The SVMs a filter lets through, the worst first, and how many there are in all.
    pub async fn svms(
        &self,
        filter: Filter,
        silent_before: Timestamp,
        offset: u32,
        limit: u32,
    ) -> Result<(Vec<KeptSvm>, u64), StoreError> {
        self.ask(move |db| read::svms(db, &filter, silent_before, offset, limit)).await
    }

    /// One SVM, with its latest report.
    pub async fn svm(&self, id: String) -> Result<Option<KeptSvm>, StoreError> {
        self.ask(move |db| read::svm(db, &id)).await
    }

    /// Whether the file can be read: one row, however large the fleet is.
    pub async fn answers(&self) -> Result<(), StoreError> {
        self.ask(|db| read::latest(db).map(drop)).await
    }

    /// How many SVMs have which status.
    pub async fn counts(&self, silent_before: Timestamp) -> Result<Counts, StoreError> {
        self.ask(move |db| read::counts(db, silent_before)).await
    }

    /// Devices by key, the fullest first.
    pub async fn keys(&self, limit: u32) -> Result<Vec<KeySum>, StoreError> {
        self.ask(move |db| read::keys(db, limit)).await
    }

    /// Events by position.
    pub async fn events(&self, asked: Events) -> Result<Vec<Event>, StoreError> {
        self.ask(move |db| read::events(db, &asked)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let question: Question = Box::new(move |db| {
            answer.send(question(db)).ok();
        });
        self.reads.try_send(question).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        let answered = answered.await.map_err(|_| StoreError::Closed)?;
        answered.map_err(|source| StoreError::Failed("read", Arc::new(source)))
    }
}

/// A disk that is full or fails is told when it begins and when it is over, not with each request.
#[derive(Default)]
struct Outage {
    refused: u64,
}

impl Outage {
    fn note(&mut self, outcome: &Result<Kept, StoreError>) {
        match outcome {
            Err(error @ StoreError::Failed(..)) => {
                if self.refused == 0 {
                    tracing::error!(error = %crate::error_chain::Chain(error), "nothing can be kept");
                }
                self.refused = self.refused.saturating_add(1);
            }
            Ok(kept) if self.refused > 0 && kept.last_position.is_some() => {
                tracing::info!(refused = self.refused, "the store works again");
                self.refused = 0;
            }
            _ => {}
        }
    }
}

/// Writes everything that waits in one transaction, then answers.
fn take_all(
    db: &mut Connection,
    first: Command,
    waiting: &mut mpsc::Receiver<Command>,
    latest: &watch::Sender<i64>,
    metrics: &Metrics,
    outage: &mut Outage,
) {
    let (mut requests, mut answers, mut events) = (Vec::new(), Vec::new(), 0);
    let mut next = Some(first);
    while let Some(command) = next {
        match command {
            Command::Ingest(request, answer) => {
                events += request.events.len();
                requests.push(request);
                answers.push(answer);
            }
            Command::Prune { events_before, reports_before } => {
                if let Err(error) = write::prune(db, events_before, reports_before) {
                    tracing::warn!(error = %crate::error_chain::Chain(&error), "cannot remove old events");
                }
            }
        }
        // A transaction of bounded size keeps the wait of the first request bounded too.
        next = if events < 10_000 { waiting.try_recv().ok() } else { None };
    }
    if requests.is_empty() {
        return;
    }
    let outcomes = match write::commit(db, &requests, metrics) {
        Ok(outcomes) => outcomes,
        // One request that cannot be written must not fail the others: each on its own.
        Err(error) if requests.len() > 1 => {
            tracing::debug!(error = %crate::error_chain::Chain(&error), "a group of requests was not written; trying each alone");
            requests.iter().flat_map(|request| alone(db, request, metrics)).collect()
        }
        Err(error) => vec![Err(failed(error))],
    };
    for (answer, outcome) in answers.into_iter().zip(outcomes) {
        outage.note(&outcome);
        if let Ok(kept) = &outcome
            && let Some(position) = kept.last_position
        {
            latest.send_replace(position);
        }
        answer.send(outcome).ok();
    }
}

fn alone(db: &mut Connection, request: &Ingest, metrics: &Metrics) -> Vec<Result<Kept, StoreError>> {
    let outcome = write::commit(db, std::slice::from_ref(request), metrics);
    outcome.unwrap_or_else(|error| vec![Err(failed(error))])
}

fn failed(source: rusqlite::Error) -> StoreError {
    StoreError::Failed("write", Arc::new(source))
}
