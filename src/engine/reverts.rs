//! Sequence numbers that a destination has from another event: this machine was reverted to an earlier state, or there
//! are two with its id.
//!
//! The numbers go on above all that the destination knows. Two machines with one id would leap over each other for
//! ever: so it is done a few times a day, and then held until somebody looks.

use super::{Engine, PendingInput};
use crate::store::{Above, REVERTS_NOTE, StoreError, read_note};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use svm_core::bounds::{MAX_SEQUENCE, MAX_SEQUENCE_JUMP};
use svm_core::events::Operational;
use svm_core::sequence::format_sequence;
use svm_core::subscription::Input;

/// So often within [`WHILE`] numbers go on above others, for one destination.
const MOST: usize = 3;

const WHILE: SignedDuration = SignedDuration::from_hours(24);

/// When each destination's numbers were taken above others, lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reverts(BTreeMap<String, Vec<Timestamp>>);

impl Reverts {
    /// The same with one more now; `None` where that is too often.
    pub(crate) fn with(&self, destination: &str, now: Timestamp) -> Option<Self> {
        let mut with = self.clone();
        let times = with.0.entry(destination.to_owned()).or_default();
        // One that lies ahead is by a clock that was wrong.
        times.retain(|at| (SignedDuration::ZERO..WHILE).contains(&now.duration_since(*at)));
        if times.len() >= MOST {
            return None;
        }
        times.push(now);
        Some(with)
    }
}

/// Whether numbers may go on above `highest`, which a receiver claims to know, where `last` was the last one used here.
pub(crate) fn may_follow(highest: u64, last: u64) -> bool {
    highest <= last.saturating_add(MAX_SEQUENCE_JUMP)
        && highest.max(last) <= MAX_SEQUENCE.saturating_sub(MAX_SEQUENCE_JUMP)
}

impl Engine {
    pub(super) async fn recall_reverts(&mut self) {
        let note = self.store.note(REVERTS_NOTE).await.ok().flatten();
        self.reverts = read_note(REVERTS_NOTE, note).unwrap_or_default();
    }

    /// A destination has another event under `sequence`, and `highest` is the highest number that it knows: what waits
    /// is numbered above, and that is told, in one commit. False where it is done too often, or would be too far.
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
            self.origin.instance = format!("{}.{}", self.origin.instance, super::instance());
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
            notes: vec![(REVERTS_NOTE, note)],
            ..PendingInput::new(Input::Look)
        };
        self.turn(coming).await?;
        self.reverts = reverts;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_cannot_use_up_the_numbers() {
        for (highest, last, follows) in [
            (0, 0, true),
            (1_000_000, 0, true),
            (1_000_001, 0, false),
            (5, 2_000_000, true),
            (MAX_SEQUENCE, 0, false),
            (u64::MAX, u64::MAX, false),
            (MAX_SEQUENCE - 1_000_000, MAX_SEQUENCE - 1_500_000, true),
            (MAX_SEQUENCE - 999_999, MAX_SEQUENCE - 1_500_000, false),
            (1, MAX_SEQUENCE, false),
        ] {
            assert_eq!(may_follow(highest, last), follows, "{highest} above {last}");
        }
    }

    #[test]
    fn three_in_a_day_and_for_each_destination() {
        let at = |hours: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        let mut reverts = Reverts::default();
        for hour in [0, 1, 2] {
            reverts = reverts.with("a", at(hour)).unwrap();
        }
        assert_eq!(reverts.with("a", at(3)), None);
        assert_eq!(reverts.with("a", at(23)), None);
        assert!(reverts.with("b", at(3)).is_some());
        let next = reverts.with("a", at(24)).unwrap();
        assert_eq!(next.with("a", at(24)), None, "one for each that is a day old");
        assert!(reverts.with("a", at(-1)).is_some(), "those of a clock that was ahead do not count");
    }
}
