//! What a provider can change about a key, as a pure function of the revision held, the wish and the time.

use super::{ChangeError, OrderError, VendorError};
use jiff::Timestamp;
use svm_core::subscription::{
    AfterGrace, Statement, Subscription, Term, Terms, VendorState, Version, add_days,
};

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A later end date or `paid_until`; takes a soft cancellation back.
    Renew(Renewal),
    /// Interrupts a subscription; its grace counts from here.
    Pause,
    /// Takes back a pause, a cancellation or a block.
    Resume,
    Cancel(Cancel),
    /// Withdraws the key, of either kind, at once and without grace.
    Block,
    /// Anything else that a document says.
    Parameters(Parameters),
    /// Nothing of the key: the same is signed anew, by the present signing key and with the present `provider.toml`.
    Resign,
}

/// Until when a subscription is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    pub until: Until,
    /// Takes an earlier date too, to put a wrong one right.
    pub earlier: bool,
}

/// How a renewal names its date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The new end date of a limited subscription.
    EndsAt(Timestamp),
    /// The new `paid_until` of an unlimited one.
    PaidUntil(Timestamp),
    /// So many days more, from the date held or from now where that has passed; 1 or more.
    Days(u64),
    /// No date: an open-ended subscription's word is made fresh again.
    OpenEnded,
}

/// How a subscription is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancel {
    /// It runs to the end of its term and is not renewed (`soft_cancelled`).
    AtTheEnd,
    /// It is over at once, without grace (`hard_cancelled`).
    Now,
}

/// New values; `None` leaves what is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// The number of devices; `Some(None)` is without limit.
    pub devices: Option<Option<u64>>,
    /// Days of grace.
    pub grace_days: Option<u64>,
    /// Whether the seller renews without being asked.
    pub auto_renew: Option<bool>,
    /// What is left after the grace.
    pub after_grace: Option<AfterGrace>,
    /// The lowest version of the product.
    pub min_product_version: Option<Version>,
}

fn not_possible<T>(problem: ChangeError) -> Result<T, VendorError> {
    Err(problem.into())
}

impl Change {
    /// The word for it in the history of a key.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Renew(_) => "renewed",
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Cancel(Cancel::AtTheEnd) => "cancelled at the end of the term",
            Self::Cancel(Cancel::Now) => "cancelled at once",
            Self::Block => "blocked",
            Self::Parameters(_) => "parameters changed",
            Self::Resign => "signed anew",
        }
    }

    /// The next revision's content. Revision number, freshness and vendor are for who signs it.
    pub(super) fn apply(&self, held: &Statement, now: Timestamp) -> Result<Statement, VendorError> {
        let mut next = held.clone();
        match (self, &mut next.terms) {
            (Self::Resign, _) => return Ok(next),
            (Self::Parameters(parameters), _) => parameters.apply(&mut next)?,
            (Self::Block, Terms::Licence(licence)) => {
                if licence.blocked_since.replace(now).is_some() {
                    return not_possible(ChangeError::Already { state: VendorState::Blocked });
                }
            }
            (Self::Resume, Terms::Licence(licence)) => {
                if licence.blocked_since.take().is_none() {
                    return not_possible(ChangeError::NothingToResume);
                }
            }
            (_, Terms::Licence(_)) => return not_possible(ChangeError::Commercial),
            (_, Terms::Subscription(subscription)) => self.apply_to(subscription, now)?,
        }
        if next == *held && !matches!(self, Self::Renew(_)) {
            return not_possible(ChangeError::NothingNew);
        }
        Ok(next)
    }

    fn apply_to(&self, subscription: &mut Subscription, now: Timestamp) -> Result<(), VendorError> {
        use VendorState as S;
        let state = match (self, subscription.state) {
            (Self::Renew(_), state @ (S::HardCancelled | S::Blocked)) => {
                return not_possible(ChangeError::RenewEnded { state });
            }
            (Self::Renew(renewal), state) => {
                subscription.term = renewal.term(&subscription.term, now)?;
                if state != S::SoftCancelled {
                    return Ok(());
                }
                S::Active
            }
            (Self::Pause, state @ S::Paused)
            | (Self::Cancel(Cancel::AtTheEnd), state @ S::SoftCancelled)
            | (Self::Cancel(Cancel::Now), state @ S::HardCancelled)
            | (Self::Block, state @ S::Blocked) => return not_possible(ChangeError::Already { state }),
            (Self::Pause, state @ (S::HardCancelled | S::Blocked)) => {
                return not_possible(ChangeError::Stricter { state, wanted: S::Paused });
            }
            (Self::Cancel(Cancel::AtTheEnd), state @ (S::HardCancelled | S::Blocked)) => {
                return not_possible(ChangeError::Stricter { state, wanted: S::SoftCancelled });
            }
            (Self::Cancel(Cancel::Now), state @ S::Blocked) => {
                return not_possible(ChangeError::Stricter { state, wanted: S::HardCancelled });
            }
            (Self::Pause, _) => S::Paused,
            (Self::Resume, S::Active) => return not_possible(ChangeError::NothingToResume),
            (Self::Resume, _) => S::Active,
            (Self::Cancel(Cancel::AtTheEnd), S::Paused) => return not_possible(ChangeError::CancelPaused),
            (Self::Cancel(Cancel::AtTheEnd), _) => {
                if !matches!(subscription.term, Term::Limited { .. }) {
                    return not_possible(ChangeError::CancelUnlimited);
                }
                // It is the renewal that is cancelled.
                subscription.auto_renew = false;
                S::SoftCancelled
            }
            (Self::Cancel(Cancel::Now), _) => S::HardCancelled,
            (Self::Block, _) => S::Blocked,
            // Handled before the kinds part.
            (Self::Parameters(_) | Self::Resign, _) => return Ok(()),
        };
        subscription.state = state;
        subscription.state_since = Some(now);
        Ok(())
    }
}

