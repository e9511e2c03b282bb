//! The store: what is stored, and when it counts as stored.
//!
//! Promises: one thread owns the connection that writes (`writer`), with `synchronous=FULL`: what an answer names is on
//! disk. Readers have threads of their own (`lanes`): a long question holds up neither senders nor the short ones, and
//! the question whether the store works waits for no other.
//! Every SQL statement of the collector is below this module. It must not know HTTP.

mod columns;
mod commit;
mod error;
mod lanes;
mod migrations;
mod read;
mod remove;
mod schema;
mod source;
mod summary;
mod writer;

pub(super) use commit::{Ingest, TokenHolder};
pub use error::StoreError;
pub use read::{Event, Events, EventsPage, MAX_ANSWER, StoredReport, StoredSvm, Svms, SvmsPage};
pub(super) use remove::StoreBounds;
pub use summary::{CommitSummary, Conflict};

use super::fleet::{Counts, KeySum, canonical_id};
use super::metrics::Metrics;
use jiff::Timestamp;
use lanes::{Lane, Lanes};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use writer::{Command, Writer};

/// Requests that may wait for the writing thread; more are answered with 503.
const WAITING_WRITES: usize = 1024;

/// A handle; all clones mean the same threads. They end when the last is dropped.
#[derive(Clone)]
pub struct Store {
    writes: mpsc::Sender<Command>,
    lanes: Lanes,
    latest: watch::Receiver<i64>,
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
        let mut writer = Writer::open(path, bounds, metrics)?;
        let latest = writer.latest();
        let (lanes, reading) = Lanes::open(path, deadline)?;
        let (writes, commands) = mpsc::channel(WAITING_WRITES);
        let (ended, over) = oneshot::channel();
        let writing = move || {
            writer.run(commands);
            reading.into_iter().for_each(|thread| drop(thread.join()));
            // The connection that writes is closed last: it writes the log into the file.
            drop(writer);
            ended.send(()).ok();
        };
        std::thread::Builder::new().name("store-write".into()).spawn(writing).map_err(StoreError::Thread)?;
        Ok((Self { writes, lanes, latest }, over))
    }

    /// Stores a request's events; when it answers, they are on disk.
    pub(super) async fn ingest(&self, ingest: Ingest) -> Result<CommitSummary, StoreError> {
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

    /// The SVMs that are asked for.
    pub async fn svms(&self, asked: Svms) -> Result<SvmsPage, StoreError> {
        self.lanes.ask(Lane::Fleet, move |db| read::svms(db, &asked)).await
    }

    /// One SVM, with its latest report. A UUID is found however it is written.
    pub async fn svm(&self, id: String) -> Result<Option<StoredSvm>, StoreError> {
        self.lanes
            .ask(Lane::Point, move |db| match read::svm(db, &id)? {
                None if canonical_id(&id) != id => read::svm(db, &canonical_id(&id)),
                found => Ok(found),
            })
            .await
    }

    /// Whether the file can be read: one row, however large the fleet is.
    pub async fn answers(&self) -> Result<(), StoreError> {
        self.lanes.ask(Lane::Health, |db| read::latest(db).map(drop)).await
    }

    /// How many SVMs have which status.
    pub async fn counts(&self, silent_before: Timestamp) -> Result<Counts, StoreError> {
        self.lanes.ask(Lane::Fleet, move |db| read::counts(db, silent_before)).await
    }

    /// Devices by key, the fullest first.
    pub async fn keys(&self, offset: u32, limit: u32) -> Result<Vec<KeySum>, StoreError> {
        self.lanes.ask(Lane::Fleet, move |db| read::keys(db, offset, limit)).await
    }

    pub async fn events(&self, asked: Events) -> Result<EventsPage, StoreError> {
        self.lanes.ask(Lane::Events, move |db| read::events(db, &asked)).await
    }

    /// A few events by position, of one source or of all: a piece of a stream or of a page.
    pub async fn piece(&self, asked: Events) -> Result<EventsPage, StoreError> {
        self.lanes.ask(Lane::Point, move |db| read::events(db, &asked)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

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
            let asked = store.lanes.ask(Lane::Point, endless).await;
            assert!(matches!(asked, Err(StoreError::TooLong)), "{asked:?}");
            // The reader leaves: the one at work ends, those that wait are never begun.
            let began = Arc::new(AtomicUsize::new(0));
            let waiting = |began: &Arc<AtomicUsize>| {
                let began = Arc::clone(began);
                store.lanes.ask(Lane::Point, move |db| {
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
                let _ = tokio::join!(
                    store.lanes.ask(Lane::Events, endless),
                    store.lanes.ask(Lane::Events, endless)
                );
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
