//! What the gateway's thread and those who ask for its health share.

use crate::config::GatewaySettings;
use crate::gateway::owners::Owners;
use crate::gateway::upstream::Targets;
use crate::health::GatewayHealth;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use svm_core::lock::lock;
use svm_core::subscription::Permit;
use tokio::sync::Notify;

/// What is left of so many tasks that ended is cleared away together; each takes about 1 kB.
const REAP_EVERY: u64 = 64;

/// Counted by the thread, read by others.
#[derive(Debug)]
pub(crate) struct Shared {
    listen: String,
    pub(crate) problem: Mutex<Option<String>>,
    pub(crate) targets: Targets,
    pub(crate) owners: Owners,
    pub(crate) open: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) relayed_up: AtomicU64,
    pub(crate) relayed_down: AtomicU64,
    pub(crate) refused_stopped: AtomicU64,
    pub(crate) refused_rate: AtomicU64,
    pub(crate) refused_full: AtomicU64,
    pub(crate) closed_by_permit: AtomicU64,
    pub(crate) closed_idle: AtomicU64,
    pub(crate) closed_age: AtomicU64,
    pub(crate) upstream_failed: AtomicU64,
    closed: AtomicU64,
    /// Rings when tasks are to be cleared away.
    pub(crate) reap: Notify,
}

impl Shared {
    pub(crate) fn new(settings: &GatewaySettings, connections: usize) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            listen: settings.listen.to_string(),
            problem: Mutex::default(),
            targets: Targets::new(&settings.upstreams),
            owners: Owners::new(settings.listen, connections),
            open: zero(),
            accepted: zero(),
            relayed_up: zero(),
            relayed_down: zero(),
            refused_stopped: zero(),
            refused_rate: zero(),
            refused_full: zero(),
            closed_by_permit: zero(),
            closed_idle: zero(),
            closed_age: zero(),
            upstream_failed: zero(),
            closed: zero(),
            reap: Notify::new(),
        }
    }

    /// Counts a connection that was closed. What is left of its task is cleared away with that of others.
    pub(crate) fn closed_one(&self) {
        self.open.fetch_sub(1, Relaxed);
        if self.closed.fetch_add(1, Relaxed) % REAP_EVERY == REAP_EVERY - 1 {
            self.reap.notify_one();
        }
    }

    pub(crate) fn health(&self, in_force: Permit) -> GatewayHealth {
        GatewayHealth {
            listen: self.listen.clone(),
            problem: lock(&self.problem).clone(),
            in_force,
            open: self.open.load(Relaxed),
            accepted: self.accepted.load(Relaxed),
            relayed_bytes_up: self.relayed_up.load(Relaxed),
            relayed_bytes_down: self.relayed_down.load(Relaxed),
            refused_stopped: self.refused_stopped.load(Relaxed),
            refused_rate: self.refused_rate.load(Relaxed),
            refused_full: self.refused_full.load(Relaxed),
            closed_by_permit: self.closed_by_permit.load(Relaxed),
            closed_idle: self.closed_idle.load(Relaxed),
            closed_age: self.closed_age.load(Relaxed),
            upstream_failed: self.upstream_failed.load(Relaxed),
            upstreams: self.targets.health(),
        }
    }
}
