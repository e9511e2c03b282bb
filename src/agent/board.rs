//! The board: where the parts of the agent write how they are, for status and reports.

use super::enforcement::gateway::Gateway;
use super::health::{
    DestinationHealth, EnforcementHealth, GatewayHealth, PendingActivation, SourceHealth, UpdatesHealth,
};
use crate::documents::Sub;
use crate::lock::lock;
use crate::subscription::Resource;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

/// A document that the vendor gave to whoever activated it.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Its published file.
    pub sub: Sub,
    /// What tells its text from others; nothing where it did not verify.
    pub digest: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// The board itself.
#[derive(Debug, Default)]
pub struct Board {
    source: Mutex<SourceHealth>,
    destinations: Mutex<BTreeMap<String, DestinationHealth>>,
    enforcement: Mutex<BTreeMap<Resource, EnforcementHealth>>,
    gateway: OnceLock<Arc<Gateway>>,
    updates: Mutex<UpdatesHealth>,
    activations: Mutex<Vec<PendingActivation>>,
    answered: Mutex<Option<Answered>>,
    reserve_problem: Mutex<Option<String>>,
    started: OnceLock<Timestamp>,
    dropped: AtomicU64,
}

impl Board {
    /// How the source is; never held over a wait.
    pub fn source(&self) -> MutexGuard<'_, SourceHealth> {
        lock(&self.source)
    }

    /// How the destinations are, by name; never held over a wait.
    pub fn destinations(&self) -> MutexGuard<'_, BTreeMap<String, DestinationHealth>> {
        lock(&self.destinations)
    }

    /// How each resource is held to its permit; never held over a wait.
    pub fn enforcement(&self) -> MutexGuard<'_, BTreeMap<Resource, EnforcementHealth>> {
        lock(&self.enforcement)
    }

    /// The gateway counts for itself.
    pub fn show_gateway(&self, gateway: Arc<Gateway>) {
        // There is one, set once.
        self.gateway.set(gateway).ok();
    }

    /// How the gateway is, where there is one.
    pub fn gateway(&self) -> Option<GatewayHealth> {
        self.gateway.get().map(|gateway| gateway.health())
    }

    /// Which activations wait for their document; never held over a wait.
    pub fn activations(&self) -> MutexGuard<'_, Vec<PendingActivation>> {
        lock(&self.activations)
    }

    /// The vendor gave a document to whoever activated it.
    pub fn note_answer(&self, answered: Answered) {
        *lock(&self.answered) = Some(answered);
    }

    /// What the vendor gave to whoever activated this document, if it was the last.
    pub fn answered(&self, sub: &Sub) -> Option<Answered> {
        lock(&self.answered).clone().filter(|last| last.sub == *sub)
    }

    /// Why the reserve key would be of no use; never held over a wait.
    pub fn reserve_problem(&self) -> MutexGuard<'_, Option<String>> {
        lock(&self.reserve_problem)
    }

    /// When the agent began; the first word counts.
    pub fn show_start(&self, at: Timestamp) {
        self.started.set(at).ok();
    }

    /// When the agent began.
    pub fn started(&self) -> Option<Timestamp> {
        self.started.get().copied()
    }

    /// So many more events were dropped, and that was told.
    pub fn count_dropped(&self, events: u64) {
        self.dropped.fetch_add(events, Ordering::Relaxed);
    }

    /// How many events were dropped since the agent began.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// How database updates are; never held over a wait.
    pub fn updates(&self) -> MutexGuard<'_, UpdatesHealth> {
        lock(&self.updates)
    }
}
