//! The keeper of one resource: it carries out each permit, sees that it took, and says so.
//!
//! Promises: running units get a stop as soon as the permit is over, by either clock, even if the engine hangs;
//! the permit is reported as enforced only when every enforcer of the resource has followed; what failed is tried
//! again, and told. What was stopped or skipped is started once when the permit returns.

mod pending_starts;
mod state;
mod units;

pub use pending_starts::PendingStarts;
pub use state::{Keeper, Means};

use super::actions::{CheckOutcome, Running};
use crate::engine::{AgentReport, Command};
use crate::gates::protection::Guard;
use crate::outage::{FailureKind, Outage};
use crate::permits::permit_file;
use crate::permits::permit_file::PermitFile;
use state::{LAST_RETRY, Outcome};
use std::time::Duration;
use svm_core::backoff::Backoff;
use svm_core::events::Operational;
use svm_core::failure_code::FailureCode;
use svm_core::subscription::{DeviceStatus, Permit, Reason, Resource};
use tokio::sync::watch;
use tokio::time::Instant;
use units::Begun;

/// The gateway closes its connections within moments; longer than this is a failure.
const GATEWAY_TIMEOUT: Duration = Duration::from_secs(10);

/// After a failure: again after so long, doubling.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), LAST_RETRY);

impl Keeper {
    /// Keeps for as long as the program runs.
    pub async fn run(mut self) {
        let now = Instant::now();
        let mine = self.means.actions.iter().filter(|(_, action)| action.resource == self.resource);
        let guard = Guard::new(&self.means.enforcement);
        let mut actions: Vec<Running> =
            mine.map(|(name, action)| Running::new(name, action, guard.clone(), now)).collect();
        let mut failures = 0_u32;
        let mut permits = self.context.engine.permits.clone();
        loop {
            self.check_requests.mark_unchanged();
            // What is read here is seen: each later permit is carried out, also one that comes to the same.
            let permit = permit_file::last_written(&mut permits, self.resource, &self.context.clock).await;
            let verdict = permit.map_or(Permit::Stopped, |permit| permit.in_force(&self.context.clock));
            let begun = self.begin(verdict).await;
            let outcome = tokio::select! {
                outcome = self.finish(verdict, begun, &mut actions) => outcome,
                () = self.other_than(verdict) => continue,
            };
            failures = if outcome.problems.is_empty() { 0 } else { failures.saturating_add(1) };
            self.show(verdict, &outcome, &actions);
            // Once, and not of what works a second later.
            if failures == 2 {
                let problems = outcome.problems.clone();
                self.unreported.push(Operational::EnforcementFailed {
                    resource: self.resource,
                    to: verdict,
                    problems,
                });
            }
            let retry = failures.checked_sub(1).map(|earlier| BACKOFF.span(earlier));
            let done = outcome.problems.is_empty().then_some(outcome.by);
            self.watch(verdict, done.as_deref(), retry, &mut actions, &mut permits).await;
        }
    }

    /// What the permit comes to now: one that is over allows nothing.
    fn verdict(&self) -> Permit {
        self.permit().map_or(Permit::Stopped, |permit| permit.in_force(&self.context.clock))
    }

    fn permit(&self) -> Option<PermitFile> {
        self.context.engine.permits.borrow().iter().find(|p| p.resource == self.resource).cloned()
    }

    /// Waits until the permit comes to anything else than `verdict`.
    async fn other_than(&self, verdict: Permit) {
        let mut permits = self.context.engine.permits.clone();
        while self.verdict() == verdict {
            let left = self.permit().map_or(Duration::MAX, |permit| permit.left(&self.context.clock));
            tokio::select! {
                changed = permits.changed() => if changed.is_err() { return std::future::pending().await },
                // A stop has no end of its own; the system clock may be stepped meanwhile.
                () = tokio::time::sleep(left.min(Duration::from_secs(3600))), if verdict != Permit::Stopped => {}
            }
        }
    }

    /// Everything else that the permit asks for, and whether it took.
    async fn finish(&self, verdict: Permit, begun: Begun, actions: &mut [Running]) -> Outcome {
        let units = async {
            match begun {
                Begun::Failed(problem) => Outcome { problems: vec![problem], ..Outcome::default() },
                Begun::Stopped { units, stop_requested, problem } => {
                    let mut seen = self.see_stopped(&units, stop_requested).await;
                    let new = problem.filter(|problem| !seen.problems.contains(problem));
                    seen.problems.extend(new);
                    seen
                }
                Begun::Allowed(governed) => self.start_pending(governed).await,
            }
        };
        let (units, gateway, actions) =
            tokio::join!(units, self.see_gateway(verdict), apply(actions, verdict));
        let mut all = self.see_file(verdict);
        for part in [units, gateway, actions] {
            all.by.extend(part.by);
            all.problems.extend(part.problems);
        }
        all
    }

