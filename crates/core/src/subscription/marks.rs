//! Marks: the nearest reminder that was sent for a deadline, so that each is sent once, over restarts too.

use crate::subscription::instant::sub_days;
use crate::subscription::key::KeyId;
use crate::subscription::statement::Statement;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// So many marks are remembered, the oldest forgotten first. A key that is renewed each month has 60 in five years; a
/// vendor whose every revision ends at another instant must not make the state grow without an end.
const MAX_MARKS: usize = 256;

/// What is being counted down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deadline {
    /// The end that a key is known to come to; day 0 is the expiry of its term.
    End,
    /// The end of its grace period.
    Grace,
    /// The vendor's word is no longer fresh.
    Fresh,
}

/// The nearest mark told for one key and deadline: all marks of more days count as told too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The key whose deadline it is.
    pub key: KeyId,
    /// Who issued it; `None` where an older agent kept it, or it comes from a scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// What is counted down to.
    pub deadline: Deadline,
    /// The instant of the deadline.
    pub at: Timestamp,
    /// Days before it; 0 is the deadline itself.
    pub days: u32,
}

/// The nearest mark reached at `now`: fewest days first.
pub(super) fn reached(days: &[u32], deadline: Timestamp, now: Timestamp) -> Option<u32> {
    days.get(passed(days, deadline, now).checked_sub(1)?).copied()
}

/// When the next mark of a list is reached after `now`.
pub(super) fn next(days: &[u32], deadline: Timestamp, now: Timestamp) -> Option<Timestamp> {
    days.get(passed(days, deadline, now)).map(|d| sub_days(deadline, u64::from(*d)))
}

/// How many marks of a list, which descends, were reached at `now`.
fn passed(days: &[u32], deadline: Timestamp, now: Timestamp) -> usize {
    days.partition_point(|d| sub_days(deadline, u64::from(*d)) <= now)
}

/// Writes the mark down. Returns whether it is nearer than the last reminder.
pub(super) fn note(
    marks: &mut Vec<Mark>,
    statement: &Statement,
    deadline: Deadline,
    at: Timestamp,
    days: u32,
) -> bool {
    let Statement { key, issuer, .. } = statement;
    let same = |m: &&mut Mark| {
        let issuers = m.issuer.as_ref().zip(issuer.as_ref());
        m.deadline == deadline && m.at == at && m.key == *key && issuers.is_none_or(|(a, b)| a == b)
    };
    match marks.iter_mut().find(same) {
        Some(mark) if mark.days <= days => false,
        Some(mark) => {
            mark.days = days;
            true
        }
        None => {
            if marks.len() >= MAX_MARKS {
                marks.remove(0);
            }
            marks.push(Mark { key: key.clone(), issuer: issuer.clone(), deadline, at, days });
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_reached_one_after_the_other() {
        let at = |day: i64| Timestamp::from_second(day * 86_400).unwrap();
        let (list, end) = ([30, 7, 1], at(100));
        for (now, was, comes) in
            [(69, None, Some(70)), (70, Some(30), Some(93)), (98, Some(7), Some(99)), (99, Some(1), None)]
        {
            assert_eq!(reached(&list, end, at(now)), was, "{now}");
            assert_eq!(next(&list, end, at(now)), comes.map(at), "{now}");
        }
        assert_eq!((reached(&[], end, end), next(&[], end, at(0))), (None, None));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let claims = serde_json::json!({"rev": 1, "key": {"id": "A", "kind": "commercial"},
            "licence": {"period_days": 1}});
        let key = Statement::read(&claims).unwrap();
        let mut marks = Vec::new();
        for day in 0..300 {
            let at = Timestamp::from_second(day).unwrap();
            assert!(note(&mut marks, &key, Deadline::End, at, 0));
            assert!(!note(&mut marks, &key, Deadline::End, at, 3));
        }
        assert_eq!(marks.len(), MAX_MARKS);
        assert_eq!(marks.first().unwrap().at.as_second(), 300 - 256);
    }
}
