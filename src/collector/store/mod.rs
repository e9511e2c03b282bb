//! The store: what is stored, and when it counts as stored.
//!
//! Promises: one thread owns the connection that writes. It takes all requests that wait, writes them in one
//! transaction with `synchronous=FULL`, and answers each only after the COMMIT: what an answer names is on disk.
//! Readers have threads of their own, in lanes: a long question holds up neither senders nor the short ones, and the
//! question whether the store works waits for no other. A question has a deadline; one whose reader left is dropped.
//! Every SQL statement of the collector is below this module. It must not know HTTP.

mod read;
mod remove;
mod schema;
mod write;

pub use read::{Event, Events, EventsPage, MAX_ANSWER, StoredReport, StoredSvm};
pub(super) use remove::StoreBounds;
pub use write::{Conflict, Stored};
pub(super) use write::{Ingest, TokenHolder};

use super::fleet::{Counts, Filter, KeySum, canonical_id};
use super::metrics::Metrics;
use crate::lock::lock;
use jiff::Timestamp;
use remove::Removal;
use rusqlite::{Connection, InterruptHandle};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Requests that may wait for the writing thread; more are answered with 503.
const WAITING_WRITES: usize = 1024;
/// Questions that may wait in one lane.
const WAITING_READS: usize = 256;
/// A write-ahead log of this size is held back by readers that overlap: they are waited for once.
const LARGE_LOG: u64 = 256 * 1024 * 1024;

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
    /// Reading or writing failed; nothing of the request was stored.
    #[error("cannot {0} the store")]
    Failed(&'static str, #[source] Arc<rusqlite::Error>),
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

/// A question, and whether somebody still waits for its answer.
struct Question {
    ask: Box<dyn FnOnce(&Connection) + Send>,
    state: Arc<QuestionState>,
}

#[derive(Default)]
struct QuestionState {
    dropped: AtomicBool,
    /// Of the connection, while it works on this question.
    running: Mutex<Option<InterruptHandle>>,
}

impl QuestionState {
    fn running(&self) -> MutexGuard<'_, Option<InterruptHandle>> {
        lock(&self.running)
    }
}

/// Drops the question once its reader left, or waited for too long.
struct Waiter(Arc<QuestionState>);

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.dropped.store(true, Relaxed);
        // Under the lock the connection works on this question and on no other.
        if let Some(connection) = &*self.0.running() {
            connection.interrupt();
        }
    }
}

/// Works on the questions of a lane until there will be no more.
fn answer_questions(db: &Connection, questions: &Mutex<mpsc::Receiver<Question>>) {
    loop {
        let next = lock(&questions).blocking_recv();
        let Some(Question { ask, state }) = next else { return };
        *state.running() = Some(db.get_interrupt_handle());
        if !state.dropped.load(Relaxed) {
            ask(db);
        }
        *state.running() = None;
    }
}

/// Which questions wait for each other.
#[derive(Clone, Copy)]
enum Lane {
    /// Whether the store works.
    Health,
    /// One SVM, one piece of a stream: by an index, in a moment.
    Point,
    /// About all SVMs, by an index that has them all.
    Fleet,
    /// Lists of events.
    Events,
}

enum Command {
    Ingest(Ingest, oneshot::Sender<Result<Stored, StoreError>>),
    Remove { events_before: Timestamp, reports_before: Timestamp },
}

/// A handle; all clones mean the same threads. They end when the last is dropped.
#[derive(Clone)]
pub struct Store {
    writes: mpsc::Sender<Command>,
    health: mpsc::Sender<Question>,
    points: mpsc::Sender<Question>,
    fleet: mpsc::Sender<Question>,
    lists: mpsc::Sender<Question>,
    latest: watch::Receiver<i64>,
    deadline: Duration,
}

