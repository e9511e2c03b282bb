//! How old the databases are.
//!
//! Promises: a time that lies ahead counts as now; where nothing tells how old they are, nothing is said.

use crate::health::Outdated;
use jiff::{SignedDuration, Timestamp};
use std::path::Path;
use svm_core::library_words;

/// From how many days they are old, and too old; 0 never.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub warning: u32,
    pub critical: u32,
}

impl Limits {
    fn turns(self, of: Timestamp) -> [(Outdated, Option<Timestamp>); 2] {
        let turn = |days: u32| {
            let span = SignedDuration::from_hours(24 * i64::from(days));
            (days > 0).then(|| of.checked_add(span).ok()).flatten()
        };
        [(Outdated::Critical, turn(self.critical)), (Outdated::Warning, turn(self.warning))]
    }

    /// What databases of a time are worth now.
    pub fn judge(self, of: Option<Timestamp>, now: Timestamp) -> Outdated {
        let reached = |turn: &Option<Timestamp>| turn.is_some_and(|turn| now >= turn);
        let turns = of.map(|of| self.turns(of)).into_iter().flatten();
        turns.filter(|(_, turn)| reached(turn)).map(|(level, _)| level).max().unwrap_or_default()
    }

    /// When that changes by time alone.
    pub fn next_turn(self, of: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let turns = of.map(|of| self.turns(of)).into_iter().flatten();
        turns.filter_map(|(_, turn)| turn).filter(|turn| *turn > now).min()
    }
}

/// Of when the databases are: the time of the file that each update writes, else the last run that succeeded. A wall
/// clock that is not obeyed is `behind` by so much: a file may be as new by that clock as it is by `now`.
///
/// # Errors
/// The file is there and cannot be looked at; its reason. What is else known is beside it.
pub fn databases_of(
    file: Option<&Path>,
    last_success: Option<Timestamp>,
    now: Timestamp,
    behind: SignedDuration,
) -> (Option<Timestamp>, Option<String>) {
    let (of, problem) = match file.map(|file| std::fs::metadata(file).and_then(|about| about.modified())) {
        None => (None, None),
        Some(Ok(time)) => {
            let time = Timestamp::try_from(time).ok();
            (time.max(time.and_then(|time| time.checked_add(behind).ok())), None)
        }
        Some(Err(error)) => (None, Some(library_words::io(&error))),
    };
    (of.or(last_success).map(|of| of.min(now)), problem)
}

/// Whole days since then.
pub fn days(of: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.duration_since(of).as_hours() / 24).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_get_old_and_too_old_at_an_instant() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let limits = Limits { warning: 7, critical: 14 };
        let of = Some(at("2026-05-01T12:00:00Z"));
        for (now, level, next) in [
            ("2026-05-08T11:59:59Z", Outdated::None, Some("2026-05-08T12:00:00Z")),
            ("2026-05-08T12:00:00Z", Outdated::Warning, Some("2026-05-15T12:00:00Z")),
            ("2026-05-15T12:00:00Z", Outdated::Critical, None),
        ] {
            assert_eq!((limits.judge(of, at(now)), limits.next_turn(of, at(now))), (level, next.map(at)));
        }
        let never = Limits { warning: 0, critical: 0 };
        assert_eq!(never.judge(of, Timestamp::MAX), Outdated::None);
        assert_eq!(limits.judge(None, Timestamp::MAX), Outdated::None);
        assert_eq!(days(at("2026-05-01T12:00:00Z"), at("2026-05-08T11:00:00Z")), 6);
        assert_eq!(days(at("2026-05-09T12:00:00Z"), at("2026-05-08T11:00:00Z")), 0);
    }

    #[test]
    fn a_file_tells_first_and_never_from_ahead() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bases");
        let now: Timestamp = "2026-05-01T12:00:00Z".parse().unwrap();
        let success = Some("2026-04-01T12:00:00Z".parse().unwrap());
        let (of, problem) = databases_of(Some(&file), success, now, SignedDuration::ZERO);
        assert_eq!((of, problem.is_some()), (success, true));
        std::fs::write(&file, "").unwrap();
        let day = SignedDuration::from_hours(24);
        let handle = std::fs::File::options().write(true).open(&file).unwrap();
        handle.set_modified(now.checked_sub(day).unwrap().into()).unwrap();
        assert_eq!(
            databases_of(Some(&file), success, now, SignedDuration::ZERO),
            (now.checked_sub(day).ok(), None)
        );
        handle.set_modified(now.checked_add(day).unwrap().into()).unwrap();
        assert_eq!(databases_of(Some(&file), success, now, SignedDuration::ZERO), (Some(now), None));
        handle.set_modified("2000-01-01T00:00:00Z".parse::<Timestamp>().unwrap().into()).unwrap();
        let behind = now.duration_since("2000-01-03T00:00:00Z".parse().unwrap());
        let old = now.checked_sub(day * 2).ok();
        assert_eq!(databases_of(Some(&file), success, now, behind), (old, None), "the clock stands at 2000");
        assert_eq!(databases_of(None, None, now, SignedDuration::ZERO), (None, None));
    }
}
