//! What a provider orders.

use jiff::Timestamp;
use svm_core::documents::ActivationCode;
use svm_core::subscription::{KeyId, Subscription, Term, Terms, Version, add_days};

/// How long after what is paid for an unlimited subscription's word stays fresh, where nothing else is ordered.
const FRESH_DAYS: u64 = 30;

/// A key to be issued.
#[derive(Clone, Debug)]
pub struct IssueOrder {
    /// Its id; `None` has one made.
    pub key_id: Option<KeyId>,
    /// Its code; `None` (the usual) has one made.
    pub code: Option<ActivationCode>,
    /// What it allows; a subscription begins `active`.
    pub terms: Terms,
    /// How many devices it protects; `None` is without limit.
    pub devices: Option<u64>,
    /// The lowest version of the product that it activates.
    pub min_product_version: Option<Version>,
    /// Days after each signing for which the word is fresh, 1 to 3650. `None`: an unlimited subscription's for
    /// 30 days after `paid_until`, or after the signing where it is open-ended; others' for ever.
    pub fresh_for_days: Option<u64>,
}

impl IssueOrder {
    /// An order with these terms, and nothing else asked for.
    pub fn new(terms: Terms) -> Self {
        Self {
            key_id: None,
            code: None,
            terms,
            devices: None,
            min_product_version: None,
            fresh_for_days: None,
        }
    }

    /// What is doubtful of it, though it is taken.
    pub fn warnings(&self) -> Vec<String> {
        super::validation::warnings(&self.terms)
    }
}

/// Until when the vendor's word is fresh, for a document signed at `iat`.
pub(super) fn fresh_until(terms: &Terms, for_days: Option<u64>, iat: Timestamp) -> Option<Timestamp> {
    if let Some(days) = for_days {
        return Some(add_days(iat, days));
    }
    match terms {
        Terms::Subscription(Subscription { term: Term::Unlimited { paid_until }, .. }) => {
            Some(add_days(paid_until.map_or(iat, |paid| paid.max(iat)), FRESH_DAYS))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use svm_core::subscription::Statement;

    fn terms(term: serde_json::Value) -> Terms {
        let claims =
            json!({"rev": 1, "key": {"id": "S", "kind": "subscription"}, "subscription": {"term": term}});
        Statement::read(&claims).unwrap().terms
    }

    #[test]
    fn an_unlimited_subscription_s_word_does_not_stay_fresh_for_ever() {
        let day =
            |day: i8| jiff::civil::date(2026, 1, day).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        let limited = terms(json!({"type": "limited", "ends_at": "2027-01-01T00:00:00Z"}));
        let open = terms(json!({"type": "unlimited"}));
        let paid = terms(json!({"type": "unlimited", "paid_until": "2026-01-09T00:00:00Z"}));
        assert_eq!(fresh_until(&limited, None, day(1)), None);
        assert_eq!(fresh_until(&limited, Some(5), day(1)), Some(day(6)));
        assert_eq!(fresh_until(&open, None, day(1)), Some(day(31)));
        assert_eq!(fresh_until(&paid, None, day(1)), Some(add_days(day(9), 30)));
        assert_eq!(fresh_until(&paid, None, day(11)), Some(add_days(day(11), 30)));
        assert_eq!(fresh_until(&paid, Some(5), day(1)), Some(day(6)));
    }
}
