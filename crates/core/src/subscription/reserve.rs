//! Whether the reserve key would be of any use if it took over now.

use crate::subscription::held::Held;
use crate::subscription::phase::{Cause, Phase};
use crate::subscription::settings::Settings;
use crate::subscription::timeline::KeyTimeline;
use crate::subscription::version::Version;
use jiff::Timestamp;

/// Why a reserve key would be of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// The vendor blocked it.
    Blocked {
        /// From this instant on, as the vendor stated it.
        since: Timestamp,
    },
    /// Its period was used up on this SVM before.
    Expired {
        /// The end of its period.
        since: Timestamp,
    },
    /// It activates a newer product only.
    ProductVersionTooOld {
        /// The lowest version that the key activates.
        least: Version,
    },
}

impl Unusable {
    /// The word used in events.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Blocked { .. } => "blocked",
            Self::Expired { .. } => "expired",
            Self::ProductVersionTooOld { .. } => "product_version_too_old",
        }
    }
}

impl Held {
    /// Why this key, made active at `at`, would be of no use; `None` where it would. `first_active` is when it first
    /// became active on this SVM, where it did.
    pub fn unusable_at(
        &self,
        first_active: Option<Timestamp>,
        settings: &Settings,
        at: Timestamp,
    ) -> Option<Unusable> {
        let timeline = KeyTimeline::of(&self.statement.terms, first_active.unwrap_or(at));
        match timeline.phase_at(at) {
            (Phase::Restricted, Some(Cause::Blocked | Cause::Cancelled)) => {
                timeline.withdrawn_at.map(|(since, _)| Unusable::Blocked { since })
            }
            (Phase::Restricted, _) => timeline.lapses_at.map(|(since, _)| Unusable::Expired { since }),
            _ => {
                let least = self.statement.min_product_version.clone();
                least
                    .filter(|least| *least > settings.product_version)
                    .map(|least| Unusable::ProductVersionTooOld { least })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscription::Statement;
    use serde_json::{Value, json};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn reserve(more: Value) -> Held {
        let mut claims =
            json!({"rev": 1, "key": {"id": "C", "kind": "commercial"}, "licence": {"period_days": 10}});
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let added_at = at("2026-01-01T00:00:00Z");
        Held { statement: Statement::read(&claims).unwrap(), added_at, role_since: added_at }
    }

    #[test]
    fn each_reason_and_none() {
        let settings = Settings::new("6.1".parse().unwrap());
        let now = at("2026-06-01T00:00:00Z");
        let why = |held: &Held, first: Option<&str>| {
            let unusable = held.unusable_at(first.map(at), &settings, now);
            // What takes over is decided by the same rule, but for the version: a key that is held is obeyed.
            let works = held.could_work(first.map(at), now);
            let by_version = matches!(unusable, Some(Unusable::ProductVersionTooOld { .. }));
            assert_eq!(works, unusable.is_none() || by_version);
            unusable.map(|unusable| unusable.as_str())
        };
        let plain = reserve(json!({}));
        assert_eq!(why(&plain, None), None);
        // Its period ran from its first activation, and ends at its very last instant.
        assert_eq!(why(&plain, Some("2026-05-22T00:00:00Z")), Some("expired"));
        assert_eq!(why(&plain, Some("2026-05-22T00:00:01Z")), None);
        let blocked = |since: &str| {
            reserve(json!({"licence": {"period_days": 10, "state": "blocked", "state_since": since}}))
        };
        assert_eq!(why(&blocked("2026-06-01T00:00:00Z"), None), Some("blocked"));
        assert_eq!(why(&blocked("2026-06-01T00:00:01Z"), None), None, "not yet");
        assert_eq!(
            why(&reserve(json!({"min_product_version": "6.1.1"})), None),
            Some("product_version_too_old")
        );
        assert_eq!(why(&reserve(json!({"min_product_version": "6.1.0"})), None), None);
        let both = json!({"min_product_version": "7", "licence": {"period_days": 10, "state": "blocked", "state_since": "2026-01-01T00:00:00Z"}});
        assert_eq!(why(&reserve(both), None), Some("blocked"), "what no upgrade mends comes first");
    }
}
