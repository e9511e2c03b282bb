//! The task of database updates: what is due, what goes on, and what came of it.

use crate::config::Enforcement;
use crate::config::{Missed, Updates as Config};
use crate::context::Context;
use crate::gates::protection::Guard;
use crate::health::{Failed, Outdated, UpdatesHealth};
use crate::log::log_event;
use crate::update_request::{RunAnswer, RunRequest};
use crate::updates::age;
use crate::updates::age::Limits;
use crate::updates::driver;
use crate::updates::driver::{Due, Jobs, ScheduleTracker};
use crate::updates::memory::Memory;
use crate::updates::run;
use crate::updates::run::{Failure, NoStart, Outcome, RunTimeouts, Underway};
use crate::updates::unreported::Unreported;
use jiff::{SignedDuration, Timestamp};
use std::pin::Pin;
use std::time::Duration;
use svm_core::backoff::jitter;
use svm_core::clock::{self};
use svm_core::events::Operational;
use tokio::time::Instant;

/// The clock may be stepped, so a schedule is checked this often.
const POLL_INTERVAL: Duration = Duration::from_secs(60);

/// How often the time of the databases' file is checked, because the file may be set back.
const AGE_CHECK_INTERVAL: Duration = Duration::from_secs(4 * 3600);

/// What a run came to next.
pub(crate) enum Next {
    Found(Option<String>),
    MayBegin(Result<String, NoStart>),
    Began(Result<String, Outcome>),
    Ended(Outcome),
}

/// A run on its way, and who waits to hear that it began.
pub(crate) struct StartingRun {
    next: Pin<Box<dyn Future<Output = Next> + Send>>,
    reply: Option<RunRequest>,
    due: Option<Due>,
}

/// What the task works with.
pub(crate) struct Setup {
    pub(crate) context: Context,
    pub(crate) config: Config,
    pub(crate) enforcement: Enforcement,
}

/// A schedule that is followed, and the jobs that are run for it.
pub(crate) struct Following {
    pub(crate) tracker: ScheduleTracker,
    pub(crate) jobs: Jobs,
}

/// A run that waits out its random delay.
#[derive(Clone, Copy)]
struct Delayed {
    until: Instant,
    due: Due,
}

/// The time of the databases, as it was seen last.
#[derive(Default)]
struct Databases {
    of: Option<Timestamp>,
    /// Why their file could not be inspected, already logged.
    problem: Option<String>,
}

pub(crate) struct Task {
    setup: Setup,
    memory: Memory,
    following: Option<Following>,
    delayed: Option<Delayed>,
    pub(crate) run: Option<StartingRun>,
    unreported: Unreported,
    databases: Databases,
    /// Whether runs are skipped for want of a permit, which is logged once.
    without_permit: bool,
}

/// What the run on its way comes to next, where there is one.
pub(crate) async fn starting_run(run: &mut Option<StartingRun>) -> Next {
    match run {
        Some(run) => run.next.as_mut().await,
        None => std::future::pending().await,
    }
}

