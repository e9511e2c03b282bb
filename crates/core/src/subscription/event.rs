//! Events of the life cycle: what happened, with its severity and its own fields.

use crate::subscription::device::{DeviceStatus, LimitLevel, Reason};
use crate::subscription::held::Role;
use crate::subscription::key::KeyId;
use crate::subscription::permit::{Permit, Resource};
use crate::subscription::phase::{Cause, Phase};
use crate::subscription::refusal::{RefusalCode, WayOut};
use crate::subscription::take_over::Why;
use crate::subscription::terms::VendorState;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// Severity in Kaspersky Security Center's numbering: 1 Info, 2 Warning, 3 Functional failure, 4 Critical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Severity {
    /// For the record.
    Info = 1,
    /// To plan for.
    Warning = 2,
    /// Something did not work.
    Failure = 3,
    /// To act on.
    Critical = 4,
}

impl Severity {
    /// The number that is written.
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl Serialize for Severity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.number())
    }
}

/// Why a key left the SVM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RemovalCause {
    /// By command.
    Removed,
    /// A new code took its place.
    Replaced,
}

/// The old and the new value of a parameter, as the claims have them; `null` where absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub old: serde_json::Value,
    pub new: serde_json::Value,
}

/// What happened. The fields are those of `docs/reference/lifecycle.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Kind {
    KeyAdded {
        key: KeyId,
        role: Role,
    },
    KeyRemoved {
        key: KeyId,
        role: Role,
        why: RemovalCause,
    },
    KeyReserveApplied {
        key: KeyId,
        replaced: KeyId,
        why: Why,
    },
    KeyRejected {
        key: Option<KeyId>,
        code: RefusalCode,
        /// Without the words of `way_out`: the code that shows or sends the event adds them.
        message: String,
        #[serde(skip)]
        way_out: Option<WayOut>,
    },
    DocumentsRejected {
        key: Option<KeyId>,
        code: RefusalCode,
        message: String,
    },
    StatusChanged {
        key: Option<KeyId>,
        from: Phase,
        to: Phase,
        cause: Option<Cause>,
        lapse_cause: Option<Cause>,
        ends_at: Option<Timestamp>,
        grace_ends_at: Option<Timestamp>,
    },
    SubscriptionExpired {
        key: KeyId,
        ends_at: Timestamp,
    },
    LicenceExpired {
        key: KeyId,
        ends_at: Timestamp,
    },
    Renewed {
        key: KeyId,
        from: Timestamp,
        to: Timestamp,
    },
    ParametersChanged {
        key: KeyId,
        fields: Vec<&'static str>,
        changes: BTreeMap<&'static str, Change>,
    },
    Expiring {
        key: KeyId,
        days_left: u64,
        ends_at: Timestamp,
        why: Cause,
        auto_renew: bool,
    },
    GraceEnding {
        key: KeyId,
        days_left: u64,
        grace_ends_at: Timestamp,
    },
    SourceStale {
        key: KeyId,
        fresh_until: Timestamp,
    },
    EnforcementChanged {
        resource: Resource,
        from: Permit,
        to: Permit,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        enforced_by: Vec<String>,
    },
    DevicesLimit {
        from: LimitLevel,
        to: LimitLevel,
        count: Option<u64>,
        limit: Option<u64>,
    },
    DeviceStatusChanged {
        from: DeviceStatus,
        to: DeviceStatus,
        reasons: Vec<Reason>,
    },
}

