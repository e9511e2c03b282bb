//! The status: everything an administrator wants to know first, for the command line, the sockets and reports.
//! It holds no secret.

mod reporter;
mod source;
mod summary;

pub use reporter::{Checks, Reporter, ReporterHandle};
pub use source::{StatusSettings, StatusSource};

use super::health::{
    DestinationHealth, EnforcementHealth, GatewayHealth, PendingActivation, PermitQuery, SourceHealth,
    UpdatesHealth,
};
use super::identity::hostname;
use super::outage::Outage;
use crate::config::WhenDown;
use crate::context::Context;
use crate::permits::budget;
use crate::storage::Waiting;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use source::Observed;
use std::collections::BTreeMap;
use std::sync::Arc;
use svm_core::clock::ClockStatus;
use svm_core::subscription::{
    Cause, DeviceStatus, Held, KeyKind, KeyTimeline, KnownEnd, LimitLevel, Permit, Phase, Resource, Role,
    State, VendorState, days_left,
};

/// What holds on this SVM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub at: Timestamp,
    pub id: String,
    pub hostname: String,
    pub agent_version: String,
    pub product_version: String,
    pub device_status: DeviceStatus,
    pub reasons: Vec<String>,
    pub phase: Phase,
    pub cause: Option<Cause>,
    #[serde(default)]
    pub lapse_cause: Option<Cause>,
    pub days_left: Option<u64>,
    /// What `days_left` counts to: the known end while active, the end of the grace period in it.
    #[serde(default)]
    pub known_end: Option<KnownEnd>,
    pub keys: Vec<KeyStatus>,
    #[serde(default)]
    pub reserve_problem: Option<String>,
    pub permits: Vec<PermitStatus>,
    #[serde(default)]
    pub gateway: Option<GatewayHealth>,
    pub devices: DevicesStatus,
    pub next_change: Option<Timestamp>,
    pub source: SourceHealth,
    #[serde(default)]
    pub activations: Vec<PendingActivation>,
    #[serde(default)]
    pub updates: UpdatesHealth,
    pub destinations: BTreeMap<String, DestinationStatus>,
    pub clock: ClockStatus,
    pub store_problem: Option<String>,
}

/// A key that is held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyStatus {
    pub key: String,
    pub kind: KeyKind,
    pub role: Role,
    pub rev: u64,
    pub added_at: Timestamp,
    #[serde(default)]
    pub activated_at: Option<Timestamp>,
    #[serde(default)]
    pub state: VendorState,
    #[serde(default)]
    pub state_since: Option<Timestamp>,
    pub ends_at: Option<Timestamp>,
    pub paid_until: Option<Timestamp>,
    pub grace_days: Option<u64>,
    pub grace_ends_at: Option<Timestamp>,
    pub auto_renew: bool,
    pub fresh_until: Option<Timestamp>,
    pub vendor: Option<svm_core::subscription::Vendor>,
    #[serde(default)]
    pub order: Option<svm_core::subscription::Order>,
}

/// What a resource may do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PermitStatus {
    pub resource: Resource,
    pub verdict: Permit,
    pub rate: Option<u64>,
    pub until: Option<Timestamp>,
    #[serde(default)]
    pub since: Option<Timestamp>,
    #[serde(default)]
    pub when_agent_is_down: WhenDown,
    #[serde(default)]
    pub carried_out: bool,
    #[serde(default)]
    pub governed: bool,
    #[serde(default)]
    pub enforced_by: Vec<String>,
    #[serde(default)]
    pub outage: Option<Outage>,
    #[serde(default)]
    pub asked: Option<PermitQuery>,
    #[serde(default)]
    pub next_run_at: Option<Timestamp>,
}

/// A destination and what waits for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DestinationStatus {
    pub waiting: u64,
    pub oldest: Option<String>,
    #[serde(default)]
    pub quarantined: u64,
    #[serde(flatten)]
    pub health: DestinationHealth,
}

/// How many devices are protected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DevicesStatus {
    pub count: Option<u64>,
    pub limit: Option<u64>,
    pub level: LimitLevel,
}

impl StatusSource {
    /// The status now. A store that cannot be read leaves out the destinations; `store_problem` says why.
    pub async fn status(&self) -> Status {
        self.status_and_state().await.0
    }

    /// The status now, and the state that it shows.
    pub(super) async fn status_and_state(&self) -> (Status, Arc<State>) {
        let waiting = self.context.store.waiting().await.unwrap_or_default();
        let gateway = self.gateway.as_ref().map(|gateway| gateway.health());
        let snapshot = self.context.engine.snapshot.borrow();
        let observed = Observed { source: self, snapshot: &snapshot, waiting, gateway, hostname: hostname() };
        (Status::of(observed), snapshot.state.clone())
    }
}

