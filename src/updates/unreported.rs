//! What the update task has to report and to store; what cannot be stored now is tried again.

use crate::engine::{AgentReport, Command, Handle};
use crate::health::Outdated;
use crate::log::log_event;
use crate::storage::NoteName;
use crate::updates::memory::Memory;
use std::time::Duration;
use svm_core::events::Operational;
use svm_core::subscription::{DeviceStatus, Reason};
use tokio::time::Instant;

/// What could not be stored is tried again after this time.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// Events that wait to be reported at most; the oldest are dropped first.
const MAX_EVENTS: usize = 32;

/// Events, a condition of the device status and a note that are not stored yet.
pub(crate) struct Unreported {
    events: Vec<Operational>,
    condition: bool,
    /// The note as it is stored.
    stored: String,
    retry_at: Option<Instant>,
}

impl Unreported {
    /// The condition is reported at the start in any case.
    pub(crate) fn new(stored: String) -> Self {
        Self { events: Vec::new(), condition: true, stored, retry_at: None }
    }

    pub(crate) fn push(&mut self, event: Operational) {
        self.events.push(event);
    }

    pub(crate) fn condition_changed(&mut self) {
        self.condition = true;
    }

    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Stores and reports everything in one commit.
    pub(crate) async fn report(&mut self, engine: &Handle, memory: &Memory) {
        let note = memory.to_note();
        let nothing = self.events.is_empty() && !self.condition && note == self.stored;
        if nothing || self.retry_at.is_some_and(|at| Instant::now() < at) {
            return;
        }
        let status = match memory.outdated {
            Outdated::None => None,
            Outdated::Warning => Some(DeviceStatus::Warning),
            Outdated::Critical => Some(DeviceStatus::Critical),
        };
        let excess = self.events.len().saturating_sub(MAX_EVENTS);
        self.events.drain(..excess);
        let report = AgentReport {
            events: self.events.clone(),
            condition: self.condition.then_some((Reason::DatabasesOutdated, status)),
            notes: (note != self.stored).then(|| (NoteName::Updates, note.clone())).into_iter().collect(),
        };
        match engine.command(Command::AgentReport(Box::new(report))).await {
            Ok(_) => *self = Self { condition: false, ..Self::new(note) },
            // The engine logs why nothing can be stored.
            Err(error) => {
                log_event!(UPDATE_NOT_KEPT, %error);
                self.retry_at = Some(Instant::now() + RETRY_AFTER);
            }
        }
    }
}
