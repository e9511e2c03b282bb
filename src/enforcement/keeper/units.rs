//! The units of a keeper: which they are, how they are stopped, and which are started when the permit is back.

use super::state::{Keeper, LAST_RETRY, Outcome};
use crate::engine::Command;
use crate::gates::protection::{Guard, GuardError, RELATIONS};
use crate::gates::units;
use crate::log::log_event;
use crate::permits::start_notes;
use crate::systemd::systemctl;
use crate::systemd::systemctl::UnitState;
use crate::update_request::RunAnswer;
use std::collections::BTreeSet;
use std::time::Duration;
use svm_core::ask::ask;
use svm_core::library_words;
use svm_core::subscription::{Permit, Resource};
use tokio::time::Instant;

/// Between two checks of units that are stopping.
const STOP_POLLS: [Duration; 5] = [
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(2),
];

/// What was begun of a permit.
pub(super) enum Begun {
    /// Nothing: it is not known what is governed, or what runs.
    Failed(String),
    /// Units that must not run: those that got a stop, and what failed with it.
    Stopped { units: Vec<String>, stop_requested: Vec<String>, problem: Option<String> },
    /// What waits may be started.
    Allowed(Governed),
}

/// What runs of these and was not asked to stop. One that asks its gate will be refused, and is skipped then; stopped
/// meanwhile, systemd would call it failed.
fn to_stop(shown: &[UnitState], stop_requested: &[String]) -> Vec<String> {
    let runs = |unit: &&UnitState| unit.runs() && !unit.asks() && !stop_requested.contains(&unit.id);
    shown.iter().filter(runs).map(|unit| unit.id.clone()).collect()
}

/// Units that are governed: for this resource, and for the other.
#[derive(Default)]
pub(super) struct Governed {
    here: BTreeSet<String>,
    there: BTreeSet<String>,
}

impl Keeper {
    /// What is governed, here and for the other resource: units with a gate, and the one that the schedule starts.
    fn units(&self) -> Result<Governed, String> {
        let folder = &self.means.enforcement.gates_dir;
        let found = units::installed(folder).map_err(|error| {
            format!("cannot read the gates in {}: {}", folder.display(), library_words::io(&error))
        })?;
        let gated = found.into_iter().map(|gate| (gate.resource, gate.unit));
        let scheduled = Resource::ALL.into_iter().filter_map(|resource| {
            self.means.updates.scheduled_unit(resource).map(|unit| (resource, unit.to_owned()))
        });
        // One that `svm-agent updates run` started, without a schedule.
        let unit = &self.means.updates.unit;
        let by_hand = self.context.health.updates().running_since.is_some()
            || self.context.engine.snapshot.borrow().state.enforcement.pending_starts.contains(unit);
        let by_hand = by_hand.then(|| (Resource::DatabaseUpdates, unit.clone()));
        let mut governed = Governed::default();
        for (resource, unit) in gated.chain(scheduled).chain(by_hand) {
            if resource == self.resource { &mut governed.here } else { &mut governed.there }.insert(unit);
        }
        Ok(governed)
    }

    /// Must not be interrupted: it stops units, and remembers those that ran.
    pub(super) async fn begin(&self, verdict: Permit) -> Begun {
        let governed = match self.units() {
            Ok(governed) => governed,
            Err(problem) => return Begun::Failed(problem),
        };
        if verdict != Permit::Stopped {
            return Begun::Allowed(governed);
        }
        let units: Vec<String> = governed.here.into_iter().collect();
        // Only what runs: a stop waits for polkit, and must not meet what was started with the next permit meanwhile. What
        // is not seen running asks its gate from here on.
        let properties: Vec<&str> = RELATIONS.iter().copied().chain(["SubState"]).collect();
        let shown = match systemctl::show(&units, &properties).await {
            Ok(shown) => shown,
            Err(error) => return Begun::Failed(error.to_string()),
        };
        let wanted = to_stop(&shown, &[]);
        let (stop_requested, problem) = self.request_stop(&wanted, shown).await;
        Begun::Stopped { units, stop_requested, problem: problem.map(|problem| problem.to_string()) }
    }

    fn guard(&self) -> Guard {
        Guard::new(&self.means.enforcement)
    }

    /// Has units stopped, and remembers that they ran. One with which the protection would stop runs on. Answers which
    /// got a stop.
    async fn request_stop(
        &self,
        units: &[String],
        shown: Vec<UnitState>,
    ) -> (Vec<String>, Option<GuardError>) {
        if units.is_empty() {
            return (Vec::new(), None);
        }
        let known = self.context.engine.snapshot.borrow().state.clone();
        let guard = self.guard();
        let (units, harm) = guard.may_stop(units, shown).await;
        let new = self.pending_starts.stopped(&units, &known.enforcement.pending_starts);
        let remember = async {
            if !new.is_empty() {
                // What cannot be stored stays in memory.
                self.command(Command::StartsPending(new)).await;
            }
        };
        let (stopped, ()) = tokio::join!(guard.stop_harmless(&units), remember);
        (units, stopped.err().or(harm))
    }

