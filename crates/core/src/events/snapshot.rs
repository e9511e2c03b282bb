//! The key, its dates and what is allowed, as of an event.

use crate::subscription::{
    Cause, KeyId, KeyKind, KeyTimeline, KnownEnd, Order, Permit, Phase, State, Statement, Vendor, VendorState,
};
use jiff::Timestamp;
use serde::Serialize;

/// The key, its dates and the permits at the time of an event. The newest event describes the whole SVM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    pub key: Option<KeyId>,
    pub kind: Option<KeyKind>,
    pub rev: Option<u64>,
    pub activated_at: Option<Timestamp>,
    pub state: Option<VendorState>,
    pub state_since: Option<Timestamp>,
    pub lapse_cause: Option<Cause>,
    pub known_end: Option<KnownEnd>,
    pub auto_renew: Option<bool>,
    pub ends_at: Option<Timestamp>,
    pub paid_until: Option<Timestamp>,
    pub grace_ends_at: Option<Timestamp>,
    pub vendor: Option<Vendor>,
    pub order: Option<Order>,
    pub reserve: Option<KeyId>,
    pub devices: Option<u64>,
    pub devices_limit: Option<u64>,
    pub database_updates: Permit,
    pub ksn: Permit,
}

impl Snapshot {
    /// The snapshot of a state as it was last told.
    pub fn of(state: &State) -> Self {
        let active = state.active.as_ref().map(|held| &held.statement);
        let timeline = state.timeline();
        let in_term = timeline.filter(|_| state.reported.phase == Phase::Active);
        Self {
            key: state.reported.key.clone(),
            kind: active.map(Statement::kind),
            rev: active.map(|s| s.rev),
            activated_at: state.active.as_ref().map(|held| held.role_since),
            state: active.map(|s| s.vendor_state().0),
            state_since: active.and_then(|s| s.vendor_state().1),
            lapse_cause: state.reported.lapse_cause,
            known_end: in_term.and_then(|timeline| timeline.known_end()),
            auto_renew: active.map(Statement::auto_renew),
            ends_at: timeline.and_then(|c| c.ends_at),
            paid_until: active.and_then(Statement::paid_until),
            grace_ends_at: timeline.and_then(|c: KeyTimeline| c.grace()).map(|(_, until)| until),
            vendor: active.and_then(|s| s.vendor.clone()),
            order: active.and_then(|s| s.subscription()).and_then(|s| s.order.clone()),
            reserve: state.reserve.as_ref().map(|held| held.statement.key.clone()),
            devices: state.protected_devices,
            devices_limit: active.and_then(|s| s.devices),
            database_updates: state.reported.database_updates,
            ksn: state.reported.ksn,
        }
    }
}
