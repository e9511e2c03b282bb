//! What is remembered of keys that were held here, over their removal: so that an older revision does not bring back what a
//! newer one withdrew, and a commercial key's period is not given twice.
//!
//! A key is an issuer's: the same id by another issuer is another key. The memory is bounded. Only documents that were taken
//! fill it, and each of them has to be issued by a trusted vendor.

use crate::subscription::key::KeyId;
use crate::subscription::statement::Statement;
use crate::subscription::terms::VendorState;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// So many keys are remembered.
const MAX_KNOWN_KEYS: usize = 256;

/// What is remembered of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownKey {
    /// Who issued it; `None` where an older agent kept it, or it comes from a scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Unique among the keys of `issuer`.
    pub key: KeyId,
    /// The highest revision that was held; 0 where that is not known.
    #[serde(default)]
    pub rev: u64,
    /// Whether that revision cancelled or blocked it.
    #[serde(default)]
    pub withdrawn: bool,
    /// When a commercial key first became active here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_active: Option<Timestamp>,
}

impl KnownKey {
    /// Whether it may be the key of a statement. An issuer that is not known could be any.
    fn may_be(&self, statement: &Statement) -> bool {
        let issuers = self.issuer.as_ref().zip(statement.issuer.as_ref());
        self.key == statement.key && issuers.is_none_or(|(known, stated)| known == stated)
    }

    /// What is lost by forgetting it, least first: a withdrawn key is forgotten last.
    fn worth(&self) -> (bool, bool) {
        (self.withdrawn, self.first_active.is_some())
    }
}

/// The keys that are remembered; the one that was noted last stands last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct KnownKeys(Vec<KnownKey>);

impl KnownKeys {
    /// The highest revision of a statement's key that was held here.
    pub fn highest_rev(&self, statement: &Statement) -> Option<u64> {
        self.of(statement).map(|known| known.rev).max()
    }

    /// When a statement's key first became active here.
    pub fn first_active(&self, statement: &Statement) -> Option<Timestamp> {
        self.of(statement).filter_map(|known| known.first_active).min()
    }

    /// A commercial key becomes active; the first time counts.
    pub(super) fn note_first_active(&mut self, statement: &Statement, at: Timestamp) {
        if self.first_active(statement).is_none() {
            self.note(statement, |known| known.first_active = Some(at));
        }
    }

    /// A key that is held no longer.
    pub(super) fn note_held(&mut self, statement: &Statement) {
        let withdrawn =
            matches!(statement.vendor_state().0, VendorState::HardCancelled | VendorState::Blocked);
        self.note(statement, |known| {
            if known.rev <= statement.rev {
                (known.rev, known.withdrawn) = (statement.rev, withdrawn);
            }
        });
    }

    /// No instant lies ahead of a clock that was put right.
    pub(super) fn take_back(&mut self, now: Timestamp) {
        for at in self.0.iter_mut().filter_map(|known| known.first_active.as_mut()) {
            *at = now.min(*at);
        }
    }

    fn of(&self, statement: &Statement) -> impl Iterator<Item = &KnownKey> {
        self.0.iter().filter(|known| known.may_be(statement))
    }

    fn note(&mut self, statement: &Statement, change: impl FnOnce(&mut KnownKey)) {
        let same = |known: &KnownKey| known.key == statement.key && known.issuer == statement.issuer;
        let mut known = match self.0.iter().position(same) {
            Some(index) => self.0.remove(index),
            None => KnownKey {
                issuer: statement.issuer.clone(),
                key: statement.key.clone(),
                rev: 0,
                withdrawn: false,
                first_active: None,
            },
        };
        change(&mut known);
        self.0.push(known);
        if self.0.len() > MAX_KNOWN_KEYS {
            // `min_by_key` keeps the first of equals, which is the oldest.
            let least = self.0.iter().enumerate().min_by_key(|(_, known)| known.worth());
            if let Some(index) = least.map(|(index, _)| index) {
                self.0.remove(index);
            }
        }
    }
}

impl<'de> Deserialize<'de> for KnownKeys {
    /// Also from the form of older agents: when each commercial key first became active, by its id.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Keys(Vec<KnownKey>),
            FirstActive(BTreeMap<KeyId, Timestamp>),
        }
        Ok(Self(match Form::deserialize(deserializer)? {
            Form::Keys(keys) => keys,
            Form::FirstActive(instants) => instants
                .into_iter()
                .map(|(key, at)| KnownKey {
                    issuer: None,
                    key,
                    rev: 0,
                    withdrawn: false,
                    first_active: Some(at),
                })
                .collect(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn statement(id: &str, rev: u64, state: &str, issuer: Option<&str>) -> Statement {
        let mut claims = json!({"rev": rev, "key": {"id": id, "kind": "subscription"}, "subscription": {
            "state": state, "state_since": "2026-01-01T00:00:00Z",
            "term": {"type": "limited", "ends_at": "2027-01-01T00:00:00Z"}}});
        if let Some(issuer) = issuer {
            claims["iss"] = issuer.into();
        }
        Statement::read(&claims).unwrap()
    }

    #[test]
    fn a_withdrawn_key_is_not_forgotten_for_others() {
        let mut known = KnownKeys::default();
        known.note_held(&statement("BLOCKED", 5, "blocked", Some("a")));
        let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        known.note_first_active(&statement("USED", 1, "active", Some("a")), at);
        for number in 0..1000 {
            known.note_held(&statement(&format!("S-{number}"), 9, "active", Some("a")));
        }
        assert_eq!(known.0.len(), MAX_KNOWN_KEYS);
        assert_eq!(known.highest_rev(&statement("BLOCKED", 1, "active", Some("a"))), Some(5));
        assert_eq!(known.first_active(&statement("USED", 1, "active", Some("a"))), Some(at));
        assert_eq!(
            known.highest_rev(&statement("S-0", 1, "active", Some("a"))),
            None,
            "the oldest is forgotten"
        );
        assert_eq!(known.highest_rev(&statement("S-999", 1, "active", Some("a"))), Some(9));
    }

    #[test]
    fn a_key_is_its_issuer_s() {
        let mut known = KnownKeys::default();
        known.note_held(&statement("S", 5, "blocked", Some("a")));
        assert_eq!(known.highest_rev(&statement("S", 1, "active", Some("b"))), None);
        assert_eq!(known.highest_rev(&statement("S", 1, "active", Some("a"))), Some(5));
        // An older revision that was held again, by whatever way, lowers nothing.
        known.note_held(&statement("S", 3, "active", Some("a")));
        assert_eq!((known.0[0].rev, known.0[0].withdrawn), (5, true));
        let kept: KnownKeys = serde_json::from_value(json!(known)).unwrap();
        assert_eq!(kept, known);
    }

    #[test]
    fn the_memory_of_older_agents_counts_for_any_issuer() {
        let known: KnownKeys = serde_json::from_value(json!({"S": "2026-01-01T00:00:00Z"})).unwrap();
        for issuer in [None, Some("a")] {
            assert!(known.first_active(&statement("S", 1, "active", issuer)).is_some());
        }
        assert!(known.first_active(&statement("T", 1, "active", None)).is_none());
        assert_eq!(serde_json::from_value::<KnownKeys>(json!({})).unwrap(), KnownKeys::default());
        assert_eq!(serde_json::from_value::<KnownKeys>(json!([])).unwrap(), KnownKeys::default());
    }
}