impl Kind {
    /// The type, such as `subscription.expired`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::KeyAdded { .. } => "key.added",
            Self::KeyRemoved { .. } => "key.removed",
            Self::KeyReserveApplied { .. } => "key.reserve_applied",
            Self::KeyRejected { .. } => "key.rejected",
            Self::DocumentsRejected { .. } => "documents.rejected",
            Self::StatusChanged { .. } => "subscription.status_changed",
            Self::SubscriptionExpired { .. } => "subscription.expired",
            Self::LicenceExpired { .. } => "licence.expired",
            Self::Renewed { .. } => "subscription.renewed",
            Self::ParametersChanged { .. } => "subscription.parameters_changed",
            Self::Expiring { .. } => "subscription.expiring",
            Self::GraceEnding { .. } => "subscription.grace_ending",
            Self::SourceStale { .. } => "source.stale",
            Self::EnforcementChanged { .. } => "enforcement.changed",
            Self::DevicesLimit { .. } => "devices.limit",
            Self::DeviceStatusChanged { .. } => "device.status_changed",
        }
    }

    /// The severity, by the table of `docs/reference/lifecycle.md`.
    pub fn severity(&self) -> Severity {
        match self {
            Self::KeyAdded { .. }
            | Self::KeyRemoved { .. }
            | Self::KeyReserveApplied { .. }
            | Self::Renewed { .. } => Severity::Info,
            Self::ParametersChanged { changes, .. } => match changes.get("state") {
                Some(change) if change.new.get("state") != Some(&VendorState::Active.as_str().into()) => {
                    Severity::Warning
                }
                _ => Severity::Info,
            },
            Self::KeyRejected { .. } | Self::DocumentsRejected { .. } => Severity::Failure,
            Self::StatusChanged { to, .. } => match to {
                Phase::Active => Severity::Info,
                Phase::Grace => Severity::Warning,
                Phase::Restricted | Phase::NotActivated => Severity::Critical,
            },
            Self::SubscriptionExpired { .. } | Self::LicenceExpired { .. } => Severity::Critical,
            // Any other end comes all the same.
            Self::Expiring { auto_renew: true, why: Cause::Ended, .. } => Severity::Info,
            Self::Expiring { .. } | Self::GraceEnding { .. } | Self::SourceStale { .. } => Severity::Warning,
            Self::EnforcementChanged { to: Permit::Full, .. } => Severity::Info,
            Self::EnforcementChanged { .. } => Severity::Critical,
            Self::DevicesLimit { to, .. } => match to {
                LimitLevel::None | LimitLevel::Over90 => Severity::Info,
                LimitLevel::Over100 => Severity::Warning,
                LimitLevel::Over110 => Severity::Critical,
            },
            Self::DeviceStatusChanged { to, .. } => match to {
                DeviceStatus::Ok => Severity::Info,
                DeviceStatus::Warning => Severity::Warning,
                DeviceStatus::Critical => Severity::Critical,
            },
        }
    }

    /// Whether it tells that something was refused.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::KeyRejected { .. } | Self::DocumentsRejected { .. })
    }

    /// The key that the event is about.
    pub fn key(&self) -> Option<&KeyId> {
        match self {
            Self::KeyAdded { key, .. }
            | Self::KeyRemoved { key, .. }
            | Self::KeyReserveApplied { key, .. }
            | Self::SubscriptionExpired { key, .. }
            | Self::LicenceExpired { key, .. }
            | Self::Renewed { key, .. }
            | Self::ParametersChanged { key, .. }
            | Self::Expiring { key, .. }
            | Self::GraceEnding { key, .. }
            | Self::SourceStale { key, .. } => Some(key),
            Self::KeyRejected { key, .. }
            | Self::DocumentsRejected { key, .. }
            | Self::StatusChanged { key, .. } => key.as_ref(),
            Self::EnforcementChanged { .. }
            | Self::DevicesLimit { .. }
            | Self::DeviceStatusChanged { .. } => None,
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The type of the event and its fields.
    pub kind: Kind,
    /// When it really happened, if that was before it is reported.
    pub effective_at: Option<Timestamp>,
}

impl Serialize for Event {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            r#type: &'static str,
            severity: Severity,
            #[serde(flatten)]
            fields: &'a Kind,
            #[serde(skip_serializing_if = "Option::is_none")]
            effective_at: Option<Timestamp>,
        }
        let Self { kind, effective_at } = self;
        Wire {
            r#type: kind.type_name(),
            severity: kind.severity(),
            fields: kind,
            effective_at: *effective_at,
        }
        .serialize(serializer)
    }
}
