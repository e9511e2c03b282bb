//! Events of the agent itself, beside the life cycle.

use crate::failure_code::FailureCode;
use crate::subscription::{Permit, Resource, Role, Severity};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What the agent itself has to tell, beside the life cycle.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Operational {
    /// The agent began to work.
    AgentStarted {
        version: &'static str,
    },
    /// These settings changed while the agent ran.
    SettingsReloaded {
        keys: Vec<String>,
    },
    AgentReport {
        report: Value,
    },
    /// The database was damaged or missing, and was made anew from the files beside it; `lost`: without the keys, which
    /// none of them had.
    StoreRebuilt {
        problem: String,
        set_aside: Option<String>,
        lost: bool,
    },
    /// The SVM has a new id. This is the first event under it.
    IdentityChanged {
        old_id: String,
        new_id: String,
        why: &'static str,
    },
    /// The machine was reverted to an earlier state, or copied: a destination had its next number from another event,
    /// and the numbers go on above all that are known there.
    SequenceReverted {
        destination: String,
        from: String,
        to: String,
    },
    /// What waited was dropped, because more waited than may, or too long.
    EventsDropped(Drops),
    /// The certificate with which this SVM shows itself to a destination expires soon, or has.
    CertificateExpiring {
        destination: String,
        file: String,
        ends_at: Timestamp,
        days_left: u64,
    },
    /// A destination refused events for what is in them; they wait for somebody to look at them.
    EventsQuarantined {
        destination: String,
        events: Vec<Refused>,
    },
    /// A permit could not be carried out: each problem is a sentence.
    EnforcementFailed {
        resource: Resource,
        to: Permit,
        problems: Vec<String>,
    },
    /// Somebody else had changed what an action sets, and it was set right again.
    EnforcementRepaired {
        resource: Resource,
        action: String,
    },
    /// An update of the databases went through.
    UpdatesSucceeded {
        unit: String,
        took_seconds: u64,
    },
    /// An update of the databases failed: `lines` are the last of its journal.
    UpdatesFailed {
        unit: String,
        code: &'static str,
        message: String,
        lines: Vec<String>,
    },
    /// The vendor gave no document for a code: it is asked for again until there is one.
    ActivationPending {
        role: Role,
        since: Timestamp,
        code: FailureCode,
        message: String,
        replaces: bool,
    },
    /// A pending activation was dropped: `why` is `cancelled` (by command) or `replaced` (by another key).
    ActivationCancelled {
        role: Role,
        since: Timestamp,
        why: &'static str,
    },
    /// A pending activation lasted too long and is no longer retried.
    ActivationFailed {
        role: Role,
        since: Timestamp,
        code: FailureCode,
        message: String,
    },
    /// The reserve key would be of no use if it took over now.
    ReserveUnusable {
        key: String,
        why: String,
        message: String,
    },
    /// And is good again.
    ReserveUsable {
        key: String,
    },
    /// The databases are old.
    DatabasesOutdated {
        since: Timestamp,
        days: u64,
        critical: bool,
    },
    /// The wall clock is not obeyed: it shows `wall`, and the SVM goes by `used`.
    ClockSuspect {
        wall: Timestamp,
        used: Timestamp,
        stands: &'static str,
    },
    /// The wall clock is obeyed again.
    ClockTrusted {
        used: Timestamp,
    },
    /// Root had the SVM go by the wall clock.
    ClockReset {
        from: Timestamp,
        to: Timestamp,
    },
}

/// Events of one type that were dropped for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropCount {
    /// The type, without `svm.`.
    pub r#type: String,
    /// `size`, `age`, or `numbers` where the destination's sequence numbers are used up.
    pub reason: String,
    /// How many events, 1 or more.
    pub count: u64,
}

/// What was dropped that a destination was still to get.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drops {
    /// By type and reason.
    pub dropped: Vec<DropCount>,
    /// How many at each destination.
    pub destinations: BTreeMap<String, u64>,
}

impl Drops {
    /// Whether nothing was dropped.
    pub fn is_empty(&self) -> bool {
        self.dropped.is_empty()
    }
}

/// An event that a destination refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The UUID of the event.
    pub id: String,
    /// Its number there, 20 digits.
    pub sequence: String,
    /// Such as `http_400`.
    pub code: FailureCode,
    /// What the receiver said, bounded.
    pub answer: String,
}

impl Operational {
    /// The type, such as `agent.report`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::AgentStarted { .. } => "agent.started",
            Self::SettingsReloaded { .. } => "settings.reloaded",
            Self::AgentReport { .. } => REPORT,
            Self::StoreRebuilt { .. } => "store.rebuilt",
            Self::IdentityChanged { .. } => "identity.changed",
            Self::SequenceReverted { .. } => "sequence.reverted",
            Self::EventsDropped(_) => DROPPED,
            Self::CertificateExpiring { .. } => "destination.certificate_expiring",
            Self::EventsQuarantined { .. } => QUARANTINED,
            Self::EnforcementFailed { .. } => "enforcement.failed",
            Self::EnforcementRepaired { .. } => "enforcement.repaired",
            Self::UpdatesSucceeded { .. } => "updates.succeeded",
            Self::UpdatesFailed { .. } => "updates.failed",
            Self::DatabasesOutdated { .. } => "databases.outdated",
            Self::ClockSuspect { .. } => "clock.suspect",
            Self::ClockTrusted { .. } => "clock.trusted",
            Self::ClockReset { .. } => "clock.reset",
            Self::ReserveUnusable { .. } => "reserve.unusable",
            Self::ReserveUsable { .. } => "reserve.usable",
            Self::ActivationPending { .. } => "activation.pending",
            Self::ActivationCancelled { .. } => "activation.cancelled",
            Self::ActivationFailed { .. } => "activation.failed",
        }
    }

    /// Whether nothing else remembers it: it must be told, if not now then later.
    pub fn is_reported_once(&self) -> bool {
        matches!(self, Self::AgentStarted { .. } | Self::StoreRebuilt { .. } | Self::IdentityChanged { .. })
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::AgentStarted { .. }
            | Self::SettingsReloaded { .. }
            | Self::AgentReport { .. }
            | Self::UpdatesSucceeded { .. }
            | Self::ClockTrusted { .. }
            | Self::ReserveUsable { .. }
            | Self::ActivationCancelled { .. } => Severity::Info,
            Self::CertificateExpiring { days_left: 1.., .. }
            | Self::ClockSuspect { .. }
            | Self::ClockReset { .. }
            | Self::EnforcementRepaired { .. }
            | Self::ActivationPending { .. }
            | Self::ReserveUnusable { .. }
            | Self::IdentityChanged { .. }
            | Self::SequenceReverted { .. }
            | Self::DatabasesOutdated { critical: false, .. } => Severity::Warning,
            Self::DatabasesOutdated { critical: true, .. } | Self::StoreRebuilt { lost: true, .. } => {
                Severity::Critical
            }
            Self::CertificateExpiring { .. }
            | Self::EnforcementFailed { .. }
            | Self::ActivationFailed { .. }
            | Self::UpdatesFailed { .. }
            | Self::StoreRebuilt { lost: false, .. }
            | Self::EventsDropped(_)
            | Self::EventsQuarantined { .. } => Severity::Failure,
        }
    }
}

/// The type of the event of which only the latest waits.
pub const REPORT: &str = "agent.report";

/// The type of the event that tells what was dropped.
pub const DROPPED: &str = "events.dropped";

/// The type of the event that tells what a destination refused.
pub const QUARANTINED: &str = "events.quarantined";
