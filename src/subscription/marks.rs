//! Marks: how near to a deadline people were told, so that each mark is told once, over restarts too.

use super::{KeyId, sub_days};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is being counted down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deadline {
    /// The end of a key's term; day 0 is its expiry.
    End,
    /// The end of its grace period.
    Grace,
    /// The vendor's word is no longer fresh.
    Fresh,
}

/// The nearest mark told for one key and deadline: all marks of more days count as told too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The key.
    pub key: KeyId,
    /// What is counted down to.
    pub deadline: Deadline,
    /// When that is.
    pub at: Timestamp,
    /// Days before it; 0 is the deadline itself.
    pub days: u32,
}

/// The nearest mark reached at `now`: fewest days first.
pub(super) fn reached(days: &[u32], deadline: Timestamp, now: Timestamp) -> Option<u32> {
    days.iter().copied().filter(|d| sub_days(deadline, u64::from(*d)) <= now).min()
}

/// Writes the mark down. Returns whether it is nearer than what was told before.
pub(super) fn note(marks: &mut Vec<Mark>, key: &KeyId, deadline: Deadline, at: Timestamp, days: u32) -> bool {
    match marks.iter_mut().find(|m| m.deadline == deadline && m.at == at && m.key == *key) {
        Some(mark) if mark.days <= days => false,
        Some(mark) => {
            mark.days = days;
            true
        }
        None => {
            marks.push(Mark { key: key.clone(), deadline, at, days });
            true
        }
    }
}
