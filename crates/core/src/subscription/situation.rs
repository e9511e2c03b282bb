//! What can be done about a subscription as it stands, by the same rules as the step: which remedies lead back to `active`,
//! and whether the step takes a new code.

use crate::subscription::key::KeyKind;
use crate::subscription::phase::{Cause, Phase};
use crate::subscription::settings::Settings;
use crate::subscription::state::State;
use crate::subscription::terms::VendorState;
use crate::subscription::timeline::{KeyTimeline, KnownEnd};
use crate::subscription::view::View;
use jiff::Timestamp;

/// What of the active key decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// Subscription or commercial.
    pub kind: KeyKind,
    pub state: VendorState,
    /// From when that counts.
    pub state_since: Option<Timestamp>,
    /// The first instant after the term or the period.
    pub ends_at: Option<Timestamp>,
    /// The first instant of an unlimited subscription that is not paid.
    pub paid_until: Option<Timestamp>,
    /// The end of the grace period, if there is one.
    pub grace_ends_at: Option<Timestamp>,
    /// Whether the provider renews it automatically.
    pub auto_renew: bool,
}

/// Where a subscription stands at an instant, as far as advice depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    pub now: Timestamp,
    pub phase: Phase,
    /// Why, in grace and restricted.
    pub cause: Option<Cause>,
    /// What started the grace period of a key that has lapsed.
    pub lapse_cause: Option<Cause>,
    pub key: Option<KeyFacts>,
    /// The end that an active key is known to come to.
    pub known_end: Option<KnownEnd>,
    /// Whether a reserve key is held.
    pub has_reserve: bool,
    /// Whether an activation is pending.
    pub is_activating: bool,
    /// Whether the agent fetches documents automatically.
    pub has_source: bool,
}

/// What leads back to `active`, or keeps it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// No key: activate a code.
    Activate,
    /// No key, but an activation is pending.
    AwaitActivation,
    /// The provider resumes it.
    Resume,
    /// The provider pays for it.
    Pay,
    /// The provider renews it: the end moves later.
    Renew,
    /// The provider takes its cancellation back, or a new code is activated.
    Reinstate,
    /// The provider unblocks the key, or a new code is activated.
    Unblock,
    /// A commercial key is used up: a new code is activated.
    Replace,
    /// Before the term ends: renew it.
    RenewInTime,
    /// Before the period of a commercial key ends: add a reserve key.
    AddReserve,
    /// Before the end: the reserve key takes over, nothing is to be done.
    ReserveTakesOver,
    /// Before an announced cancellation: ask why.
    AskAboutCancellation,
    /// Before an announced blocking: ask why.
    AskAboutBlocking,
    /// Before an announced pause without a grace period: ask why.
    AskAboutPause,
    /// Before the paid date without a grace period: have it paid.
    PayInTime,
}

impl Remedy {
    pub const ALL: [Self; 15] = [
        Self::Activate,
        Self::AwaitActivation,
        Self::Resume,
        Self::Pay,
        Self::Renew,
        Self::Reinstate,
        Self::Unblock,
        Self::Replace,
        Self::RenewInTime,
        Self::AddReserve,
        Self::ReserveTakesOver,
        Self::AskAboutCancellation,
        Self::AskAboutBlocking,
        Self::AskAboutPause,
        Self::PayInTime,
    ];
}

/// What time alone will bring to the active key, as far as the document says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Of a key in its term: until when it is active, and what then comes.
    pub active_until: Option<(Timestamp, Cause)>,
    /// The end of the grace period, which follows or runs.
    pub grace_until: Option<Timestamp>,
}

impl Situation {
    /// Of a state at `now`.
    pub fn of(state: &State, settings: &Settings, now: Timestamp) -> Self {
        let view = View::of(state, settings, now);
        let timeline = state.timeline();
        Self {
            now,
            phase: view.phase,
            cause: view.cause,
            lapse_cause: view.lapse_cause,
            key: state.active.as_ref().zip(timeline).map(|(held, timeline)| {
                let statement = &held.statement;
                let (state, state_since) = statement.vendor_state();
                KeyFacts {
                    kind: statement.kind(),
                    state,
                    state_since,
                    ends_at: timeline.ends_at,
                    paid_until: statement.paid_until(),
                    grace_ends_at: timeline.grace().map(|(_, until)| until),
                    auto_renew: statement.auto_renew(),
                }
            }),
            known_end: timeline
                .and_then(|t: KeyTimeline| t.known_end())
                .filter(|_| view.phase == Phase::Active),
            has_reserve: state.reserve.is_some(),
            is_activating: false,
            has_source: true,
        }
    }

    /// What the phase comes from: of a lapse that which started its grace period.
    pub fn root_cause(&self) -> Option<Cause> {
        self.lapse_cause.or(self.cause)
    }

    /// Whether the term or the period is over.
    pub fn has_ended(&self) -> bool {
        self.has_passed(self.key.and_then(|key| key.ends_at))
    }

    fn has_passed(&self, at: Option<Timestamp>) -> bool {
        at.is_some_and(|at| at <= self.now)
    }

