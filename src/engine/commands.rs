//! What each command comes to: inputs for the step, and what is stored beside them.

use super::handle::{AgentReport, Command, Offered, Outcome, Run, StatusReport};
use super::pending_input::PendingInput;
use super::state::Engine;
use crate::log::log_event;
use crate::permits::budget;
use crate::storage::{Quarantined, StoreError};
use svm_core::events::{Operational, QUARANTINED, Refused};
use svm_core::sequence::format_sequence;
use svm_core::subscription::{Input, Offer, Permit, Resource};

/// The way in which a document comes.
pub(super) type DocumentInput = fn(Offer) -> Input;

impl Engine {
    pub(super) async fn carry_out(&mut self, order: Command) -> Result<Outcome, StoreError> {
        let input = match order {
            Command::Activate(offered) => return self.offer(Input::Activate, *offered).await,
            Command::AddReserve(offered) => return self.offer(Input::AddReserve, *offered).await,
            Command::Publish(offered) => return self.offer(Input::Publish, *offered).await,
            Command::StatusReport(report) => return self.report(*report).await,
            Command::Alive => return Ok(self.nothing()),
            Command::ResetClock => return self.reset_clock().await,
            Command::Quarantine(refused) => return self.quarantine(refused).await,
            Command::GoOnAbove { destination, sequence, highest } => {
                let taken = self.go_on_above(destination, sequence, highest).await?;
                return Ok(Outcome { taken, ..self.nothing() });
            }
            Command::AgentReport(report) => return self.agent_report(*report).await,
            Command::Take(resource, unit) => return self.take(resource, unit).await,
            Command::StartsPending(units) => return self.start_pending(units).await,
            Command::RemoveKey(key) => Input::RemoveKey(key),
            Command::Devices(count) => Input::ProtectedDevices(count),
            Command::Enforced(resource, permit, by) => Input::Enforced(resource, permit, by),
            Command::StartsSettled(units) => Input::StartSettled(units),
        };
        self.turn(PendingInput::new(input)).await
    }

    /// A document came in.
    async fn offer(&mut self, input: DocumentInput, offered: Offered) -> Result<Outcome, StoreError> {
        let offered = offered.and_then(|document| self.learn_time(document, input));
        let offer = offered.as_ref().map(|d| d.statement.clone()).map_err(Clone::clone);
        self.turn(PendingInput { document: offered.ok(), ..PendingInput::new(input(offer)) }).await
    }

    /// Stores a report, unless the state has changed since: it would come after events that it does not show.
    async fn report(&mut self, report: StatusReport) -> Result<Outcome, StoreError> {
        let StatusReport { of, hostname, status } = report;
        if *of != self.state {
            return Ok(self.nothing());
        }
        self.origin.hostname = hostname;
        let operational_events = vec![Operational::AgentReport { report: status }];
        let turn = self.turn(PendingInput { operational_events, ..PendingInput::new(Input::Tick) }).await?;
        Ok(Outcome { taken: true, ..turn })
    }

    async fn agent_report(&mut self, report: AgentReport) -> Result<Outcome, StoreError> {
        let AgentReport { events: operational_events, condition, notes } = report;
        let condition = condition.map(|(reason, status)| Input::Condition(reason, status));
        let input = condition.unwrap_or(Input::Tick);
        self.turn(PendingInput { operational_events, notes, ..PendingInput::new(input) }).await
    }

    async fn start_pending(&mut self, units: Vec<String>) -> Result<Outcome, StoreError> {
        let mut last = self.turn(PendingInput::new(Input::Tick)).await?;
        for unit in units {
            last = self.turn(PendingInput::new(Input::StartPending(unit))).await?;
        }
        Ok(last)
    }

    /// Spends one run of a resource. What is spent is stored before it is granted, so that none is spent twice.
    async fn take(&mut self, resource: Resource, unit: Option<String>) -> Result<Outcome, StoreError> {
        // What time brought is in the permit, stored or not.
        self.turn(PendingInput::new(Input::Tick)).await.ok();
        let permit = self.permits.written().iter().find(|p| p.resource == resource);
        let (verdict, rate) = permit.map_or((Permit::Stopped, None), |p| (p.verdict, p.rate));
        let (run, input) = match verdict {
            Permit::Full => (Run::Granted, None),
            Permit::Stopped => (Run::Stopped, unit.map(Input::StartPending)),
            Permit::Limited => {
                let spent = self.state.enforcement.spent.get(&resource).copied();
                match budget::take(spent, rate.unwrap_or(0), resource.period(), self.now()) {
                    Ok(spent) => (Run::Granted, Some(Input::Spent(resource, spent))),
                    Err(next) => (Run::SpentUntil(next), None),
                }
            }
        };
        let turn = match input {
            Some(input) => self.turn(PendingInput::new(input)).await?,
            None => self.nothing(),
        };
        Ok(Outcome { run: Some(run), ..turn })
    }

    /// Quarantines what a destination refused and reports it, in one commit. That a destination refuses a report of
    /// refusals is only logged, or it would never end.
    async fn quarantine(&mut self, refused: Vec<(Quarantined, String)>) -> Result<Outcome, StoreError> {
        let reported = |(refused, r#type): &(Quarantined, String)| {
            let Quarantined { destination, sequence, id, code, answer, .. } = refused;
            log_event!(
                EVENT_REFUSED of destination,
                destination,
                sequence,
                id,
                r#type,
                code = &*code.code();
                answer
            );
            let sequence = format_sequence(*sequence);
            (r#type != QUARANTINED).then(|| Refused {
                id: id.clone(),
                sequence,
                code: code.clone(),
                answer: answer.clone(),
            })
        };
        let events: Vec<Refused> = refused.iter().filter_map(reported).collect();
        let destination = refused.first().map(|(q, _)| q.destination.clone()).unwrap_or_default();
        let quarantined = refused.into_iter().map(|(q, _)| q).collect();
        let report = (!events.is_empty()).then_some(Operational::EventsQuarantined { destination, events });
        let operational_events = report.into_iter().collect();
        self.turn(PendingInput { operational_events, quarantined, ..PendingInput::new(Input::Tick) }).await
    }
}
