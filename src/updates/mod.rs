//! Database updates: on the agent's own schedule, one run at a time, as far as their permit goes; and how old the
//! databases are.
//!
//! Promises: a slot is run once, also over a restart; a run that goes on when the agent ends is watched by the next one;
//! what is to be told is told, if not now then later. Without a schedule and a time of the databases it never wakes up.
//! `schedule` says when, `driver` follows it, `run` is one run, `age` is about the databases, `memory` outlasts a
//! restart.

pub mod age;
pub mod driver;
mod memory;
mod request;
pub mod run;
mod task;
mod unreported;

pub use memory::Memory;
pub use request::{RunAnswer, RunRequest};

use crate::config::Settings;
use crate::engine::Handle;
use crate::health::HealthRegistry;
use crate::storage::{Store, read_note};
use driver::{Due, Jobs, ScheduleTracker};
use jiff::Timestamp;
use std::sync::Arc;
use svm_core::clock::Clock;
use task::{Context, Following, Task};
use tokio::sync::mpsc;

/// The parts of the update task.
pub struct Updates {
    /// The settings.
    pub settings: Arc<Settings>,
    /// The time.
    pub clock: Clock,
    /// The engine.
    pub engine: Handle,
    /// The store, for the note.
    pub store: Store,
    /// Where it writes how it is.
    pub health: Arc<HealthRegistry>,
    /// Who asks for a run.
    pub asked: mpsc::Receiver<RunRequest>,
}

impl Updates {
    /// Works until whoever may ask is gone.
    pub async fn run(self) {
        let Self { settings, clock, engine, store, health, mut asked } = self;
        let note = store.note(memory::NOTE).await.ok().flatten();
        let mut memory: Memory = read_note(memory::NOTE, note).unwrap_or_default();
        let stored = memory.to_note();
        let (told, mut due) = mpsc::channel(8);
        let following = follow(&mut memory, &settings, clock.now(), told).await;
        let waiting = memory.waiting.filter(|_| following.is_some());
        let context = Context { settings, clock, engine, health };
        let mut task = Task::new(context, memory, stored, following);
        task.resume(waiting);
        loop {
            task.look().await;
            let wait = task.wait();
            tokio::select! {
                reply = asked.recv() => match reply {
                    None => return,
                    Some(reply) => task.run_now(reply),
                },
                Some(due) = due.recv() => task.due(due),
                next = task::on_its_way(&mut task.run) => task.next(next).await,
                () = task::wait_until(wait) => {}
            }
        }
    }
}

/// Follows the schedule from where it was followed before, if there is one; `told` is sent what is due.
async fn follow(
    memory: &mut Memory,
    settings: &Settings,
    now: Timestamp,
    told: mpsc::Sender<Due>,
) -> Option<Following> {
    let before = memory.followed.take();
    let config = &settings.updates;
    if config.schedule.is_empty() {
        return None;
    }
    let tracker = ScheduleTracker::new(config.schedule.clone(), config.missed, before, now);
    memory.followed = Some(tracker.followed().clone());
    let jobs = Jobs::new(&config.schedule, told).await;
    Some(Following { tracker, jobs })
}
