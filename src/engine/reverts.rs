//! Sequence numbers that a destination has from another event: this machine was reverted to an earlier state, or there
//! are two with its id.
//!
//! The numbers go on above all that the destination knows. Two machines with one id would leap over each other for
//! ever: so it is done a few times a day, and then held until somebody looks.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use svm_core::bounds::{MAX_SEQUENCE, MAX_SEQUENCE_JUMP};

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
