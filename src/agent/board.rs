//! The board: where the parts of the agent write how they are, for status and reports.

use super::enforcement::updates::UpdatesHealth;
use super::outage::Outage;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// The board itself.
#[derive(Debug, Default)]
pub struct Board {
    source: Mutex<SourceHealth>,
    destinations: Mutex<BTreeMap<String, DestinationHealth>>,
    updates: Mutex<UpdatesHealth>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// How database updates are; never held over a wait.
    pub fn updates(&self) -> MutexGuard<'_, UpdatesHealth> {
        lock(&self.updates)
    }
}