impl Store {
    /// Opens the file and starts the threads. The returned waiter is over when all have ended. A question may take as
    /// long as `deadline`.
    pub(super) fn open(
        path: &Path,
        bounds: StoreBounds,
        deadline: Duration,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, oneshot::Receiver<()>), StoreError> {
        let failed = |source| StoreError::Failed("read", Arc::new(source));
        let mut writer = schema::open_writer(path)?;
        let mut removal = Removal::new(&writer, bounds, &metrics).map_err(failed)?;
        let (tell_latest, latest) = watch::channel(read::latest(&writer).map_err(failed)?);
        let mut reading = Vec::new();
        let mut lane = |name: &str, threads: usize| -> Result<mpsc::Sender<Question>, StoreError> {
            let (questions, receiver) = mpsc::channel(WAITING_READS);
            let receiver = Arc::new(Mutex::new(receiver));
            for _ in 0..threads {
                let (reader, receiver) = (schema::open_reader(path)?, Arc::clone(&receiver));
                let thread = std::thread::Builder::new().name(format!("store-{name}"));
                let thread = thread.spawn(move || answer_questions(&reader, &receiver));
                reading.push(thread.map_err(StoreError::Thread)?);
            }
            Ok(questions)
        };
        let (health, points, fleet, lists) =
            (lane("health", 1)?, lane("point", 1)?, lane("fleet", 1)?, lane("events", 2)?);
        let (writes, mut commands) = mpsc::channel(WAITING_WRITES);
        let (ended, over) = oneshot::channel();
        let log = log_of(path);
        let writing = move || {
            let mut outage = Outage::default();
            loop {
                let next = match removal.is_due() {
                    false => commands.blocking_recv(),
                    true => match commands.try_recv() {
                        Ok(command) => Some(command),
                        Err(mpsc::error::TryRecvError::Disconnected) => None,
                        Err(mpsc::error::TryRecvError::Empty) => {
                            remove_slice(&mut writer, &mut removal, &metrics);
                            continue;
                        }
                    },
                };
                let Some(first) = next else { break };
                take_all(
                    &mut writer,
                    first,
                    &mut commands,
                    &tell_latest,
                    &metrics,
                    &mut outage,
                    &mut removal,
                );
                if std::fs::metadata(&log).is_ok_and(|log| log.len() > LARGE_LOG) {
                    // Waits for the readers of now; those that come meanwhile read the file itself.
                    writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).ok();
                }
            }
            reading.into_iter().for_each(|thread| drop(thread.join()));
            drop(writer);
            ended.send(()).ok();
        };
        std::thread::Builder::new().name("store-write".into()).spawn(writing).map_err(StoreError::Thread)?;
        Ok((Self { writes, health, points, fleet, lists, latest, deadline }, over))
    }

    /// Stores a request's events; when it answers, they are on disk.
    pub(super) async fn ingest(&self, ingest: Ingest) -> Result<Stored, StoreError> {
        let (answer, stored) = oneshot::channel();
        match self.writes.try_send(Command::Ingest(ingest, answer)) {
            Ok(()) => stored.await.map_err(|_| StoreError::Closed)?,
            Err(mpsc::error::TrySendError::Full(_)) => Err(StoreError::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(StoreError::Closed),
        }
    }

    /// Removes what is older than the settings allow. Not awaited: it is done between requests.
    pub(super) fn remove(&self, events_before: Timestamp, reports_before: Timestamp) {
        self.writes.try_send(Command::Remove { events_before, reports_before }).ok();
    }

    /// The position of the last event that was stored; changes when there are more.
    pub(super) fn latest(&self) -> watch::Receiver<i64> {
        self.latest.clone()
    }

    /// The SVMs a filter lets through, the worst first, and how many there are in all. Fewer than `limit` if they would
    /// take more than [`MAX_ANSWER`].
    pub async fn svms(
        &self,
        filter: Filter,
        silent_before: Timestamp,
        offset: u32,
        limit: u32,
    ) -> Result<(Vec<StoredSvm>, u64), StoreError> {
        self.ask(Lane::Fleet, move |db| read::svms(db, &filter, silent_before, offset, limit)).await
    }

    /// One SVM, with its latest report. A UUID is found however it is written.
    pub async fn svm(&self, id: String) -> Result<Option<StoredSvm>, StoreError> {
        self.ask(Lane::Point, move |db| match read::svm(db, &id)? {
            None if canonical_id(&id) != id => read::svm(db, &canonical_id(&id)),
            found => Ok(found),
        })
        .await
    }

    /// Whether the file can be read: one row, however large the fleet is.
    pub async fn answers(&self) -> Result<(), StoreError> {
        self.ask(Lane::Health, |db| read::latest(db).map(drop)).await
    }

    /// How many SVMs have which status.
    pub async fn counts(&self, silent_before: Timestamp) -> Result<Counts, StoreError> {
        self.ask(Lane::Fleet, move |db| read::counts(db, silent_before)).await
    }

    /// Devices by key, the fullest first.
    pub async fn keys(&self, offset: u32, limit: u32) -> Result<Vec<KeySum>, StoreError> {
        self.ask(Lane::Fleet, move |db| read::keys(db, offset, limit)).await
    }

    /// Events by position.
    pub async fn events(&self, asked: Events) -> Result<EventsPage, StoreError> {
        self.ask(Lane::Events, move |db| read::events(db, &asked)).await
    }

    /// A few events by position, of one source or of all: a piece of a stream or of a page.
    pub async fn piece(&self, asked: Events) -> Result<EventsPage, StoreError> {
        self.ask(Lane::Point, move |db| read::events(db, &asked)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        lane: Lane,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let ask = Box::new(move |db: &Connection| {
            answer.send(question(db)).ok();
        });
        let state = Arc::<QuestionState>::default();
        let lane = match lane {
            Lane::Health => &self.health,
            Lane::Point => &self.points,
            Lane::Fleet => &self.fleet,
            Lane::Events => &self.lists,
        };
        lane.try_send(Question { ask, state: Arc::clone(&state) }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        let _waiter = Waiter(state);
        let answered =
            tokio::time::timeout(self.deadline, answered).await.map_err(|_| StoreError::TooLong)?;
        let answered = answered.map_err(|_| StoreError::Closed)?;
        answered.map_err(|source| StoreError::Failed("read", Arc::new(source)))
    }
}

/// SQLite's write-ahead log of a file.
fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn remove_slice(db: &mut Connection, removal: &mut Removal, metrics: &Metrics) {
    if let Err(error) = removal.slice(db, metrics) {
        tracing::warn!(error = %crate::error_chain::Chain(&error), "cannot remove old events");
        removal.pause();
    }
}

/// A disk that is full or fails is told when it begins and when it is over, not with each request.
#[derive(Default)]
struct Outage {
    refused: u64,
}

impl Outage {
    fn note(&mut self, outcome: &Result<Stored, StoreError>) {
        match outcome {
            Err(error @ StoreError::Failed(..)) => {
                if self.refused == 0 {
                    tracing::error!(error = %crate::error_chain::Chain(error), "nothing can be kept");
                }
                self.refused = self.refused.saturating_add(1);
            }
            Ok(stored) if self.refused > 0 && stored.last_position.is_some() => {
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
    removal: &mut Removal,
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
            Command::Remove { events_before, reports_before } => {
                removal.set_ages(events_before, reports_before)
            }
        }
        // A transaction of bounded size keeps the wait of the first request bounded too.
        next = if events < 10_000 { waiting.try_recv().ok() } else { None };
    }
    if requests.is_empty() {
        return;
    }
    let outcomes = match write::commit(db, &requests, removal, metrics) {
        Ok(outcomes) => outcomes,
        // One request that cannot be written must not fail the others: each on its own.
        Err(error) if requests.len() > 1 => {
            tracing::debug!(error = %crate::error_chain::Chain(&error), "a group of requests was not written; trying each alone");
            requests.iter().flat_map(|request| alone(db, request, removal, metrics)).collect()
        }
        Err(error) => vec![Err(failed(error))],
    };
    for (answer, outcome) in answers.into_iter().zip(outcomes) {
        outage.note(&outcome);
        if let Ok(stored) = &outcome
            && let Some(position) = stored.last_position
        {
            latest.send_replace(position);
        }
        answer.send(outcome).ok();
    }
    // Where requests never cease to wait, removal has its part all the same.
    if removal.is_due() {
        remove_slice(db, removal, metrics);
    }
}

fn alone(
    db: &mut Connection,
    request: &Ingest,
    removal: &mut Removal,
    metrics: &Metrics,
) -> Vec<Result<Stored, StoreError>> {
    let outcome = write::commit(db, std::slice::from_ref(request), removal, metrics);
    outcome.unwrap_or_else(|error| vec![Err(failed(error))])
}

fn failed(source: rusqlite::Error) -> StoreError {
    StoreError::Failed("write", Arc::new(source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    fn open(folder: &tempfile::TempDir) -> Store {
        let bounds = StoreBounds { bytes: 1 << 30, source_bytes: 1 << 30, sources: 10 };
        let (path, deadline) = (folder.path().join("collector.db"), Duration::from_millis(300));
        Store::open(&path, bounds, deadline, Arc::default()).unwrap().0
    }

    /// A question without an end.
    fn endless(db: &Connection) -> rusqlite::Result<i64> {
        let text = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
        db.query_row(text, [], |row| row.get(0))
    }

    #[test]
    fn a_question_ends_at_its_deadline_and_when_its_reader_leaves() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let asked = store.ask(Lane::Point, endless).await;
            assert!(matches!(asked, Err(StoreError::TooLong)), "{asked:?}");
            // The reader leaves: the one at work ends, those that wait are never begun.
            let began = Arc::new(AtomicUsize::new(0));
            let waiting = |began: &Arc<AtomicUsize>| {
                let began = Arc::clone(began);
                store.ask(Lane::Point, move |db| {
                    began.fetch_add(1, Relaxed);
                    endless(db)
                })
            };
            let all = async {
                let _ = tokio::join!(waiting(&began), waiting(&began), waiting(&began), waiting(&began));
            };
            assert!(tokio::time::timeout(Duration::from_millis(100), all).await.is_err());
            assert!(matches!(store.svm("nobody".to_owned()).await, Ok(None)));
            assert_eq!(began.load(Relaxed), 1);
            // The lane of lists stands still; the others answer.
            let lists = async {
                let _ = tokio::join!(store.ask(Lane::Events, endless), store.ask(Lane::Events, endless));
            };
            let others = async {
                store.answers().await.unwrap();
                store.svm("nobody".to_owned()).await.unwrap();
                store.keys(0, 1).await.unwrap();
            };
            tokio::select! { () = lists => panic!("they waited for the lists"), () = others => {} }
        });
    }
}
