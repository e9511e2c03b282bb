//! What is due when: the schedule against a clock that may be stepped, and the jobs that are run for it.
//!
//! Promises: a slot is due once, also where the clock goes back over it; slots that passed unseen are one
//! missed run, or none; a clock that was far ahead and is corrected stops nothing. [`ScheduleTracker`] is pure. The jobs are kept
//! and run by `tokio-cron-scheduler`, which is never started: its own loop wakes twice a second, and takes a step of the
//! clock for time that passed. Must not know: permits, units.

use crate::config::Missed;
use crate::config::cron_line::CronLine;
use crate::config::schedule::Schedule;
use chrono::{DateTime, Utc};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};
use svm_core::lock::lock;
use tokio::sync::mpsc;
use tokio_cron_scheduler::{JobBuilder, JobScheduler, JobSchedulerError};

/// A clock that goes back by at most this repeats nothing; one that goes back further was wrong before.
const STEP_BACK: SignedDuration = SignedDuration::from_hours(1);

/// A slot that is seen later than this was missed. More than the minute between two checks of the clock.
pub const LATE: SignedDuration = SignedDuration::from_secs(90);

/// A run whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// When it should be.
    pub slot: Timestamp,
    /// Whether that time passed unseen.
    pub missed: bool,
}

/// How far a schedule was followed; outlasts a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Which schedule: another one missed nothing.
    of: String,
    /// Slots up to here are over.
    up_to: Timestamp,
    /// The last one that was due.
    last: Option<Timestamp>,
}

#[derive(Debug)]
pub struct ScheduleTracker {
    schedule: Schedule,
    missed: Missed,
    progress: Progress,
}

impl ScheduleTracker {
    /// A schedule as it was followed before; one that never was begins at `now`.
    pub fn new(schedule: Schedule, missed: Missed, before: Option<Progress>, now: Timestamp) -> Self {
        let lines: Vec<&str> = schedule.lines().iter().map(CronLine::as_str).collect();
        let of = format!("{} {}", lines.join("; "), schedule.zone());
        let progress = before.filter(|before| before.of == of);
        Self { schedule, missed, progress: progress.unwrap_or(Progress { of, up_to: now, last: None }) }
    }

    /// What is to be remembered.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    pub fn next(&self) -> Option<Timestamp> {
        self.next_line().map(|(slot, _)| slot)
    }

    fn next_line(&self) -> Option<(Timestamp, usize)> {
        let next = self.schedule.next_line_after(self.progress.up_to)?;
        if Some(next.0) == self.progress.last { self.schedule.next_line_after(next.0) } else { Some(next) }
    }

    /// What is due at `now`, and by which line.
    pub fn poll(&mut self, now: Timestamp) -> Option<(Due, usize)> {
        if self.progress.up_to.duration_since(now) > STEP_BACK {
            self.progress.up_to = now;
        }
        let (first, line) = self.next_line().filter(|(first, _)| *first <= now)?;
        // Of several, the last one tells whether it is late.
        let slot = self.schedule.last_at_or_before(now, first).unwrap_or(first);
        self.progress.up_to = slot;
        let missed = now.duration_since(slot) > LATE;
        if missed && self.missed == Missed::Skip {
            return None;
        }
        self.progress.last = Some(slot);
        Some((Due { slot, missed }, line))
    }
}

/// The jobs of a schedule, one for each line.
pub struct Jobs {
    /// The library's, with its id of each line's job. What is due is reported without it if there is none: the schedule was
    /// checked with the settings, and is followed whatever the library says.
    library: Option<(JobScheduler, Vec<uuid::Uuid>)>,
    due: Arc<Mutex<Option<Due>>>,
    sender: mpsc::Sender<Due>,
}

impl Jobs {
    /// Makes the jobs; each tells `told` what is due when it is run.
    pub async fn new(schedule: &Schedule, sender: mpsc::Sender<Due>) -> Self {
        let mut jobs = Self { library: None, due: Arc::new(Mutex::new(None)), sender };
        jobs.library = jobs.made(schedule).await.ok();
        jobs
    }

    async fn made(&self, schedule: &Schedule) -> Result<(JobScheduler, Vec<uuid::Uuid>), JobSchedulerError> {
        let scheduler = JobScheduler::new().await?;
        let mut ids = Vec::new();
        for line in schedule.lines() {
            let (due, sender) = (self.due.clone(), self.sender.clone());
            let job = JobBuilder::new().with_cron_job_type().with_schedule(line.with_seconds())?;
            let job = job.with_run_async(Box::new(move |_, _| {
                let (due, sender) = (due.clone(), sender.clone());
                Box::pin(async move { send_due(&due, &sender).await })
            }));
            ids.push(scheduler.add(job.build()?).await?);
        }
        Ok((scheduler, ids))
    }

    /// Has the job of a line run for what is due, and notes when it runs again.
    pub async fn run(&self, line: usize, due: Due, next: Option<Timestamp>) {
        let chrono = |at: Timestamp| DateTime::<Utc>::from_timestamp(at.as_second(), 0);
        *lock(&self.due) = Some(due);
        let job =
            self.library.as_ref().and_then(|(scheduler, ids)| Some((scheduler.context(), *ids.get(line)?)));
        let sent = match job {
            Some((context, id)) => {
                let mut ticks = context.metadata_storage.write().await;
                // Its own note, which nobody reads: how far the schedule was followed is in `Followed`.
                ticks.set_next_and_last_tick(id, next.and_then(chrono), chrono(due.slot)).await.ok();
                context.job_activation_tx.send(id).is_ok()
            }
            None => false,
        };
        if !sent {
            send_due(&self.due, &self.sender).await;
        }
    }
}