    /// The provider's word that is in force: an announced one is not yet.
    pub fn state_in_force(&self) -> Option<VendorState> {
        let key = self.key?;
        let announced = key.state_since.is_some_and(|since| since > self.now);
        Some(if announced { VendorState::Active } else { key.state })
    }

    /// Whether the provider cancelled the key or blocked it.
    pub fn is_withdrawn(&self) -> bool {
        matches!(self.cause, Some(Cause::Cancelled | Cause::Blocked))
    }

    /// Whether the step takes a new code as the active key, without a key being removed first.
    pub fn takes_new_code(&self) -> bool {
        matches!(self.phase, Phase::NotActivated | Phase::Restricted) || self.has_ended()
    }

    /// From when the step takes a new code as the active key; `None` if time alone does not bring that.
    pub fn takes_new_code_from(&self) -> Option<Timestamp> {
        if self.takes_new_code() {
            return Some(self.now);
        }
        let Outlook { active_until, grace_until } = self.outlook();
        let restricted = grace_until.or(active_until.map(|(at, _)| at));
        restricted.into_iter().chain(self.key?.ends_at).min()
    }

    /// When the provider withdraws the key, as it has announced.
    fn announced_withdrawal(&self) -> Option<(Timestamp, Cause)> {
        let key = self.key?;
        let since = key.state_since.filter(|since| *since > self.now)?;
        match key.state {
            VendorState::Blocked => Some((since, Cause::Blocked)),
            VendorState::HardCancelled => Some((since, Cause::Cancelled)),
            VendorState::Active | VendorState::Paused | VendorState::SoftCancelled => None,
        }
    }

    /// What time alone will bring to the active key.
    pub fn outlook(&self) -> Outlook {
        let Some(key) = self.key else { return Outlook::default() };
        let withdrawal = self.announced_withdrawal();
        let until = |end: Timestamp| withdrawal.map_or(end, |(at, _)| at.min(end));
        match self.phase {
            Phase::NotActivated | Phase::Restricted => Outlook::default(),
            Phase::Grace => Outlook { active_until: None, grace_until: key.grace_ends_at.map(until) },
            Phase::Active => {
                let pause = key.state_since.filter(|_| key.state == VendorState::Paused);
                let named =
                    [(key.ends_at, Cause::Ended), (pause, Cause::Paused), (key.paid_until, Cause::Unpaid)];
                let named = named.into_iter().filter_map(|(at, cause)| Some((at?, cause)));
                // `min_by_key` keeps the first of equals: a withdrawal comes first, then as the timeline decides ties.
                let active_until = withdrawal.into_iter().chain(named).min_by_key(|(at, _)| *at);
                let grace_until = active_until.and_then(|(start, cause)| {
                    let is_withdrawn = matches!(cause, Cause::Blocked | Cause::Cancelled);
                    key.grace_ends_at.filter(|end| !is_withdrawn && *end > start).map(until)
                });
                Outlook { active_until, grace_until }
            }
        }
    }

    /// What leads back to `active`: all of it is needed. Nothing while the key is active.
    pub fn remedies(&self) -> Vec<Remedy> {
        match (self.phase, self.cause) {
            (Phase::Active, _) => Vec::new(),
            (Phase::NotActivated, _) if self.is_activating => vec![Remedy::AwaitActivation],
            (Phase::NotActivated, _) => vec![Remedy::Activate],
            (_, Some(Cause::Cancelled)) => vec![Remedy::Reinstate],
            (_, Some(Cause::Blocked)) => vec![Remedy::Unblock],
            (_, Some(Cause::Expired)) => vec![Remedy::Replace],
            _ => {
                let key = self.key;
                let mut needed: Vec<(Cause, Remedy)> = Vec::new();
                let mut need = |holds: bool, cause, remedy| {
                    if holds {
                        needed.push((cause, remedy));
                    }
                };
                need(self.has_ended(), Cause::Ended, Remedy::Renew);
                let is_paused = self.state_in_force() == Some(VendorState::Paused);
                need(is_paused, Cause::Paused, Remedy::Resume);
                need(self.has_passed(key.and_then(|key| key.paid_until)), Cause::Unpaid, Remedy::Pay);
                // What started the grace period comes first.
                needed.sort_by_key(|(cause, _)| Some(*cause) != self.root_cause());
                needed.into_iter().map(|(_, remedy)| remedy).collect()
            }
        }
    }

    /// What keeps an active key from its known end; `None` without one.
    pub fn before_known_end(&self) -> Option<Remedy> {
        let commercial = self.key.is_some_and(|key| key.kind == KeyKind::Commercial);
        Some(match self.known_end?.why {
            Cause::Cancelled => Remedy::AskAboutCancellation,
            Cause::Blocked => Remedy::AskAboutBlocking,
            Cause::Paused => Remedy::AskAboutPause,
            Cause::Unpaid => Remedy::PayInTime,
            _ if self.has_reserve => Remedy::ReserveTakesOver,
            _ if commercial => Remedy::AddReserve,
            _ => Remedy::RenewInTime,
        })
    }
}
