//! When to look at the source: pure questions of a given instant.
//!
//! A usual look every `interval`, at a phase of its own for each SVM, so that thousands do not come at once; an
//! urgent one every `urgent_interval` in the last day of a term, in grace and while restricted; and one,
//! spread, in the hour before each deadline.

use crate::config::SourceSettings;
use crate::spread::{next_on_grid, part};
use jiff::{SignedDuration, Timestamp};
use svm_core::subscription::{Phase, State, Statement, sub_days};

/// What the schedule looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Where the subscription stands.
    pub phase: Phase,
    /// The end or paid date of the term.
    pub term_ends: Option<Timestamp>,
    /// The next instant at which something changes without a new document.
    pub deadline: Option<Timestamp>,
    /// 0 to 1, the SVM's own: spreads SVMs over an interval.
    pub spread: f64,
}

impl Facts {
    /// The facts of a state at `now`.
    pub fn of(state: &State, now: Timestamp, spread: f64) -> Self {
        let statement = state.active.as_ref().map(|held| &held.statement);
        let timeline = state.timeline();
        let paid_until = statement.and_then(Statement::paid_until);
        let turns = timeline.into_iter().flat_map(|c| {
            [c.ends_at, c.grace_from.map(|g| g.0), c.lapses_at.map(|l| l.0), c.withdrawn_at.map(|w| w.0)]
        });
        let fresh = statement.and_then(|s| s.fresh_until);
        Self {
            phase: state.reported.phase,
            term_ends: timeline.and_then(|c| c.ends_at).or(paid_until),
            deadline: turns.chain([fresh]).flatten().filter(|at| *at > now).min(),
            spread,
        }
    }
}

/// When to look next, where the last look was at `last` and did not fail.
pub fn next_poll(settings: &SourceSettings, facts: &Facts, last: Timestamp) -> Timestamp {
    let last_day = facts.term_ends.map(|end| (sub_days(end, 1), end));
    let urgent_now = matches!(facts.phase, Phase::Grace | Phase::Restricted)
        || last_day.is_some_and(|(from, until)| (from..until).contains(&last));
    let urgent = |from: Timestamp| next_on_grid(from, settings.urgent_interval, facts.spread);
    let usual = next_on_grid(last, settings.interval, facts.spread);
    let mut next = if urgent_now { urgent(last) } else { usual };
    if let Some((from, _)) = last_day.filter(|(from, _)| *from > last) {
        next = next.min(urgent(from));
    }
    if let Some(deadline) = facts.deadline {
        let before =
            deadline.checked_sub(part(SignedDuration::from_hours(1), facts.spread)).unwrap_or(deadline);
        if before > last {
            next = next.min(before);
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use svm_core::http::Connection;

    fn settings() -> SourceSettings {
        SourceSettings {
            url: None,
            interval: SignedDuration::from_hours(6),
            urgent_interval: SignedDuration::from_mins(15),
            connection: Connection {
                timeout: Duration::from_secs(1),
                tls: svm_core::tls::TlsFiles::default(),
                proxy: None,
            },
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn usual_polls_keep_the_svm_s_own_phase() {
        let facts = Facts { phase: Phase::Active, term_ends: None, deadline: None, spread: 0.5 };
        let next = next_poll(&settings(), &facts, at("2026-01-01T00:10:00Z"));
        assert_eq!(next, at("2026-01-01T03:00:00Z"));
        assert_eq!(next_poll(&settings(), &facts, next), at("2026-01-01T09:00:00Z"));
    }

    #[test]
    fn a_published_renewal_is_seen_within_15_minutes_where_it_matters() {
        for phase in [Phase::Grace, Phase::Restricted] {
            let facts = Facts { phase, term_ends: None, deadline: None, spread: 0.9 };
            let last = at("2026-01-01T00:10:00Z");
            let wait = next_poll(&settings(), &facts, last).duration_since(last);
            assert!(wait > SignedDuration::ZERO && wait <= SignedDuration::from_mins(15));
        }
        let end = at("2026-01-03T00:00:00Z");
        let facts = Facts { phase: Phase::Active, term_ends: Some(end), deadline: Some(end), spread: 0.99 };
        let (mut last, mut polls) = (at("2026-01-01T23:00:00Z"), 0);
        loop {
            let next = next_poll(&settings(), &facts, last);
            if next > end {
                break;
            }
            if last >= sub_days(end, 1) {
                assert!(next.duration_since(last) <= SignedDuration::from_mins(15));
            }
            (last, polls) = (next, polls + 1);
        }
        assert!((95..=99).contains(&polls), "{polls}");
    }

    #[test]
    fn one_poll_comes_in_the_hour_before_a_deadline() {
        let deadline = at("2026-01-01T12:30:00Z");
        for spread in [0.0, 0.3, 1.0] {
            let facts = Facts { phase: Phase::Active, term_ends: None, deadline: Some(deadline), spread };
            let mut last = at("2026-01-01T00:00:00Z");
            let mut within = 0;
            while last < deadline {
                last = next_poll(&settings(), &facts, last);
                let before = deadline.duration_since(last);
                within +=
                    u32::from(before >= SignedDuration::ZERO && before <= SignedDuration::from_hours(1));
            }
            assert!((1..=2).contains(&within), "{spread}: {within}");
        }
    }
}