impl Renewal {
    fn term(&self, held: &Term, now: Timestamp) -> Result<Term, VendorError> {
        let (old, new) = match (held, self.until) {
            (Term::Limited { ends_at }, Until::EndsAt(new)) => (Some(*ends_at), new),
            (Term::Limited { ends_at }, Until::Days(days)) => {
                (Some(*ends_at), add_days(now.max(*ends_at), days))
            }
            (Term::Limited { .. }, Until::PaidUntil(_)) => return not_possible(ChangeError::HasEnd),
            (Term::Limited { .. }, Until::OpenEnded) => return not_possible(ChangeError::NeedsEnd),
            (Term::Unlimited { .. }, Until::EndsAt(_)) => return not_possible(ChangeError::HasNoEnd),
            (Term::Unlimited { paid_until }, Until::PaidUntil(new)) => (*paid_until, new),
            (Term::Unlimited { paid_until }, Until::Days(days)) => {
                (*paid_until, add_days(paid_until.map_or(now, |paid| paid.max(now)), days))
            }
            (Term::Unlimited { paid_until: None }, Until::OpenEnded) => return Ok(held.clone()),
            (Term::Unlimited { paid_until: Some(_) }, Until::OpenEnded) => {
                return not_possible(ChangeError::NeedsPaid);
            }
        };
        if new <= now {
            return Err(OrderError::RenewalPassed { date: new, now }.into());
        }
        if let Some(old) = old.filter(|old| new <= *old && !self.earlier) {
            return not_possible(ChangeError::NotLater { new, held: old });
        }
        Ok(match held {
            Term::Limited { .. } => Term::Limited { ends_at: new },
            Term::Unlimited { .. } => Term::Unlimited { paid_until: Some(new) },
        })
    }
}

