//! What the other parts see of the engine: its snapshot, and that there may be more to send.

use super::Engine;
use super::handle::{Handle, Picture, Published, Request};
use crate::enforcement::permit_file::PermitFile;
use std::sync::Arc;
use svm_core::documents::text_digest;
use svm_core::subscription::{State, next_due};
use tokio::sync::{mpsc, watch};

/// The sending ends.
pub(super) struct Publisher {
    picture: watch::Sender<Picture>,
    /// Changes with each commit of events.
    pub(super) outbox: watch::Sender<u64>,
}

impl Publisher {
    pub(super) fn new(state: &State) -> Self {
        let first = Picture {
            state: Arc::new(state.clone()),
            active: None,
            reserve: None,
            permits: Vec::new(),
            next_change: None,
            store_problem: None,
            dropped: 0,
        };
        Self { picture: watch::channel(first).0, outbox: watch::channel(0).0 }
    }

    pub(super) fn handle(
        &self,
        orders: mpsc::Sender<Request>,
        permits: watch::Receiver<Vec<PermitFile>>,
    ) -> Handle {
        Handle {
            orders,
            picture: self.picture.subscribe(),
            outbox: self.outbox.subscribe(),
            permits,
            outbox_changed: self.outbox.clone(),
        }
    }

    fn dropped(&self) -> u64 {
        self.picture.borrow().dropped
    }

    pub(super) fn count_dropped(&self, events: u64) {
        self.picture.send_modify(|picture| picture.dropped = picture.dropped.saturating_add(events));
    }
}

impl Engine {
    /// Shows the state as it is stored, the permits as they are written, and what is wrong with the store.
    pub(super) fn publish(&self) {
        let paper = |key: &str| self.papers.iter().find(|paper| paper.key == key);
        let active = self.state.active.as_ref().and_then(|held| {
            let paper = paper(held.statement.key.as_str())?;
            let (sub, issuer) = (paper.sub.parse().ok()?, paper.issuer.clone());
            Some(Published { sub, issuer, digest: text_digest(&paper.jws) })
        });
        let reserve = self.state.reserve.as_ref().and_then(|held| paper(held.statement.key.as_str()));
        let next = Picture {
            state: Arc::new(self.state.clone()),
            active,
            reserve: reserve.cloned().map(Arc::new),
            permits: self.permits.written().to_vec(),
            next_change: next_due(&self.state, &self.settings.rules, self.seen),
            store_problem: self.backlog.problem().cloned(),
            dropped: self.publisher.dropped(),
        };
        self.publisher.picture.send_replace(next);
    }
}