    /// Waits until none of the units runs; one that does not stop is killed.
    pub(super) async fn see_stopped(&self, units: &[String], mut stop_requested: Vec<String>) -> Outcome {
        let mut outcome = Outcome::default();
        let timeout = self.context.clock.world(self.means.enforcement.stop_timeout.unsigned_abs());
        let began = Instant::now();
        let mut pauses = STOP_POLLS.into_iter().chain(std::iter::repeat(Duration::from_secs(2)));
        let mut killed = false;
        loop {
            let shown = match systemctl::show(units, &["SubState"]).await {
                Ok(shown) => shown,
                Err(error) => {
                    outcome.problems.push(error.to_string());
                    return outcome;
                }
            };
            // Let through by its gate while the permit still was.
            let late = to_stop(&shown, &stop_requested);
            let (late, problem) = self.request_stop(&late, Vec::new()).await;
            if let Some(problem) = problem {
                outcome.problems.push(problem.to_string());
                return outcome;
            }
            stop_requested.extend(late);
            let running: Vec<String> = shown.iter().filter(|u| u.runs()).map(|u| u.id.clone()).collect();
            if running.is_empty() {
                outcome.by.extend(loaded(&shown));
                return outcome;
            }
            if began.elapsed() >= timeout && !killed {
                killed = true;
                let units = running.join(" ");
                log_event!(UNIT_KILLED, units);
                if let Err(error) = self.guard().kill(&running).await {
                    outcome.problems.push(error.to_string());
                    return outcome;
                }
            } else if began.elapsed() >= timeout + systemctl::TIMEOUT {
                outcome.problems.push(format!("{} did not stop, even after SIGKILL", running.join(", ")));
                return outcome;
            }
            tokio::time::sleep(pauses.next().unwrap_or(LAST_RETRY)).await;
        }
    }

    /// Starts, once, what was stopped or skipped for want of the permit.
    pub(super) async fn start_pending(&self, governed: Governed) -> Outcome {
        let mut outcome = Outcome::default();
        let units: Vec<String> = governed.here.iter().cloned().collect();
        let shown = match systemctl::show(&units, RELATIONS).await {
            Ok(shown) => shown,
            Err(error) => {
                outcome.problems.push(error.to_string());
                return outcome;
            }
        };
        let known = self.context.engine.snapshot.borrow().state.clone();
        let noted = start_notes::noted(&self.means.runtime_dir);
        for unit in shown.iter().filter(|unit| unit.load == "loaded").map(|unit| &unit.id) {
            if !self.pending_starts.is_pending(unit, &known.enforcement.pending_starts)
                && !noted.contains(unit)
            {
                continue;
            }
            match self.start(unit, &shown).await {
                Ok(()) => {
                    log_event!(UNIT_STARTED of unit, unit);
                    self.pending_starts.started(unit);
                    start_notes::forget(&self.means.runtime_dir, std::slice::from_ref(unit));
                }
                Err(problem) => outcome.problems.push(problem),
            }
        }
        // Those whose gate was taken away run when they like.
        let is_governed = |unit: &&String| governed.here.contains(*unit) || governed.there.contains(*unit);
        let stale = known.enforcement.pending_starts.iter().filter(|unit| !is_governed(unit)).cloned();
        let settled: Vec<String> = self.pending_starts.to_settle().into_iter().chain(stale).collect();
        if !settled.is_empty() && self.command(Command::StartsSettled(settled.clone())).await {
            self.pending_starts.settled(&settled);
        }
        outcome.by.extend(loaded(&shown));
        outcome
    }

    /// Whether a question left a note for a unit of ours.
    pub(super) fn is_noted(&self) -> bool {
        let noted = start_notes::noted(&self.means.runtime_dir);
        !noted.is_empty()
            && self.units().is_ok_and(|governed| noted.iter().any(|unit| governed.here.contains(unit)))
    }

    /// Starts a unit that waited. A run of the schedule's unit is watched by those who watch its others.
    async fn start(&self, unit: &str, shown: &[UnitState]) -> Result<(), String> {
        if self.means.updates.scheduled_unit(self.resource) == Some(unit) {
            let asked = ask(&self.updates, |reply| reply);
            match tokio::time::timeout(systemctl::TIMEOUT, asked).await {
                Ok(Some(RunAnswer::Started { .. })) => return Ok(()),
                // It is still on its way to its end: systemd starts it after that.
                Ok(Some(RunAnswer::AlreadyRuns { .. })) => {}
                Ok(Some(RunAnswer::Refused { message, .. })) => return Err(message),
                Ok(None) | Err(_) => return Err(format!("{unit} was not started in time")),
            }
        }
        self.guard().start(unit, shown.to_vec()).await.map_err(|error| error.to_string())
    }
}

/// Units that are there, as what enforces a permit.
fn loaded(shown: &[UnitState]) -> Vec<String> {
    shown.iter().filter(|unit| unit.load == "loaded").map(|unit| unit.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_its_gate_is_left_to_it() {
        let unit = |id: &str, active: &str, sub: &str| UnitState {
            id: id.to_owned(),
            active: active.to_owned(),
            properties: [("SubState".to_owned(), sub.to_owned())].into(),
            ..UnitState::default()
        };
        let shown = [
            unit("asks", "activating", "condition"),
            unit("starts", "activating", "start"),
            unit("runs", "active", "running"),
            unit("told", "deactivating", "stop-sigterm"),
            unit("off", "inactive", "dead"),
        ];
        assert_eq!(to_stop(&shown, &["told".to_owned()]), ["starts", "runs"]);
    }
}
