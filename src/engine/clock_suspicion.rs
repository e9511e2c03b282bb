//! The engine and trusted time: a wall clock that is not used is reported, as a reason of the device status and an event
//! each way; documents say how late it is at least.

use super::commands::DocumentInput;
use super::handle::Outcome;
use super::pending_input::PendingInput;
use super::state::Engine;
use crate::storage::StoreError;
use jiff::SignedDuration;
use svm_core::clock::trust::SLACK;
use svm_core::documents::Document;
use svm_core::events::Operational;
use svm_core::subscription::{DeviceStatus, Input, Reason, Refusal, step};

/// So long the word of the vendor's host on the time counts against a document's.
const FRESH: SignedDuration = SignedDuration::from_hours(1);

impl Engine {
    /// Reports that the wall clock is not used, or is used again.
    pub(super) async fn report_clock_suspicion(&mut self) {
        if self.backlog.is_retrying() {
            return;
        }
        let reported = self.state.conditions.contains_key(&Reason::ClockSuspect);
        let (status, event) = match self.clock.suspicion() {
            Some(suspicion) if !reported => {
                let stands = if suspicion.ahead { "ahead" } else { "behind" };
                let event = Operational::ClockSuspect { wall: suspicion.wall, used: suspicion.time, stands };
                (Some(DeviceStatus::Warning), event)
            }
            None if reported => (None, Operational::ClockTrusted { used: self.clock.now() }),
            _ => return,
        };
        let input = Input::Condition(Reason::ClockSuspect, status);
        // Where it cannot be kept, it is tried again with all else.
        self.turn(PendingInput { operational_events: vec![event], ..PendingInput::new(input) }).await.ok();
    }

    /// A document that will be taken was signed by now, whatever the clock says; unless the vendor's own host has just
    /// said that it cannot have been.
    pub(super) fn learn_time(
        &self,
        document: Document,
        document_input: DocumentInput,
    ) -> Result<Document, Refusal> {
        let (now, signed) = (self.now(), document.iat);
        if signed.duration_since(now) > SLACK && self.clock.is_proven(FRESH) {
            return Err(Refusal::invalid(format!(
                "the document was signed at {signed}, but by the provider's own host it is only {now}; ask the provider for a document that was signed with a correct clock"
            )));
        }
        let input = document_input(Ok(document.statement.clone()));
        let (_, events) = step(self.state.clone(), &self.settings.rules, now.max(signed), input);
        if !events.iter().any(|event| event.kind.is_refusal()) {
            self.clock.at_least(signed);
        }
        Ok(document)
    }

    /// Goes by the wall clock, whatever is held against it.
    pub(super) async fn reset_clock(&mut self) -> Result<Outcome, StoreError> {
        let from = self.clock.now();
        self.clock.reset();
        let to = self.clock.now();
        let operational_events = vec![Operational::ClockReset { from, to }];
        self.turn(PendingInput { operational_events, ..PendingInput::new(Input::Tick) }).await
    }
}
