//! The timeline of one key: the few instants that decide its life.

use crate::subscription::instant::add_days;
use crate::subscription::phase::{Cause, Phase};
use crate::subscription::terms::{Term, Terms, VendorState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The end that a key in its term is known to come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownEnd {
    /// The first instant after it.
    pub ends_at: Timestamp,
    /// What ends it: `blocked`, `cancelled`, `ended`, `paused` or `unpaid`.
    pub why: Cause,
}

/// The instants of a key's life, from its statement and, for a commercial key, its first activation.
///
/// Intervals are half-open: at each of these instants the new thing already holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTimeline {
    /// The term is over: the end date, or a commercial key's period used up.
    pub ends_at: Option<Timestamp>,
    /// Grace begins, and what began it. Equal to the lapse where no days are granted.
    pub grace_from: Option<(Timestamp, Cause)>,
    /// The key becomes restricted for want of renewal.
    pub lapses_at: Option<(Timestamp, Cause)>,
    /// The vendor cancelled or blocked the key.
    pub withdrawn_at: Option<(Timestamp, Cause)>,
}

impl KeyTimeline {
    /// The timeline under `terms`, where a commercial key was first active at `first_active`.
    pub fn of(terms: &Terms, first_active: Timestamp) -> Self {
        match terms {
            Terms::Licence(licence) => {
                let ends_at = add_days(first_active, licence.period_days);
                Self {
                    ends_at: Some(ends_at),
                    grace_from: None,
                    lapses_at: Some((ends_at, Cause::Expired)),
                    withdrawn_at: licence.blocked_since.map(|since| (since, Cause::Blocked)),
                }
            }
            Terms::Subscription(s) => {
                let (ends_at, paid_until) = match s.term {
                    Term::Limited { ends_at } => (Some(ends_at), None),
                    Term::Unlimited { paid_until } => (None, paid_until),
                };
                let since = s.state_since.unwrap_or(Timestamp::MIN);
                let paused_at = (s.state == VendorState::Paused).then_some(since);
                // `min_by_key` keeps the first of equals: ended, then paused, then unpaid.
                let grace_from =
                    [(ends_at, Cause::Ended), (paused_at, Cause::Paused), (paid_until, Cause::Unpaid)]
                        .into_iter()
                        .filter_map(|(at, cause)| Some((at?, cause)))
                        .min_by_key(|(at, _)| *at);
                let lapse = if s.grace_days == 0 { Cause::NotGranted } else { Cause::GraceOver };
                Self {
                    ends_at,
                    grace_from,
                    lapses_at: grace_from.map(|(at, _)| (add_days(at, s.grace_days), lapse)),
                    withdrawn_at: match s.state {
                        VendorState::Blocked => Some((since, Cause::Blocked)),
                        VendorState::HardCancelled => Some((since, Cause::Cancelled)),
                        VendorState::Active | VendorState::Paused | VendorState::SoftCancelled => None,
                    },
                }
            }
        }
    }

    /// The end that the key comes to while it is `active`: the earliest of an announced withdrawal, the end of its term,
    /// and, where no grace is granted, an announced pause or the paid date. Grace is a warning of its own.
    pub fn known_end(&self) -> Option<KnownEnd> {
        let no_grace = self.lapses_at.is_some_and(|(_, cause)| cause == Cause::NotGranted);
        // `min_by_key` keeps the first of equals. The start of grace has its ties decided already.
        [
            self.withdrawn_at,
            self.grace_from.filter(|_| no_grace),
            self.ends_at.map(|ends_at| (ends_at, Cause::Ended)),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(at, _)| *at)
        .map(|(ends_at, why)| KnownEnd { ends_at, why })
    }

    /// What started the grace of a key that is restricted with `cause`: `ended`, `paused` or `unpaid`; `None` for a key
    /// that was withdrawn or never had a grace.
    pub fn lapse_cause(&self, cause: Option<Cause>) -> Option<Cause> {
        let lapsed = matches!(cause, Some(Cause::GraceOver | Cause::NotGranted));
        self.grace_from.filter(|_| lapsed).map(|(_, cause)| cause)
    }

    /// Phase and cause at `now`.
    pub fn phase_at(&self, now: Timestamp) -> (Phase, Option<Cause>) {
        let reached = |instant: Option<(Timestamp, Cause)>| {
            instant.filter(|(at, _)| *at <= now).map(|(_, cause)| cause)
        };
        if let Some(cause) = reached(self.withdrawn_at).or_else(|| reached(self.lapses_at)) {
            (Phase::Restricted, Some(cause))
        } else if let Some(cause) = reached(self.grace_from) {
            (Phase::Grace, Some(cause))
        } else {
            (Phase::Active, None)
        }
    }

    /// From when to when the key is in grace, where it comes into it at all. A withdrawal may cut it short;
    /// the days that are counted down are still those that were granted, as with the end of the term.
    pub fn grace(&self) -> Option<(Timestamp, Timestamp)> {
        let ((from, _), (until, _)) = (self.grace_from?, self.lapses_at?);
        let withdrawn_before = self.withdrawn_at.is_some_and(|(at, _)| at <= from);
        (from < until && !withdrawn_before).then_some((from, until))
    }

    /// The end date, where it counts as expiry: not where the vendor withdrew the key at or before it.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.ends_at.filter(|end| self.withdrawn_at.is_none_or(|(at, _)| at > *end))
    }
}
