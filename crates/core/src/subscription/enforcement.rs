//! What is remembered of how permits are carried out.
//!
//! It is no rule of the life cycle, and is still part of its state: the step reports `enforcement.changed` only once a permit
//! is carried out, and what was spent of a trickle, or waits to be started, is stored in the same transaction as the permit
//! that it belongs to. After a crash neither is ahead of the other.

use crate::subscription::permit::{Permit, Resource};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Units that are remembered at most; more than a few is a caller who asks under ever new names.
const MAX_PENDING_STARTS: usize = 64;

/// How the present permit of a resource came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermitProgress {
    /// Since when it holds.
    pub since: Timestamp,
    /// The permit that was last reported as carried out, as long as the present one is not.
    #[serde(rename = "told")]
    pub reported: Option<Permit>,
}

/// The memory of enforcement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Enforcement {
    /// How the permits came to be; a resource whose permit never changed is not here.
    #[serde(rename = "standing")]
    pub progress: BTreeMap<Resource, PermitProgress>,
    /// How far the trickle of each resource is spent: an instant that the rule of budgets understands.
    pub spent: BTreeMap<Resource, Timestamp>,
    /// Units that were refused or stopped for want of a permit; each is started once when it returns.
    #[serde(rename = "owed")]
    pub pending_starts: BTreeSet<String>,
}

impl Enforcement {
    /// Brings instants of a clock that was put right back to `now`, and what is spent to what can be spent ahead.
    pub(super) fn take_back(&mut self, now: Timestamp) {
        for progress in self.progress.values_mut() {
            progress.since = now.min(progress.since);
        }
        for (resource, until) in &mut self.spent {
            let most = now.checked_add(resource.period()).unwrap_or(Timestamp::MAX);
            *until = most.min(*until);
        }
    }

    /// Remembers a unit that is to be started when its permit returns.
    pub(super) fn add_pending_start(&mut self, unit: String) {
        if self.pending_starts.len() < MAX_PENDING_STARTS {
            self.pending_starts.insert(unit);
        }
    }
}
