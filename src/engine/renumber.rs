//! Goes on above the numbers that a destination has from another event.

use super::pending_input::PendingInput;
use super::reverts::may_follow;
use super::state::{Engine, instance};
use crate::storage::{Above, NoteName, StoreError, read_note};
use svm_core::events::Operational;
use svm_core::sequence::format_sequence;
use svm_core::subscription::Input;

impl Engine {
    pub(super) async fn recall_reverts(&mut self) {
        let note = self.store.note(NoteName::Reverts).await.ok().flatten();
        self.reverts = read_note(NoteName::Reverts, note).unwrap_or_default();
    }

    /// A destination has another event under `sequence`, and `highest` is the highest number that it knows: what waits
    /// is numbered above, and that is reported, in one commit. False if it is done too often, or would be too far.
    pub(super) async fn go_on_above(
        &mut self,
        destination: String,
        sequence: u64,
        highest: u64,
    ) -> Result<bool, StoreError> {
        let Some(reverts) = self.reverts.with(&destination, self.now()) else { return Ok(false) };
        let last = self.store.last_sequence(&destination).await?;
        if !may_follow(highest, last) {
            return Ok(false);
        }
        if !self.origin.instance.contains('.') {
            // Two that run on from one image of their memory have the same until here.
            self.origin.instance = format!("{}.{}", self.origin.instance, instance());
        }
        let number = highest.max(last);
        let reported = Operational::SequenceReverted {
            destination: destination.clone(),
            from: format_sequence(sequence),
            to: format_sequence(number.saturating_add(1)),
        };
        let note = serde_json::to_string(&reverts).unwrap_or_default();
        let coming = PendingInput {
            operational_events: vec![reported],
            renumber_above: Some(Above { destination, number }),
            notes: vec![(NoteName::Reverts, note)],
            ..PendingInput::new(Input::Tick)
        };
        self.turn(coming).await?;
        self.reverts = reverts;
        Ok(true)
    }
}
