//! The state: the keys of the SVM and what was reported about them. Small, and the whole memory of the life cycle.

use crate::subscription::device::{self, DeviceStatus, Reason};
use crate::subscription::enforcement::Enforcement;
use crate::subscription::held::{Held, Role};
use crate::subscription::key::KeyId;
use crate::subscription::known::KnownKeys;
use crate::subscription::marks::Mark;
use crate::subscription::statement::Statement;
use crate::subscription::take_over::LapsePromotion;
use crate::subscription::timeline::KeyTimeline;
use crate::subscription::view::View;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The keys of the SVM and what was reported about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The key that counts.
    pub active: Option<Held>,
    /// The key that takes over automatically.
    pub reserve: Option<Held>,
    /// What is remembered of keys over their removal.
    #[serde(alias = "first_active")]
    pub known: KnownKeys,
    /// Since when a lapse lets the reserve take over. Of an older agent that is not known: it counts as off until now.
    #[serde(default = "LapsePromotion::off")]
    pub lapse_promotion: LapsePromotion,
    /// The nearest reminder that was sent for each deadline.
    pub marks: Vec<Mark>,
    /// How many devices this SVM protects, where known.
    pub protected_devices: Option<u64>,
    /// What else is wrong with the SVM: reasons that follow from no key, which the agent reports. They are part of the state
    /// because the device status is the worst of all reasons, and is reported once.
    #[serde(deserialize_with = "device::read_conditions")]
    pub conditions: BTreeMap<Reason, DeviceStatus>,
    /// What was last told.
    #[serde(rename = "told")]
    pub reported: View,
    /// What is remembered of how permits are carried out. Its fields stand among those of the state, as ever.
    #[serde(flatten)]
    pub enforcement: Enforcement,
}

impl Default for State {
    /// An SVM that holds nothing and has told nothing else.
    fn default() -> Self {
        Self {
            active: None,
            reserve: None,
            known: KnownKeys::default(),
            lapse_promotion: LapsePromotion::Always,
            marks: Vec::new(),
            protected_devices: None,
            conditions: BTreeMap::new(),
            reported: View::not_activated(),
            enforcement: Enforcement::default(),
        }
    }
}

impl State {
    /// The held key of this name, and its role.
    pub fn held(&self, key: &KeyId) -> Option<(Role, &Held)> {
        let named = |held: &&Held| held.statement.key == *key;
        let active = self.active.as_ref().filter(named).map(|held| (Role::Active, held));
        active.or_else(|| self.reserve.as_ref().filter(named).map(|held| (Role::Reserve, held)))
    }

    /// The course of the active key.
    pub fn timeline(&self) -> Option<KeyTimeline> {
        let active = self.active.as_ref()?;
        let first = self.first_active(&active.statement).unwrap_or(active.role_since);
        Some(KeyTimeline::of(&active.statement.terms, first))
    }

    /// When a commercial key first became active on this SVM, where it did.
    pub fn first_active(&self, statement: &Statement) -> Option<Timestamp> {
        self.known.first_active(statement)
    }

    /// Names the issuers of held keys that an older agent kept without them.
    pub fn learn_issuers(&mut self, issuer_of: impl Fn(&KeyId) -> Option<String>) {
        for held in self.active.iter_mut().chain(&mut self.reserve) {
            if held.statement.issuer.is_none() {
                held.statement.issuer = issuer_of(&held.statement.key);
            }
        }
    }
}