async fn send_due(due: &Mutex<Option<Due>>, sender: &mpsc::Sender<Due>) {
    let due = lock(due).take();
    if let Some(due) = due {
        // The waiter is gone when the agent stops.
        sender.send(due).await.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn schedule(line: &str) -> Schedule {
        Schedule::parse(&[line.to_owned()], "UTC").unwrap()
    }

    fn tracker(line: &str, missed: Missed, now: &str) -> ScheduleTracker {
        ScheduleTracker::new(schedule(line), missed, None, at(now))
    }

    fn polled(tracker: &mut ScheduleTracker, now: &str) -> Option<(String, bool)> {
        tracker.poll(at(now)).map(|(due, _)| (due.slot.to_string(), due.missed))
    }

    fn due(slot: &str, missed: bool) -> Option<(String, bool)> {
        Some((slot.to_owned(), missed))
    }

    #[test]
    fn a_slot_is_due_once_also_where_the_clock_goes_back_over_it() {
        let mut tracker = tracker("0 3 * * *", Missed::RunOnce, "2026-05-05T02:59:00Z");
        assert_eq!(polled(&mut tracker, "2026-05-05T02:59:59Z"), None);
        assert_eq!(polled(&mut tracker, "2026-05-05T03:00:00Z"), due("2026-05-05T03:00:00Z", false));
        assert_eq!(polled(&mut tracker, "2026-05-05T03:00:00Z"), None);
        // By a little, and by more than a wrong zone can be.
        for back in ["2026-05-05T02:58:00Z", "2026-05-05T00:58:00Z", "2026-05-04T12:58:00Z"] {
            assert_eq!(polled(&mut tracker, back), None);
            assert_eq!(polled(&mut tracker, "2026-05-05T03:00:01Z"), None, "after {back}");
        }
        assert_eq!(polled(&mut tracker, "2026-05-06T03:00:01Z"), due("2026-05-06T03:00:00Z", false));
    }

    #[test]
    fn slots_that_passed_unseen_are_one_missed_run_or_none() {
        for (missed, expected) in [(Missed::RunOnce, due("2026-05-08T03:00:00Z", true)), (Missed::Skip, None)]
        {
            let mut tracker = tracker("0 3 * * *", missed, "2026-05-05T02:00:00Z");
            assert_eq!(polled(&mut tracker, "2026-05-08T12:00:00Z"), expected);
            assert_eq!(polled(&mut tracker, "2026-05-08T12:01:00Z"), None);
            // Over a restart.
            let stored = serde_json::to_string(tracker.progress()).unwrap();
            let stored = Some(serde_json::from_str(&stored).unwrap());
            let mut again =
                ScheduleTracker::new(schedule("0 3 * * *"), missed, stored, at("2026-05-08T13:00:00Z"));
            assert_eq!(polled(&mut again, "2026-05-08T13:00:00Z"), None);
            assert_eq!(polled(&mut again, "2026-05-09T03:01:20Z"), due("2026-05-09T03:00:00Z", false));
            // Many passed, and the last of them is now.
            assert_eq!(polled(&mut again, "2026-05-19T03:00:00Z"), due("2026-05-19T03:00:00Z", false));
        }
    }

    #[test]
    fn a_first_start_and_another_schedule_missed_nothing() {
        let mut first = tracker("0 3 * * *", Missed::RunOnce, "2026-05-05T12:00:00Z");
        assert_eq!(polled(&mut first, "2026-05-05T12:00:00Z"), None);
        let stored = Some(first.progress().clone());
        let now = at("2026-05-07T12:00:00Z");
        let mut other = ScheduleTracker::new(schedule("0 4 * * *"), Missed::RunOnce, stored, now);
        assert_eq!(other.poll(now), None);
        assert_eq!(other.next(), Some(at("2026-05-08T04:00:00Z")));
    }

    #[test]
    fn a_clock_that_was_in_2030_stops_nothing() {
        let mut tracker = tracker("*/15 * * * *", Missed::RunOnce, "2026-05-05T12:01:00Z");
        assert_eq!(polled(&mut tracker, "2030-01-01T00:07:00Z"), due("2030-01-01T00:00:00Z", true));
        assert_eq!(polled(&mut tracker, "2026-05-05T12:03:00Z"), None);
        assert_eq!(tracker.next(), Some(at("2026-05-05T12:15:00Z")));
        assert_eq!(polled(&mut tracker, "2026-05-05T12:15:00Z"), due("2026-05-05T12:15:00Z", false));
    }

    #[tokio::test]
    async fn a_job_tells_what_is_due() {
        let (sender, mut due) = mpsc::channel(4);
        let lines = ["0 3 * * *".to_owned(), "0 5 31 2 mon".to_owned()];
        let jobs = Jobs::new(&Schedule::parse(&lines, "UTC").unwrap(), sender).await;
        for (line, slot) in
            [(0, "2026-05-05T03:00:00Z"), (1, "2027-02-01T05:00:00Z"), (9, "2027-02-02T05:00:00Z")]
        {
            let one = Due { slot: at(slot), missed: false };
            jobs.run(line, one, Some(at("2028-01-01T00:00:00Z"))).await;
            assert_eq!(due.recv().await, Some(one));
        }
    }
}
