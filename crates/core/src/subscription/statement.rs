//! What one revision of a signed document says of its key.

use crate::subscription::key::{KeyId, KeyKind};
use crate::subscription::terms::{Subscription, Term, Terms, Vendor, VendorState};
use crate::subscription::version::Version;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Everything one revision of a document says of its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Statement {
    /// Who states it; `None` in a scenario. A key id is this issuer's: by another one it is another key.
    pub issuer: Option<String>,
    /// Grows with each revision of the key; 1 or more.
    pub rev: u64,
    /// Unique among the keys of its issuer.
    pub key: KeyId,
    /// The terms of a subscription or a licence, by the kind of the key.
    pub terms: Terms,
    /// How many devices it protects, over all SVMs that hold it; `None` is without limit.
    pub devices: Option<u64>,
    /// The lowest version of the product that it activates.
    pub min_product_version: Option<Version>,
    /// Until when the vendor's word is fresh; after it the SVM should hear from its vendor again.
    pub fresh_until: Option<Timestamp>,
    /// The seller, for people who have to turn to them.
    pub vendor: Option<Vendor>,
}

impl Statement {
    /// The kind of the key.
    pub fn kind(&self) -> KeyKind {
        match self.terms {
            Terms::Subscription(_) => KeyKind::Subscription,
            Terms::Licence(_) => KeyKind::Commercial,
        }
    }

    /// The subscription, where it is one.
    pub fn subscription(&self) -> Option<&Subscription> {
        match &self.terms {
            Terms::Subscription(subscription) => Some(subscription),
            Terms::Licence(_) => None,
        }
    }

    /// The vendor's word, and from when it counts.
    pub fn vendor_state(&self) -> (VendorState, Option<Timestamp>) {
        match &self.terms {
            Terms::Subscription(s) => (s.state, s.state_since),
            Terms::Licence(l) => match l.blocked_since {
                Some(since) => (VendorState::Blocked, Some(since)),
                None => (VendorState::Active, None),
            },
        }
    }

    /// The vendor's word that is in force at `now`: one that is announced for later does not count yet.
    pub fn vendor_state_at(&self, now: Timestamp) -> VendorState {
        let (state, since) = self.vendor_state();
        if since.is_some_and(|since| since > now) { VendorState::Active } else { state }
    }

    /// Until when an unlimited subscription was prepaid.
    pub fn paid_until(&self) -> Option<Timestamp> {
        match self.subscription()?.term {
            Term::Unlimited { paid_until } => paid_until,
            Term::Limited { .. } => None,
        }
    }

    /// Whether the seller renews the key without being asked.
    pub fn auto_renew(&self) -> bool {
        self.subscription().is_some_and(|s| s.auto_renew)
    }

    /// The provider's name, or "the provider".
    pub fn vendor_name(&self) -> &str {
        self.vendor.as_ref().and_then(|v| v.name.as_deref()).unwrap_or("the provider")
    }
}
