//! The engine and trusted time: a wall clock that is not obeyed is told, as a reason of the device status and an event
//! each way; documents say how late it is at least.

use super::{Door, Engine, Step, Turn};
use crate::store::StoreError;
use jiff::SignedDuration;
use svm_core::clock::trust::SLACK;
use svm_core::documents::Document;
use svm_core::events::Operational;
use svm_core::subscription::{DeviceStatus, Input, Reason, Refusal, step};

/// So long the word of the vendor's host on the time counts against a document's.
const FRESH: SignedDuration = SignedDuration::from_hours(1);

impl Engine {
    /// Tells that the wall clock is not obeyed, or is again.
    pub(super) async fn tell_doubt(&mut self) {
        if self.retry.is_some() {
            return;
        }
        let told = self.state.conditions.contains_key(&Reason::ClockSuspect);
        let (status, event) = match self.clock.suspicion() {
            Some(doubt) if !told => {
                let stands = if doubt.ahead { "ahead" } else { "behind" };
                let event = Operational::ClockSuspect { wall: doubt.wall, used: doubt.time, stands };
                (Some(DeviceStatus::Warning), event)
            }
            None if told => (None, Operational::ClockTrusted { used: self.clock.now() }),
            _ => return,
        };
        let input = Input::Condition(Reason::ClockSuspect, status);
        // Where it cannot be kept, it is tried again with all else.
        self.turn(Step { also: vec![event], ..Step::new(input) }).await.ok();
    }

    /// A document that will be taken was signed by now, whatever the clock says; unless the vendor's own host has just
    /// said that it cannot have been.
    pub(super) fn learn_time(&self, document: Document, door: Door) -> Result<Document, Refusal> {
        let (now, signed) = (self.now(), document.iat);
        if signed.duration_since(now) > SLACK && self.clock.is_proven(FRESH) {
            return Err(Refusal::invalid(format!(
                "the document says that it was signed at {signed}, and by the vendor's own host it is {now}; ask the vendor for one that was signed with the right clock"
            )));
        }
        let input = door(Ok(document.statement.clone()));
        let (_, events) = step(self.state.clone(), &self.settings.rules, now.max(signed), input);
        if !events.iter().any(|event| event.kind.is_refusal()) {
            self.clock.at_least(signed);
        }
        Ok(document)
    }

    /// Goes by the wall clock, whatever is held against it.
    pub(super) async fn reset_clock(&mut self) -> Result<Turn, StoreError> {
        let from = self.clock.now();
        self.clock.reset();
        let to = self.clock.now();
        let also = vec![Operational::ClockReset { from, to }];
        self.turn(Step { also, ..Step::new(Input::Look) }).await
    }
}
