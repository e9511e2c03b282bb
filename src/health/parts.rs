//! What each part publishes: only data.

use crate::outage::Outage;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use svm_core::failure_code::FailureCode;
use svm_core::subscription::{Permit, Role};

/// How the source is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceHealth {
    /// Whether there is one.
    pub configured: bool,
    /// When the vendor's word was last heard, changed or not.
    pub last_heard_at: Option<Timestamp>,
    /// When the next look is due.
    pub next_look_at: Option<Timestamp>,
    pub outage: Option<Outage>,
    /// Why the published document is refused, as long as that stands.
    pub refused: Option<String>,
}

/// A pending activation, as status and commands show it. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingActivation {
    pub role: Role,
    pub since: Timestamp,
    pub next_try_at: Timestamp,
    pub tries: u32,
    pub code: FailureCode,
    pub message: String,
}

/// How a destination is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationHealth {
    pub url: String,
    /// When it last took events.
    pub last_delivered_at: Option<Timestamp>,
    pub outage: Option<Outage>,
}

/// How the permit of a resource is enforced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnforcementHealth {
    /// The permit that is carried out, or tried to be.
    pub verdict: Option<Permit>,
    /// What enforces it; empty if nothing does.
    pub enforced_by: Vec<String>,
    pub outage: Option<Outage>,
    /// Who asked for the permit last.
    pub asked: Option<PermitQuery>,
}

/// Who asked for a permit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermitQuery {
    pub at: Timestamp,
    /// A unit, or the user and process that asked.
    pub by: String,
    /// What it was answered.
    pub allowed: bool,
}

/// How the gateway is now, and what it did since it was started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GatewayHealth {
    pub listen: String,
    /// Why it takes no connections, where it does not: one sentence.
    pub problem: Option<String>,
    /// What is carried out.
    pub in_force: Permit,
    /// Connections that are open now.
    pub open: u64,
    /// Connections that were let in.
    pub accepted: u64,
    /// Bytes that went from clients to upstreams.
    pub relayed_bytes_up: u64,
    /// Bytes that went from upstreams to clients.
    pub relayed_bytes_down: u64,
    /// Connections that were refused because of a `stopped` permit, or one that is over.
    pub refused_stopped: u64,
    /// Connections that were refused because a `limited` permit was used up for the moment.
    pub refused_rate: u64,
    /// Connections that were refused because too many were open: all of them, or those of one user or address.
    pub refused_full: u64,
    /// Connections that were closed when a permit ended.
    pub closed_by_permit: u64,
    /// Connections that were closed because nothing was sent, or not taken, for `idle_timeout`.
    pub closed_idle: u64,
    /// Connections that were closed after `max_age`.
    pub closed_age: u64,
    /// Connections that were let in and refused because no upstream could be reached.
    pub upstream_failed: u64,
    /// In the order of the settings.
    pub upstreams: Vec<UpstreamHealth>,
}

/// How an upstream is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpstreamHealth {
    /// `host:port`.
    pub address: String,
    /// Whether the last connection to it could be made, or none was tried.
    pub healthy: bool,
    /// Where not: since when.
    pub failing_since: Option<Timestamp>,
    /// Where not: how often in a row.
    pub failures: u32,
    /// Connections that are open to it.
    pub connections: u64,
}

/// How database updates are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdatesHealth {
    /// The unit that is started.
    pub unit: String,
    /// Cron lines; none if the agent starts no updates.
    pub schedule: Vec<String>,
    pub time_zone: String,
    /// When the next run is due; one that waits out its random delay is due at the end of it.
    pub next_run_at: Option<Timestamp>,
    /// Since when one goes on.
    pub running_since: Option<Timestamp>,
    /// When one last began.
    pub last_started_at: Option<Timestamp>,
    /// When one last went through.
    pub last_succeeded_at: Option<Timestamp>,
    /// The last that did not.
    pub last_failed: Option<Failed>,
    /// Of when the databases are.
    pub databases_of: Option<Timestamp>,
    /// How much their age matters.
    pub outdated: Outdated,
}

/// A run that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    pub at: Timestamp,
    /// Such as `exit_code`.
    pub code: String,
    pub message: String,
}

/// How much their age matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outdated {
    /// Not at all, or it is not known.
    #[default]
    None,
    Warning,
    /// They are too old.
    Critical,
}