impl Status {
    fn of(observed: Observed<'_>) -> Self {
        let Observed { source, snapshot, waiting, gateway, hostname } = observed;
        let StatusSource { settings, context: Context { clock, health, .. }, id, .. } = source;
        let (state, now) = (&snapshot.state, clock.now());
        let told = &state.reported;
        let timeline = state.timeline();
        let known_end = match told.phase {
            Phase::Active => timeline.and_then(|timeline| timeline.known_end()),
            Phase::Grace => timeline
                .and_then(|timeline| timeline.grace())
                .map(|(_, ends_at)| KnownEnd { ends_at, why: Cause::GraceOver }),
            Phase::NotActivated | Phase::Restricted => None,
        };
        let keys = [(&state.active, Role::Active), (&state.reserve, Role::Reserve)];
        let permit = |resource: Resource| {
            let written = snapshot.permits.iter().find(|p| p.resource == resource);
            let EnforcementHealth { verdict: carried_out, enforced_by, outage, asked } =
                health.enforcement().get(&resource).cloned().unwrap_or_default();
            // If nothing can be stored, the database may lag behind what was sent.
            let verdict = written.map_or(told.permit(resource), |p| p.verdict);
            let rate = written.and_then(|p| p.rate).filter(|_| verdict == Permit::Limited);
            let spent = state.enforcement.spent.get(&resource).copied();
            let take = |rate| budget::take(spent, rate, resource.period(), now);
            PermitStatus {
                resource,
                verdict,
                rate,
                until: written.map(|p| p.until),
                since: state.enforcement.progress.get(&resource).map(|status| status.since),
                when_agent_is_down: settings.when_agent_is_down,
                governed: settings.governs.contains(&resource),
                carried_out: carried_out == Some(verdict) && outage.is_none(),
                enforced_by,
                outage,
                asked,
                next_run_at: rate.and_then(|rate| take(rate).err()),
            }
        };
        Self {
            at: now,
            id: id.to_string(),
            hostname,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            product_version: settings.product_version.clone(),
            device_status: told.device_status,
            reasons: told.reasons.iter().map(|reason| reason.as_str().to_owned()).collect(),
            phase: told.phase,
            cause: told.cause,
            lapse_cause: told.lapse_cause,
            days_left: known_end.map(|end| days_left(now, end.ends_at)),
            known_end,
            keys: keys
                .iter()
                .filter_map(|(held, role)| Some(KeyStatus::of(held.as_ref()?, *role, state)))
                .collect(),
            reserve_problem: health.reserve_problem().clone(),
            permits: Resource::ALL.map(permit).into(),
            gateway,
            devices: DevicesStatus {
                count: state.protected_devices,
                limit: state.active.as_ref().and_then(|held| held.statement.devices),
                level: told.limit,
            },
            next_change: snapshot.next_change,
            source: health.source().clone(),
            activations: health.activations().clone(),
            updates: health.updates().clone(),
            destinations: waiting
                .into_iter()
                .map(|row| {
                    let health = health.destinations().get(&row.destination).cloned().unwrap_or_default();
                    let Waiting { destination, events: waiting, oldest, quarantined } = row;
                    (destination, DestinationStatus { waiting, oldest, quarantined, health })
                })
                .collect(),
            clock: clock.status(),
            store_problem: snapshot.store_problem.clone(),
        }
    }

    pub fn active(&self) -> Option<&KeyStatus> {
        self.keys.iter().find(|key| key.role == Role::Active)
    }
}

impl KeyStatus {
    fn of(held: &Held, role: Role, all: &State) -> Self {
        let statement = &held.statement;
        let first = all.first_active(statement);
        // A reserve that was never active has no dates yet.
        let timeline = match role {
            Role::Active => Some(KeyTimeline::of(&statement.terms, first.unwrap_or(held.role_since))),
            Role::Reserve => first.map(|first| KeyTimeline::of(&statement.terms, first)),
        };
        let subscription = statement.subscription();
        let (state, state_since) = statement.vendor_state();
        Self {
            key: statement.key.to_string(),
            kind: statement.kind(),
            role,
            rev: statement.rev,
            added_at: held.added_at,
            activated_at: (role == Role::Active).then_some(held.role_since),
            state,
            state_since,
            ends_at: timeline.and_then(|c| c.ends_at),
            paid_until: statement.paid_until(),
            grace_days: subscription.map(|s| s.grace_days),
            grace_ends_at: timeline.and_then(|c| c.grace()).map(|(_, until)| until),
            auto_renew: statement.auto_renew(),
            fresh_until: statement.fresh_until,
            vendor: statement.vendor.clone(),
            order: subscription.and_then(|s| s.order.clone()),
        }
    }
}
