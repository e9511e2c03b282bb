//! What the other parts see of the engine: its snapshot, and that there may be more to send.

use super::handle::{EngineSnapshot, Handle, Request};
use crate::permits::permit_file::PermitFile;
use std::sync::Arc;
use svm_core::subscription::State;
use tokio::sync::{mpsc, watch};

pub(super) struct Publisher {
    pub(super) snapshot: watch::Sender<EngineSnapshot>,
    /// Changes with each commit of events.
    pub(super) outbox: watch::Sender<u64>,
}

impl Publisher {
    pub(super) fn new(state: &State, instance: &str) -> Self {
        let first = EngineSnapshot {
            state: Arc::new(state.clone()),
            active: None,
            reserve: None,
            permits: Vec::new(),
            next_change: None,
            store_problem: None,
            dropped: 0,
            instance: instance.to_owned(),
        };
        Self { snapshot: watch::channel(first).0, outbox: watch::channel(0).0 }
    }

    pub(super) fn handle(
        &self,
        orders: mpsc::Sender<Request>,
        permits: watch::Receiver<Vec<PermitFile>>,
    ) -> Handle {
        Handle {
            orders,
            snapshot: self.snapshot.subscribe(),
            outbox: self.outbox.subscribe(),
            permits,
            outbox_changed: self.outbox.clone(),
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.snapshot.borrow().dropped
    }

    pub(super) fn count_dropped(&self, events: u64) {
        self.snapshot.send_modify(|snapshot| snapshot.dropped = snapshot.dropped.saturating_add(events));
    }
}
