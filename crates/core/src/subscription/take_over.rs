//! When a reserve key takes over from the active one, and why.

use crate::subscription::held::Held;
use crate::subscription::phase::{Cause, Phase};
use crate::subscription::timeline::KeyTimeline;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Whether the setting `promote_reserve_on_lapse` was on at the last step, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LapsePromotion {
    /// It is on, and was never seen off.
    Always,
    Off,
    /// It was switched on then.
    Since(Timestamp),
}

impl LapsePromotion {
    pub(super) fn off() -> Self {
        Self::Off
    }

    /// After a step at `now` under the setting.
    #[must_use]
    pub fn seen(self, is_on: bool, now: Timestamp) -> Self {
        match self {
            _ if !is_on => Self::Off,
            Self::Off => Self::Since(now),
            // No instant lies ahead of a clock that was put right.
            Self::Since(at) => Self::Since(now.min(at)),
            Self::Always => Self::Always,
        }
    }

    /// When a lapse at `lapse` lets the reserve take over: one from before the setting does when the setting comes.
    pub fn counts_from(self, lapse: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Always => Some(lapse),
            Self::Off => None,
            Self::Since(at) => Some(lapse.max(at)),
        }
    }
}

/// Why a reserve key took over; also the order in which ties are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The active key was removed.
    Removed,
    /// The subscription was cancelled at once.
    Cancelled,
    /// The vendor withdrew the key.
    Blocked,
    /// Its term was over.
    Ended,
    /// It became restricted, and `keys.promote_reserve_on_lapse` is set.
    Lapsed,
}

impl Why {
    /// The word used in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Cancelled => "cancelled",
            Self::Blocked => "blocked",
            Self::Ended => "ended",
            Self::Lapsed => "lapsed",
        }
    }
}

/// When and why the reserve takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakeOver {
    /// From when the reserve is the active key; its period counts from here.
    pub at: Timestamp,
    /// The trigger; of several at one instant the first in the order of [`Why`].
    pub why: Why,
}

impl TakeOver {
    /// When `reserve` takes over from `active`, whose course is `course`; `None` where nothing foreseeable
    /// makes it, or where it could not work at that instant.
    ///
    /// `reserve_first_active` is set where the reserve was active on this SVM before.
    pub fn foresee(
        active: &Held,
        timeline: &KeyTimeline,
        reserve: &Held,
        reserve_first_active: Option<Timestamp>,
        promotion: LapsePromotion,
    ) -> Option<Self> {
        let withdrawn = timeline.withdrawn_at.map(|(at, cause)| match cause {
            Cause::Blocked => (at, Why::Blocked),
            _ => (at, Why::Cancelled),
        });
        let lapsed = timeline.lapses_at.and_then(|(at, _)| Some((promotion.counts_from(at)?, Why::Lapsed)));
        let (trigger, why) =
            [withdrawn, timeline.ends_at.map(|at| (at, Why::Ended)), lapsed].into_iter().flatten().min()?;
        // Never from before the reserve or the key it replaces was there.
        let at = trigger.max(reserve.added_at).max(active.added_at);
        reserve.could_work(reserve_first_active, at).then_some(Self { at, why })
    }
}

impl Held {
    /// Whether this key, made active at `at`, would be of any use.
    pub fn could_work(&self, first_active: Option<Timestamp>, at: Timestamp) -> bool {
        KeyTimeline::of(&self.statement.terms, first_active.unwrap_or(at)).phase_at(at).0 != Phase::Restricted
    }
}
