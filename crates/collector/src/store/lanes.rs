//! The threads that read: one connection each, in lanes, so that a long question holds up none of another lane.
//!
//! Promises: a question has a deadline; one whose reader left is interrupted, or never begun.

use super::error::StoreError;
use super::schema;
use rusqlite::{Connection, InterruptHandle};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;
use svm_core::lock::lock;
use tokio::sync::{mpsc, oneshot};

/// Questions that may wait in one lane.
const WAITING_READS: usize = 256;

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

/// Answers the questions of a lane until its senders are dropped.
fn answer_questions(db: &Connection, questions: &Mutex<mpsc::Receiver<Question>>) {
    loop {
        let next = lock(questions).blocking_recv();
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
pub(super) enum Lane {
    /// Whether the store works.
    Health,
    /// One SVM, one piece of a stream: by an index, in a moment.
    Point,
    /// About all SVMs, by an index that has them all.
    Fleet,
    Events,
}

/// The ends of all lanes at which questions go in. The threads end when the last clone is dropped.
#[derive(Clone)]
pub(super) struct Lanes {
    health: mpsc::Sender<Question>,
    points: mpsc::Sender<Question>,
    fleet: mpsc::Sender<Question>,
    lists: mpsc::Sender<Question>,
    deadline: Duration,
}

impl Lanes {
    /// Opens a connection for each thread and starts it.
    pub(super) fn open(path: &Path, deadline: Duration) -> Result<(Self, Vec<JoinHandle<()>>), StoreError> {
        let mut started = Vec::new();
        let mut lane = |name: &str, threads: usize| -> Result<mpsc::Sender<Question>, StoreError> {
            let (questions, receiver) = mpsc::channel(WAITING_READS);
            let receiver = Arc::new(Mutex::new(receiver));
            for _ in 0..threads {
                let (reader, receiver) = (schema::open_reader(path)?, Arc::clone(&receiver));
                let thread = std::thread::Builder::new().name(format!("store-{name}"));
                let thread = thread.spawn(move || answer_questions(&reader, &receiver));
                started.push(thread.map_err(StoreError::Thread)?);
            }
            Ok(questions)
        };
        let (health, points) = (lane("health", 1)?, lane("point", 1)?);
        let (fleet, lists) = (lane("fleet", 1)?, lane("events", 2)?);
        Ok((Self { health, points, fleet, lists, deadline }, started))
    }

    /// The answer to a question.
    ///
    /// # Errors
    /// The lane is full, the question failed, or its deadline passed.
    pub(super) async fn ask<T: Send + 'static>(
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
        answered.map_err(StoreError::Read)
    }
}
