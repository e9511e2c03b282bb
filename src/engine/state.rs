//! What the engine owns.

use super::backlog::Backlog;
use super::handle::{Outcome, Request};
use super::permits::PermitWriter;
use super::publisher::Publisher;
use super::reverts;
use super::settings::EngineSettings;
use crate::storage::{Store, StoredDocument};
use jiff::Timestamp;
use std::sync::Arc;
use svm_core::clock::Clock;
use svm_core::events::{Drops, Origin};
use svm_core::subscription::State;
use tokio::sync::mpsc;

/// Owns the state of the subscription.
pub struct Engine {
    pub(super) settings: Arc<EngineSettings>,
    pub(super) clock: Clock,
    pub(super) store: Store,
    pub(super) origin: Origin,
    pub(super) state: State,
    pub(super) documents: Vec<StoredDocument>,
    /// The time of the last turn.
    pub(super) seen: Timestamp,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) backlog: Backlog,
    pub(super) permits: PermitWriter,
    pub(super) publisher: Publisher,
    /// Whose numbers were taken above others.
    pub(super) reverts: reverts::Reverts,
    /// What the store dropped and was not reported yet.
    pub(super) drops: Drops,
}

impl Engine {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The outcome of a command that changes nothing.
    pub(super) fn nothing(&self) -> Outcome {
        Outcome { at: self.now(), events: Vec::new(), taken: false, run: None }
    }
}

/// 62 random bits that differ for each start of the agent, here and elsewhere.
pub(super) fn instance() -> String {
    let id = uuid::Uuid::now_v7().simple().to_string();
    id.get(16..).unwrap_or_default().to_owned()
}
