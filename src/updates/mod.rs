//! Database updates: on the agent's own schedule, one run at a time, as far as their permit goes; and how old the
//! databases are.
//!
//! Promises: a slot is run once, also over a restart; a run that goes on when the agent ends is watched by the next one;
//! every report is sent, now or later. Without a schedule and a time of the databases it never wakes up.
//! `schedule` says when, `driver` follows it, `run` is one run, `age` is about the databases, `memory` outlasts a
//! restart.

pub mod age;
pub mod driver;
mod memory;
pub mod run;
mod task;
mod unreported;

pub use memory::Memory;

use crate::config::{Enforcement, Updates as Config};
use crate::context::Context;
use crate::storage::{NoteName, read_note};
use crate::update_request::RunRequest;
use driver::{Due, Jobs, ScheduleTracker};
use jiff::Timestamp;
use task::{Following, Setup, Task};
use tokio::sync::mpsc;

/// The parts of the update task.
pub struct Updates {
    /// What all tasks share.
    pub context: Context,
    /// When updates run, and which unit they are.
    pub config: Config,
    /// Units that may not stop with that unit.
    pub enforcement: Enforcement,
    /// Who asks for a run.
    pub asked: mpsc::Receiver<RunRequest>,
}

impl Updates {
    /// Works until every sender of requests is gone.
    pub async fn run(self) {
        let Self { context, config, enforcement, mut asked } = self;
        let note = context.store.note(NoteName::Updates).await.ok().flatten();
        let mut memory: Memory = read_note(NoteName::Updates, note).unwrap_or_default();
        let stored = memory.to_note();
        let (sender, mut due) = mpsc::channel(8);
        let following = follow(&mut memory, &config, context.clock.now(), sender).await;
        let waiting = memory.waiting.filter(|_| following.is_some());
        let setup = Setup { context, config, enforcement };
        let mut task = Task::new(setup, memory, stored, following);
        task.resume(waiting);
        loop {
            task.poll().await;
            let wait = task.wait();
            // The code that looks into the calendar is not needed until the next check.
            svm_core::memory::give_back();
            tokio::select! {
                reply = asked.recv() => match reply {
                    None => return,
                    Some(reply) => task.run_now(reply),
                },
                Some(due) = due.recv() => task.due(due),
                next = task::starting_run(&mut task.run) => task.next(next).await,
                () = task::wait_until(wait) => {}
            }
        }
    }
}

/// Follows the schedule from where it was followed before, if there is one; `told` is sent what is due.
async fn follow(
    memory: &mut Memory,
    config: &Config,
    now: Timestamp,
    sender: mpsc::Sender<Due>,
) -> Option<Following> {
    let before = memory.followed.take();
    if config.schedule.is_empty() {
        return None;
    }
    let tracker = ScheduleTracker::new(config.schedule.clone(), config.missed, before, now);
    memory.followed = Some(tracker.progress().clone());
    let jobs = Jobs::new(&config.schedule, sender).await;
    Some(Following { tracker, jobs })
}