/// Waits until then, or for ever.
pub(crate) async fn wait_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl Task {
    /// A task that has not looked yet; `stored` is the text of its note.
    pub(crate) fn new(setup: Setup, memory: Memory, stored: String, following: Option<Following>) -> Self {
        Self {
            setup,
            memory,
            following,
            delayed: None,
            run: None,
            unreported: Unreported::new(stored),
            databases: Databases::default(),
            without_permit: false,
        }
    }

    fn config(&self) -> &Config {
        &self.setup.config
    }

    fn limits(&self) -> Limits {
        Limits { warning: self.config().outdated_days, critical: self.config().outdated_critical_days }
    }

    /// Goes on where the agent before ended.
    pub(crate) fn resume(&mut self, waiting: Option<Due>) {
        let since = self.memory.underway.as_ref().map(|underway| underway.started_at.to_string());
        match self.memory.underway.clone() {
            Some(underway) if !underway.invocation.is_empty() => {
                log_event!(UPDATE_UNDER_WAY of underway.unit, unit = underway.unit, since);
                self.follow(underway, None);
            }
            // It was asked to start, and its start was not seen.
            Some(Underway { unit, before, started_at, .. }) => {
                let next = Box::pin(async move { Next::Found(run::find(&unit, &before, started_at).await) });
                self.run = Some(StartingRun { next, reply: None, due: None });
            }
            None => {}
        }
        let longest = driver::LATE.saturating_add(self.config().random_delay);
        let fresh = |due: &Due| self.setup.context.clock.now().duration_since(due.slot).abs() <= longest;
        match waiting {
            Some(due) if self.run.is_none() && (fresh(&due) || self.config().missed == Missed::RunOnce) => {
                self.due(due);
            }
            _ => self.memory.waiting = None,
        }
    }

    /// What the time brings.
    pub(crate) async fn poll(&mut self) {
        let now = self.setup.context.clock.now();
        if let Some(Following { tracker, jobs }) = &mut self.following {
            let before = tracker.progress().clone();
            if let Some((due, line)) = tracker.poll(now) {
                self.memory.waiting = Some(due);
                jobs.run(line, due, tracker.next()).await;
            }
            if *tracker.progress() != before {
                self.memory.followed = Some(tracker.progress().clone());
            }
        }
        if let Some(Delayed { due, .. }) = self.delayed.take_if(|delayed| Instant::now() >= delayed.until) {
            self.start(Some(due), None);
        }
        self.check_age(now);
        self.unreported.report(&self.setup.context.engine, &self.memory).await;
        self.show(now);
    }

    /// When to look again, if ever.
    pub(crate) fn wait(&self) -> Option<Instant> {
        let now = self.setup.context.clock.now();
        let world = |until: Timestamp| {
            let left = until.duration_since(now).max(SignedDuration::ZERO).unsigned_abs();
            self.setup.context.clock.world(left).saturating_add(Duration::from_millis(1))
        };
        let next = self.following.as_ref().map(|following| following.tracker.next());
        let slot = next.map(|next| next.map_or(POLL_INTERVAL, world).min(POLL_INTERVAL));
        let limits = self.limits();
        let ages = self.databases.of.is_some() || self.config().databases_file.is_some();
        let ages = ages && (limits.warning > 0 || limits.critical > 0);
        let turn = limits
            .next_turn(self.databases.of, now)
            .map_or(AGE_CHECK_INTERVAL, world)
            .min(AGE_CHECK_INTERVAL);
        let spans = slot.into_iter().chain(ages.then_some(turn));
        let instants = spans.map(|span| Instant::now() + span);
        let delay = self.delayed.map(|delayed| delayed.until);
        instants.chain(delay).chain(self.unreported.retry_at()).min()
    }

    /// A slot has come, or is made up for.
    pub(crate) fn due(&mut self, due: Due) {
        let (unit, slot) = (self.config().unit.clone(), due.slot);
        if self.run.is_some() || self.delayed.is_some() {
            self.memory.waiting = self.delayed.map(|delayed| delayed.due);
            log_event!(UPDATE_OVERLAPS of unit, unit, %slot);
            return;
        }
        if due.missed {
            log_event!(UPDATE_MISSED of unit, unit, %slot);
        }
        let delay = self.config().random_delay.unsigned_abs();
        if delay.is_zero() {
            return self.start(Some(due), None);
        }
        self.delayed =
            Some(Delayed { until: Instant::now() + self.setup.context.clock.world(jitter(delay)), due });
        self.memory.waiting = Some(due);
    }

    /// Somebody asks for a run now.
    pub(crate) fn run_now(&mut self, reply: RunRequest) {
        if self.run.is_some() {
            // The requester may have gone; so everywhere here.
            reply.send(RunAnswer::AlreadyRuns { unit: self.config().unit.clone() }).ok();
            return;
        }
        // One that waits is this one.
        let due = self.delayed.take().map(|delayed| delayed.due);
        self.start(due, Some(reply));
    }

    fn start(&mut self, due: Option<Due>, reply: Option<RunRequest>) {
        let (permitted, why) = run::permitted(&self.setup.context.engine.permits, &self.setup.context.clock);
        let unit = self.config().unit.clone();
        if !permitted {
            self.memory.waiting = None;
            if let Some(reply) = reply {
                let message = format!("database updates are not permitted: {why}");
                reply.send(RunAnswer::Refused { code: "no_permit".to_owned(), message }).ok();
            } else if !std::mem::replace(&mut self.without_permit, true) {
                log_event!(UPDATE_NO_PERMIT of unit, unit; why);
            } else {
                log_event!(UPDATE_SKIPPED, unit; why);
            }
            return;
        }
        self.without_permit = false;
        let next = Box::pin(async move { Next::MayBegin(run::may_begin(&unit).await) });
        self.run = Some(StartingRun { next, reply, due });
    }

    fn follow(&mut self, underway: Underway, due: Option<Due>) {
        let enforcement = &self.setup.enforcement;
        let timeouts = RunTimeouts { run: self.config().timeout, stop: enforcement.stop_timeout };
        let (clock, permits) = (self.setup.context.clock, self.setup.context.engine.permits.clone());
        let guard = Guard::new(enforcement);
        let next =
            Box::pin(
                async move { Next::Ended(run::follow(guard, underway, timeouts, clock, permits).await) },
            );
        self.run = Some(StartingRun { next, reply: None, due });
    }

    /// A run got on.
    pub(crate) async fn next(&mut self, next: Next) {
        let Some(StartingRun { reply, due, .. }) = self.run.take() else { return };
        let (unit, now) = (self.config().unit.clone(), self.setup.context.clock.now());
        let slot = due.map(|due| due.slot.to_string());
        if matches!(next, Next::MayBegin(_)) {
            self.memory.waiting = None;
        }
        match next {
            Next::MayBegin(Ok(before)) => {
                let boot = clock::boot_id().to_owned();
                let invocation = String::new();
                let underway = Underway {
                    unit: unit.clone(),
                    before: before.clone(),
                    invocation,
                    started_at: now,
                    boot,
                };
                // Kept before it is begun: `begin` is not looked at until then.
                self.memory.underway = Some(underway);
                let guard = Guard::new(&self.setup.enforcement);
                let next =
                    Box::pin(async move { Next::Began(run::begin(&guard, &unit, &before, now).await) });
                self.run = Some(StartingRun { next, reply, due });
            }
            Next::MayBegin(Err(NoStart::Runs)) => match reply {
                Some(reply) => drop(reply.send(RunAnswer::AlreadyRuns { unit })),
                None => {
                    log_event!(UPDATE_FOREIGN of unit, unit, slot);
                }
            },
            Next::MayBegin(Err(NoStart::Failed(failure))) => self.failed(now, failure, reply),
            Next::Began(Ok(invocation)) => {
                log_event!(UPDATE_BEGAN of unit, unit, slot, invocation);
                if let Some(reply) = reply {
                    reply.send(RunAnswer::Started { unit }).ok();
                }
                self.began(invocation, due);
            }
            Next::Found(Some(invocation)) => self.began(invocation, None),
            Next::Found(None) => self.memory.underway = None,
            Next::Began(Err(outcome)) | Next::Ended(outcome) => self.ended(now, outcome, reply),
        }
    }

    fn began(&mut self, invocation: String, due: Option<Due>) {
        if let Some(mut underway) = self.memory.underway.clone() {
            underway.invocation = invocation;
            self.memory.last_started_at = Some(underway.started_at);
            self.memory.underway = Some(underway.clone());
            self.follow(underway, due);
        }
    }

    fn ended(&mut self, now: Timestamp, outcome: Outcome, reply: Option<RunRequest>) {
        let underway = self.memory.underway.take().unwrap_or_default();
        let unit = underway.unit;
        match outcome {
            Outcome::Succeeded => {
                let took = now.duration_since(underway.started_at).as_secs();
                self.memory.last_succeeded_at = Some(now);
                let took_seconds = u64::try_from(took).unwrap_or(0);
                self.unreported.push(Operational::UpdatesSucceeded { unit, took_seconds });
            }
            Outcome::Refused => {
                log_event!(UPDATE_GATED of unit, unit)
            }
            Outcome::WithPermit => {
                log_event!(UPDATE_STOPPED of unit, unit)
            }
            Outcome::Failed(failure) => self.failed(now, failure, reply),
        }
    }

    fn failed(&mut self, at: Timestamp, failure: Failure, reply: Option<RunRequest>) {
        let Failure { code, message, lines } = failure;
        let unit = self.config().unit.clone();
        if let Some(reply) = reply {
            reply
                .send(RunAnswer::Refused { code: code.to_owned(), message: format!("{unit}: {message}") })
                .ok();
        }
        if !lines.is_empty() {
            log_event!(UPDATE_LAST_LINES of unit, unit, code; lines = lines.join(" | "));
        }
        self.memory.last_failed = Some(Failed { at, code: code.to_owned(), message: message.clone() });
        self.unreported.push(Operational::UpdatesFailed { unit, code, message, lines });
    }

    fn check_age(&mut self, now: Timestamp) {
        let file = self.config().databases_file.as_deref();
        let (of, problem) = age::databases_of(
            file,
            self.memory.last_succeeded_at,
            now,
            self.setup.context.clock.wall_is_behind(),
        );
        if let (Some(file), Some(problem)) = (file, &problem)
            && self.databases.problem.as_ref() != Some(problem)
        {
            let file = file.display();
            log_event!(DATABASES_UNSEEN, %file; problem);
        }
        self.databases = Databases { of, problem };
        let outdated = self.limits().judge(of, now);
        if outdated == self.memory.outdated {
            return;
        }
        if let (Some(of), true) = (of, outdated > self.memory.outdated) {
            let (days, critical) = (age::days(of, now), outdated == Outdated::Critical);
            self.unreported.push(Operational::DatabasesOutdated { since: of, days, critical });
        }
        self.memory.outdated = outdated;
        self.unreported.condition_changed();
    }

    fn show(&self, now: Timestamp) {
        let config = self.config();
        let waits = self.delayed.and_then(|Delayed { until, .. }| {
            let left = self.setup.context.clock.span(until.saturating_duration_since(Instant::now()));
            now.checked_add(SignedDuration::try_from(left).ok()?).ok()
        });
        *self.setup.context.health.updates() = UpdatesHealth {
            unit: config.unit.clone(),
            schedule: config.schedule.lines().iter().map(|line| line.as_str().to_owned()).collect(),
            time_zone: config.schedule.zone().to_owned(),
            next_run_at: waits.or_else(|| self.following.as_ref()?.tracker.next()),
            running_since: self.memory.underway.as_ref().map(|underway| underway.started_at),
            last_started_at: self.memory.last_started_at,
            last_succeeded_at: self.memory.last_succeeded_at,
            last_failed: self.memory.last_failed.clone(),
            databases_of: self.databases.of,
            outdated: self.memory.outdated,
        };
    }
}
