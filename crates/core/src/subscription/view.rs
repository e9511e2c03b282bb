//! The view: what holds at an instant.

use crate::subscription::device::{self, DeviceStatus, LimitLevel, Reason};
use crate::subscription::key::KeyId;
use crate::subscription::permit::{Permit, Resource};
use crate::subscription::phase::{Cause, Phase};
use serde::{Deserialize, Serialize};

/// What holds at an instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Where the subscription stands.
    pub phase: Phase,
    /// Why, in grace and restricted.
    pub cause: Option<Cause>,
    /// What started the grace of a key that is restricted for want of renewal: `ended`, `paused` or `unpaid`.
    #[serde(default)]
    pub lapse_cause: Option<Cause>,
    /// The active key; `None` where there is none.
    pub key: Option<KeyId>,
    /// What the console shows.
    pub device_status: DeviceStatus,
    /// Why it shows that; sorted, without repeats.
    #[serde(deserialize_with = "device::read_reasons")]
    pub reasons: Vec<Reason>,
    /// What database updates may do.
    pub database_updates: Permit,
    /// What KSN may do.
    pub ksn: Permit,
    /// How the protected devices stand to the limit.
    pub limit: LimitLevel,
}

impl View {
    /// What holds where there is no key.
    pub fn not_activated() -> Self {
        Self {
            phase: Phase::NotActivated,
            cause: None,
            lapse_cause: None,
            key: None,
            device_status: DeviceStatus::Critical,
            reasons: vec![Reason::NotActivated],
            database_updates: Permit::Stopped,
            ksn: Permit::Stopped,
            limit: LimitLevel::None,
        }
    }

    /// The permit of one resource.
    pub fn permit(&self, resource: Resource) -> Permit {
        match resource {
            Resource::DatabaseUpdates => self.database_updates,
            Resource::Ksn => self.ksn,
        }
    }
}
