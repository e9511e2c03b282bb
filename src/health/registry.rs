//! The registry in which the parts of the agent publish their health, for status and reports.

use super::parts::{DestinationHealth, EnforcementHealth, PendingActivation, SourceHealth, UpdatesHealth};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock};
use svm_core::documents::Sub;
use svm_core::lock::lock;
use svm_core::subscription::Resource;

/// A document that the provider gave to an activation.
#[derive(Clone, Debug)]
pub struct Answered {
    pub sub: Sub,
    /// What tells its text from others; nothing where it did not verify.
    pub digest: Option<String>,
    pub at: Timestamp,
}

/// The health of every part; each guard is released before anything is waited for.
#[derive(Debug, Default)]
pub struct HealthRegistry {
    source: Mutex<SourceHealth>,
    destinations: Mutex<BTreeMap<String, DestinationHealth>>,
    enforcement: Mutex<BTreeMap<Resource, EnforcementHealth>>,
    updates: Mutex<UpdatesHealth>,
    activations: Mutex<Vec<PendingActivation>>,
    answered: Mutex<Option<Answered>>,
    reserve_problem: Mutex<Option<String>>,
    started: OnceLock<Timestamp>,
}

impl HealthRegistry {
    /// How the source is; never held over a wait.
    pub fn source(&self) -> MutexGuard<'_, SourceHealth> {
        lock(&self.source)
    }

    /// How the destinations are, by name; never held over a wait.
    pub fn destinations(&self) -> MutexGuard<'_, BTreeMap<String, DestinationHealth>> {
        lock(&self.destinations)
    }

    /// How the permit of each resource is enforced; never locked over a wait.
    pub fn enforcement(&self) -> MutexGuard<'_, BTreeMap<Resource, EnforcementHealth>> {
        lock(&self.enforcement)
    }

    /// Which activations wait for their document; never held over a wait.
    pub fn activations(&self) -> MutexGuard<'_, Vec<PendingActivation>> {
        lock(&self.activations)
    }

    /// The provider gave a document to an activation.
    pub fn note_answer(&self, answered: Answered) {
        *lock(&self.answered) = Some(answered);
    }

    /// What the provider gave to the activation of this document, if it was the last.
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

    /// How database updates are; never held over a wait.
    pub fn updates(&self) -> MutexGuard<'_, UpdatesHealth> {
        lock(&self.updates)
    }
}
