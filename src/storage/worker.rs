//! The thread that owns the database. Calls that wait are committed together; an answer comes after the commit.

use crate::config::Retention;
use crate::storage::bounds;
use crate::storage::bounds::TrimCursor;
use crate::storage::connection::connect;
use crate::storage::error::StoreError;
use crate::storage::recovery::Recovery;
use crate::storage::types::Durability;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use svm_core::ask::ask_thread;
use svm_core::lock::lock;
use tokio::sync::oneshot;

/// So many waiting calls share a commit at most.
const GROUP: usize = 64;

/// After so long without a call, memory is given back; longer than an idle connection is kept.
const REST: Duration = Duration::from_secs(30);

/// The recovery file is written when nothing was asked for so long: what was kept goes out to destinations first.
const MOMENT: Duration = Duration::from_millis(2);

/// But so many groups of calls do not put it off.
const LAG: u32 = 32;

/// Disk that is kept for Critical events: given up when there is no other room.
const RESERVE_BYTES: u64 = 1024 * 1024;

trait Job: Send {
    fn run(&mut self, db: &Connection) -> rusqlite::Result<()>;
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
    fn sync(&self) -> Durability;
    fn critical(&self) -> bool;
}

struct Call<F, K, T> {
    work: F,
    stored: K,
    value: Option<T>,
    sync: Durability,
    critical: bool,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F, K> Job for Call<F, K, T>
where
    T: Send,
    F: FnMut(&Connection) -> rusqlite::Result<T> + Send,
    K: FnOnce(&T) + Send,
{
    fn run(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.value = Some((self.work)(db)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { value, reply, stored, .. } = *self;
        if let (Ok(()), Some(value)) = (&outcome, &value) {
            stored(value);
        }
        // The caller may have gone; then nobody needs the answer.
        reply.send(outcome.and_then(|()| value.ok_or(StoreError::Closed))).ok();
    }

    fn sync(&self) -> Durability {
        self.sync
    }

    fn critical(&self) -> bool {
        self.critical
    }
}

enum Message {
    Job(Box<dyn Job>),
    /// Answered once the recovery file holds what was kept before.
    Safe(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

/// A handle to the thread.
#[derive(Clone)]
pub(crate) struct Worker {
    jobs: mpsc::Sender<Message>,
}

impl Worker {
    /// Starts the thread over an opened database.
    pub(crate) fn start(
        db: Connection,
        file: PathBuf,
        bounds: Retention,
        recovery: Arc<Mutex<Recovery>>,
        trim_cursor: TrimCursor,
    ) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel();
        let reserve = file.with_extension("reserve");
        let mut owner = Owner { db, file, reserve, bounds, recovery, trim_cursor };
        owner.restore_reserve();
        std::thread::Builder::new()
            .name("store".to_owned())
            .stack_size(512 * 1024)
            .spawn(move || {
                let closing = owner.work(&queue);
                // After the answer the files belong to the caller: nothing is written any more.
                drop(owner);
                closing.map(|reply| reply.send(()).ok())
            })
            .map_err(StoreError::NoThread)?;
        Ok(Self { jobs })
    }

    pub(crate) async fn call<T, F>(&self, sync: Durability, critical: bool, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.keep(sync, critical, work, |_| ()).await
    }

    /// Does `work` in a transaction, more than once where that fails, and `kept` once it is kept: in the order of
    /// the transactions, before the answer.
    pub(crate) async fn keep<T, F, K>(
        &self,
        sync: Durability,
        critical: bool,
        work: F,
        stored: K,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
        K: FnOnce(&T) + Send + 'static,
    {
        let job = |reply| Message::Job(Box::new(Call { work, stored, value: None, sync, critical, reply }));
        ask_thread(&self.jobs, job).await.ok_or(StoreError::Closed)?
    }

    /// Waits until the recovery file holds what was kept before.
    pub(crate) async fn safe(&self) {
        ask_thread(&self.jobs, Message::Safe).await;
    }

    pub(crate) async fn close(&self) {
        ask_thread(&self.jobs, Message::Close).await;
    }
}

/// When the thread, where nothing is asked, does what can wait.
enum Rest {
    In(Duration),
    Over,
}

struct Owner {
    db: Connection,
    file: PathBuf,
    reserve: PathBuf,
    bounds: Retention,
    recovery: Arc<Mutex<Recovery>>,
    trim_cursor: TrimCursor,
}

impl Owner {
    /// Works until all handles are gone, or until it is closed: answers who waits for that.
    fn work(&mut self, queue: &mpsc::Receiver<Message>) -> Option<oneshot::Sender<()>> {
        let mut rest = Rest::Over;
        // For how many groups the recovery file lags behind, and who waits until it has caught up.
        let (mut lags, mut waiters): (Option<u32>, Vec<oneshot::Sender<()>>) = (None, Vec::new());
        loop {
            let first = match (lags, &rest) {
                (Some(_), _) => queue.recv_timeout(MOMENT),
                (None, Rest::Over) => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
                (None, Rest::In(wait)) => queue.recv_timeout(*wait),
            };
            let first = match first {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) if lags.is_some() => None,
                Err(RecvTimeoutError::Timeout) => {
                    rest = self.rest();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    if lags.is_some() {
                        Recovery::write(&self.recovery);
                    }
                    return None;
                }
            };
            rest = Rest::In(REST);
            let (mut group, mut close, moment) = (Vec::new(), None, first.is_none());
            let mut next = first;
            while let Some(message) = next {
                match message {
                    Message::Job(job) => group.push(job),
                    Message::Safe(reply) => waiters.push(reply),
                    Message::Close(reply) => close = Some(reply),
                }
                next = if group.len() < GROUP && close.is_none() { queue.try_recv().ok() } else { None };
            }
            self.together(group);
            lags = lock(&self.recovery).behind.then(|| lags.map_or(0, |groups| groups + 1));
            if lags.is_some_and(|groups| moment || close.is_some() || groups >= LAG) {
                Recovery::write(&self.recovery);
                lags = None;
            }
            if lags.is_none() {
                for waiter in waiters.drain(..) {
                    waiter.send(()).ok();
                }
            }
            if close.is_some() {
                self.db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").ok();
                return close;
            }
        }
    }

    /// Nothing was asked for a while: what need not be kept goes, the file shrinks, and what SQLite keeps at hand
    /// goes back to the system. A step at a time, since somebody may ask.
    fn rest(&self) -> Rest {
        if lock(&self.recovery).missed {
            Recovery::write(&self.recovery);
        }
        let step = bounds::trim(&self.db, self.bounds.history, &self.trim_cursor)
            .and_then(|left| Ok(left || bounds::vacuum(&self.db)?));
        if matches!(step, Ok(true)) {
            return Rest::In(Duration::ZERO);
        }
        self.db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA shrink_memory").ok();
        svm_core::memory::give_back();
        Rest::Over
    }

    /// One commit for all; where it fails, each for itself.
    fn together(&mut self, mut group: Vec<Box<dyn Job>>) {
        if group.len() > 1 && self.attempt(&mut group).is_ok() {
            for job in group {
                job.answer(Ok(()));
            }
            return;
        }
        for job in group {
            let mut alone = [job];
            let mut outcome = self.attempt(&mut alone);
            let [job] = alone;
            if matches!(outcome, Err(StoreError::Full))
                && job.critical()
                && std::fs::remove_file(&self.reserve).is_ok()
            {
                let mut again = [job];
                outcome = self.attempt(&mut again);
                let [job] = again;
                job.answer(outcome);
                continue;
            }
            let reopen = matches!(outcome, Err(StoreError::Failed(_)));
            job.answer(outcome);
            if reopen {
                // After an I/O error what SQLite holds in memory is not to be trusted: the file is read again.
                if let Ok(db) = connect(&self.file) {
                    self.db = db;
                }
            }
        }
        self.restore_reserve();
    }

    fn attempt(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let durable = jobs.iter().any(|job| job.sync() == Durability::Now);
        let run = |db: &Connection| {
            // In a write-ahead log NORMAL leaves out the sync at a commit, and nothing else.
            db.execute_batch(if durable {
                "PRAGMA synchronous = FULL"
            } else {
                "PRAGMA synchronous = NORMAL"
            })?;
            db.execute_batch("BEGIN IMMEDIATE")?;
            for job in jobs {
                job.run(db)?;
            }
            db.execute_batch("COMMIT")
        };
        run(&self.db).map_err(|error| {
            if !self.db.is_autocommit() {
                self.db.execute_batch("ROLLBACK").ok();
            }
            error.into()
        })
    }

    /// Keeps some disk for Critical events, as soon as there is room for it.
    fn restore_reserve(&self) {
        // Its size too: where power failed, the name may be there and the room not.
        if std::fs::metadata(&self.reserve).is_ok_and(|file| file.len() >= RESERVE_BYTES) {
            return;
        }
        let make = || -> std::io::Result<()> {
            use std::os::unix::fs::OpenOptionsExt;
            let folder = self.reserve.parent().unwrap_or(&self.reserve);
            let free = rustix::fs::statvfs(folder)?;
            if free.f_bavail.saturating_mul(free.f_frsize) < 4 * RESERVE_BYTES {
                return Ok(());
            }
            let mut options = std::fs::OpenOptions::new();
            let file = options.write(true).create(true).truncate(false).mode(0o600).open(&self.reserve)?;
            rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, RESERVE_BYTES)?;
            Ok(())
        };
        if make().is_err() {
            std::fs::remove_file(&self.reserve).ok();
        }
    }
}