    /// Whether readers of the permit's file get the same answer.
    fn see_file(&self, verdict: Permit) -> Outcome {
        let folder = permit_file::folder(&self.means.runtime_dir);
        let says =
            PermitFile::read(&folder, self.resource).map(|permit| permit.in_force(&self.context.clock));
        let problem = match says {
            Ok(says) if says == verdict => None,
            // Then nothing is allowed anyway.
            Err(_) if verdict == Permit::Stopped => None,
            Ok(says) => Some(format!("the permit file says {}", says.as_str())),
            Err(error) => Some(format!("cannot read the permit file: {error}")),
        };
        Outcome { problems: problem.into_iter().collect(), ..Outcome::default() }
    }

    async fn see_gateway(&self, verdict: Permit) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(gateway) = &self.gateway else { return outcome };
        let mut in_force = gateway.in_force();
        let follows = in_force.wait_for(|carried_out| *carried_out == verdict);
        match (tokio::time::timeout(GATEWAY_TIMEOUT, follows).await, gateway.problem()) {
            (Ok(Ok(_)), None) => outcome.by.push("the gateway".to_owned()),
            (_, Some(problem)) => outcome.problems.push(format!("the gateway: {problem}")),
            _ => outcome.problems.push("the gateway does not obey the permit".to_owned()),
        }
        outcome
    }

    /// Publishes what came of it.
    fn show(&self, verdict: Permit, outcome: &Outcome, actions: &[Running]) {
        let mut shown = self.context.health.enforcement();
        let shown = shown.entry(self.resource).or_default();
        shown.verdict = Some(verdict);
        shown.enforced_by.clone_from(&outcome.by);
        let problems = outcome.problems.as_slice();
        let an_actions = shown.outage.as_ref().is_some_and(|outage| outage.code == FailureCode::ActionFailed);
        let failing = actions.iter().filter(|action| action.fails()).count();
        // What began with an action goes on as its outage, as long as nothing else fails.
        let (failure, code) = match &self.failing {
            Some(action) if an_actions && problems.len() <= failing => {
                (FailureKind::Action(action), FailureCode::ActionFailed)
            }
            _ => (FailureKind::Enforcing(self.resource, verdict), FailureCode::EnforcementFailed),
        };
        match problems {
            // One that is contested is not over because it is left alone.
            [] if an_actions && failing > 0 => {}
            [] => Outage::over(&mut shown.outage, failure),
            problems => {
                Outage::note(&mut shown.outage, self.context.clock.now(), failure, code, problems.join("; "));
            }
        }
    }

    /// Reports what was not reported yet. What cannot be stored stays here until the store works again.
    async fn settle(&mut self, verdict: Permit, done: Option<&[String]>) {
        if self.context.engine.snapshot.borrow().store_problem.is_some() {
            return;
        }
        while let Some(event) = self.unreported.first().cloned() {
            if !self.report(AgentReport { events: vec![event], ..AgentReport::default() }).await {
                return;
            }
            self.unreported.remove(0);
        }
        for report in self.conditions() {
            self.report(report).await;
        }
        let awaited = {
            let state = &self.context.engine.snapshot.borrow().state;
            let progress = state.enforcement.progress.get(&self.resource);
            state.reported.permit(self.resource) == verdict && progress.is_some_and(|s| s.reported.is_some())
        };
        if let Some(by) = done.filter(|_| awaited) {
            // One that cannot be stored is still awaited.
            self.command(Command::Enforced(self.resource, verdict, by.to_vec())).await;
        }
    }

    async fn report(&self, report: AgentReport) -> bool {
        self.command(Command::AgentReport(Box::new(report))).await
    }

    /// Reasons for the device status, over both resources.
    fn conditions(&self) -> Vec<AgentReport> {
        let shown = self.context.health.enforcement();
        // Right after a start, what the other keeper will find is not known: the earlier report stands.
        if shown.values().filter(|e| e.verdict.is_some()).count() < Resource::ALL.len() {
            return Vec::new();
        }
        let governed = |resource: &Resource| self.means.enforcement.governs.contains(resource);
        let unheld = shown.iter().any(|(r, e)| governed(r) && e.outage.is_none() && e.enforced_by.is_empty());
        let failing = shown.values().any(|e| e.outage.is_some());
        let known = self.context.engine.snapshot.borrow().state.clone();
        [(Reason::NotEnforced, unheld), (Reason::EnforcementFailed, failing)]
            .into_iter()
            .filter(|(name, holds)| known.conditions.contains_key(name) != *holds)
            .map(|(name, holds)| {
                let condition = Some((name, holds.then_some(DeviceStatus::Warning)));
                AgentReport { condition, ..AgentReport::default() }
            })
            .collect()
    }

    /// Waits until there is something to carry out; reports what is done, and checks the actions meanwhile.
    async fn watch(
        &mut self,
        verdict: Permit,
        done: Option<&[String]>,
        retry: Option<Duration>,
        actions: &mut [Running],
        permits: &mut watch::Receiver<Vec<PermitFile>>,
    ) {
        let again = retry.map(|after| Instant::now() + after);
        let (mut check_requests, mut snapshot) =
            (self.check_requests.clone(), self.context.engine.snapshot.clone());
        loop {
            snapshot.mark_unchanged();
            self.settle(verdict, done).await;
            let next_check = actions.iter().map(Running::next_check).min();
            let wake = [again, next_check].into_iter().flatten().min();
            let asleep = async {
                match wake {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.other_than(verdict) => return,
                changed = permits.changed() => match changed {
                    Ok(()) => return,
                    Err(_) => return std::future::pending().await,
                },
                asked = check_requests.changed() => match asked {
                    Ok(()) => return,
                    Err(_) => return std::future::pending().await,
                },
                // Perhaps the engine waits for a report, or the store works again.
                changed = snapshot.changed() => if changed.is_err() { return std::future::pending().await },
                () = asleep => {}
            }
            let noted = verdict != Permit::Stopped && self.is_noted();
            if noted || again.is_some_and(|at| at <= Instant::now()) {
                return;
            }
            for index in 0..actions.len() {
                let others_fail = actions.iter().enumerate().any(|(n, other)| n != index && other.fails());
                if let Some(action) =
                    actions.get_mut(index).filter(|action| action.next_check() <= Instant::now())
                {
                    self.check_action(action, others_fail, verdict).await;
                }
            }
        }
    }

    async fn check_action(&mut self, action: &mut Running, others_fail: bool, verdict: Permit) {
        let failed_before = action.fails();
        let checked = action.check().await;
        let (resource, name) = (self.resource, action.name().to_owned());
        let problem = match &checked {
            Err(problem) => Some(problem.clone()),
            Ok(CheckOutcome::Contested) => Some(format!(
                "something undoes what the action {name} sets, more often than repairs_per_hour lets the agent set it again"
            )),
            Ok(_) if action.is_contested(Instant::now()) => return,
            Ok(_) => None,
        };
        let what = format!("the action {name}");
        {
            let mut shown = self.context.health.enforcement();
            let shown = shown.entry(resource).or_default();
            match &problem {
                Some(problem) => {
                    shown.enforced_by.retain(|by| *by != what);
                    // What began when the permit was carried out is one outage with this.
                    let (failure, code) = match &shown.outage {
                        Some(outage) if outage.code == FailureCode::EnforcementFailed => {
                            (FailureKind::Enforcing(resource, verdict), FailureCode::EnforcementFailed)
                        }
                        _ => (FailureKind::Action(&name), FailureCode::ActionFailed),
                    };
                    if code == FailureCode::ActionFailed {
                        self.failing = Some(name.clone());
                    }
                    Outage::note(&mut shown.outage, self.context.clock.now(), failure, code, problem.clone());
                }
                None => {
                    if !shown.enforced_by.contains(&what) {
                        shown.enforced_by.push(what.clone());
                    }
                    let this =
                        shown.outage.as_ref().is_some_and(|outage| outage.code == FailureCode::ActionFailed);
                    if this && !others_fail {
                        Outage::over(&mut shown.outage, FailureKind::Action(&name));
                    }
                }
            }
        }
        self.unreported.extend(match (problem, checked) {
            (Some(problem), _) if !failed_before => {
                Some(Operational::EnforcementFailed { resource, to: verdict, problems: vec![problem] })
            }
            (None, Ok(CheckOutcome::Repaired)) => {
                Some(Operational::EnforcementRepaired { resource, action: name })
            }
            _ => None,
        });
    }
}

async fn apply(actions: &mut [Running], verdict: Permit) -> Outcome {
    let mut outcome = Outcome::default();
    for action in actions {
        match action.apply(verdict).await {
            Err(problem) => outcome.problems.push(problem),
            Ok(()) if action.is_contested(Instant::now()) => {}
            Ok(()) => outcome.by.push(format!("the action {}", action.name())),
        }
    }
    outcome
}