impl Parameters {
    fn apply(&self, next: &mut Statement) -> Result<(), VendorError> {
        if let Some(devices) = self.devices {
            next.devices = devices;
        }
        if let Some(version) = &self.min_product_version {
            next.min_product_version = Some(version.clone());
        }
        match &mut next.terms {
            Terms::Subscription(subscription) => {
                subscription.grace_days = self.grace_days.unwrap_or(subscription.grace_days);
                subscription.auto_renew = self.auto_renew.unwrap_or(subscription.auto_renew);
                subscription.after_grace = self.after_grace.unwrap_or(subscription.after_grace);
            }
            Terms::Licence(_) => {
                if self.grace_days.is_some() || self.auto_renew.is_some() || self.after_grace.is_some() {
                    return not_possible(ChangeError::CommercialTerms);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn at(day: i8) -> Timestamp {
        jiff::civil::date(2026, 1, day).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp()
    }

    fn held(term: Value) -> Statement {
        let claims = json!({"rev": 1, "key": {"id": "S", "kind": "subscription"},
            "subscription": {"term": term, "auto_renew": true, "grace_days": 3}});
        Statement::read(&claims).unwrap()
    }

    fn limited() -> Statement {
        held(json!({"type": "limited", "ends_at": "2026-01-10T00:00:00Z"}))
    }

    fn unlimited() -> Statement {
        held(json!({"type": "unlimited", "paid_until": "2026-01-10T00:00:00Z"}))
    }

    fn licence() -> Statement {
        let claims =
            json!({"rev": 1, "key": {"id": "C", "kind": "commercial"}, "licence": {"period_days": 9}});
        Statement::read(&claims).unwrap()
    }

    fn renew(until: Until) -> Change {
        Change::Renew(Renewal { until, earlier: false })
    }

    const SOFT: Change = Change::Cancel(Cancel::AtTheEnd);
    const HARD: Change = Change::Cancel(Cancel::Now);

    #[test]
    fn each_change_gives_its_state() {
        use VendorState as S;
        let rows: &[(&[Change], S)] = &[
            (&[Change::Pause], S::Paused),
            (&[Change::Pause, Change::Resume], S::Active),
            (&[SOFT], S::SoftCancelled),
            (&[SOFT, renew(Until::Days(1))], S::Active),
            (&[SOFT, Change::Pause], S::Paused),
            (&[Change::Pause, renew(Until::Days(1))], S::Paused),
            (&[Change::Pause, HARD], S::HardCancelled),
            (&[HARD, Change::Block], S::Blocked),
            (&[Change::Block, Change::Resume], S::Active),
        ];
        for (changes, state) in rows {
            let end = changes.iter().fold(limited(), |held, change| change.apply(&held, at(5)).unwrap());
            let end = end.subscription().unwrap();
            assert_eq!((end.state, end.state_since), (*state, Some(at(5))), "{changes:?}");
            assert_eq!(end.auto_renew, !changes.contains(&SOFT), "{changes:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_names_the_way_out() {
        let paused = || Change::Pause.apply(&limited(), at(5)).unwrap();
        let over = || HARD.apply(&limited(), at(5)).unwrap();
        let blocked = || Change::Block.apply(&limited(), at(5)).unwrap();
        let rows = [
            (paused(), Change::Pause, "already paused"),
            (paused(), SOFT, "resume it first, or cancel it at once with --now"),
            (limited(), Change::Resume, "nothing to resume"),
            (unlimited(), SOFT, "cancel it at once with --now"),
            (over(), HARD, "already cancelled"),
            (over(), SOFT, "resume it first"),
            (over(), Change::Pause, "resume it first"),
            (blocked(), HARD, "resume it first"),
            (blocked(), Change::Block, "already blocked"),
            (blocked(), renew(Until::Days(1)), "resume it first"),
            (limited(), renew(Until::PaidUntil(at(20))), "--ends-at"),
            (limited(), renew(Until::OpenEnded), "--days"),
            (unlimited(), renew(Until::EndsAt(at(20))), "--paid-until"),
            (unlimited(), renew(Until::OpenEnded), "--paid-until"),
            (limited(), renew(Until::EndsAt(at(10))), "--earlier"),
            (limited(), renew(Until::EndsAt(at(4))), "has passed"),
            (licence(), renew(Until::Days(1)), "issue another"),
            (licence(), Change::Pause, "only be blocked"),
            (licence(), Change::Resume, "nothing to resume"),
            (
                licence(),
                Change::Parameters(Parameters { grace_days: Some(1), ..Parameters::default() }),
                "no grace",
            ),
            (
                limited(),
                Change::Parameters(Parameters { grace_days: Some(3), ..Parameters::default() }),
                "already",
            ),
        ];
        for (held, change, word) in rows {
            let error = change.apply(&held, at(5)).unwrap_err().to_string();
            assert!(error.contains(word), "{change:?}: {error}");
        }
    }

    #[test]
    fn a_renewal_counts_from_the_later_of_the_date_held_and_now() {
        let term = |held: Statement, until, now| {
            let next = renew(until).apply(&held, now).unwrap();
            next.subscription().unwrap().term.clone()
        };
        assert_eq!(term(limited(), Until::Days(5), at(5)), Term::Limited { ends_at: at(15) });
        assert_eq!(term(limited(), Until::Days(5), at(20)), Term::Limited { ends_at: at(25) });
        assert_eq!(term(unlimited(), Until::Days(5), at(5)), Term::Unlimited { paid_until: Some(at(15)) });
        let open = || held(json!({"type": "unlimited"}));
        assert_eq!(term(open(), Until::OpenEnded, at(5)), Term::Unlimited { paid_until: None });
        assert_eq!(term(open(), Until::Days(1), at(5)), Term::Unlimited { paid_until: Some(at(6)) });
        let earlier = Change::Renew(Renewal { until: Until::EndsAt(at(7)), earlier: true });
        let next = earlier.apply(&limited(), at(5)).unwrap();
        assert_eq!(next.subscription().unwrap().term, Term::Limited { ends_at: at(7) });
    }
}
