//! The board: where the parts of the agent write how they are, for status and reports.

use super::activation::PendingActivation;
use super::enforcement::gateway::{Gateway, GatewayHealth};
use super::enforcement::updates::UpdatesHealth;
use super::outage::Outage;
use crate::documents::Sub;
use crate::lock::lock;
use crate::subscription::{Permit, Resource};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

/// How the source is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceHealth {
    /// Whether there is one.
    pub configured: bool,
    /// When the vendor's word was last heard, changed or not.
    pub last_heard_at: Option<Timestamp>,
    /// When the next look is due.
    pub next_look_at: Option<Timestamp>,
    /// What fails.
    pub outage: Option<Outage>,
    /// Why the published document is refused, as long as that stands.
    pub refused: Option<String>,
}

/// How a destination is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationHealth {
    /// Where it is.
    pub url: String,
    /// When it last took events.
    pub last_delivered_at: Option<Timestamp>,
    /// What fails.
    pub outage: Option<Outage>,
}

/// How a resource is held to its permit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnforcementHealth {
    /// The permit that is carried out, or tried to be.
    pub verdict: Option<Permit>,
    /// What holds the resource to it; nothing where nobody does.
    pub enforced_by: Vec<String>,
    /// What fails.
    pub outage: Option<Outage>,
    /// Who asked for the permit last.
    pub asked: Option<Asked>,
}

/// Who asked for a permit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// When.
    pub at: Timestamp,
    /// A unit, or the user and process that asked.
    pub by: String,
    /// What it was answered.
    pub allowed: bool,
}

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
