//! Units that wait to be started, as a keeper remembers them beside what the engine stores.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};
use svm_core::lock::lock;

/// What a keeper remembers of the units that wait to be started, beside what the engine stores.
#[derive(Debug, Default)]
pub struct PendingStarts(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Stopped, and perhaps not stored yet.
    pending: BTreeSet<String>,
    /// Started, and that is not stored yet.
    started: BTreeSet<String>,
}

impl PendingStarts {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.0)
    }

    /// These run and are stopped; returns those that are not stored yet.
    pub(super) fn stopped(&self, units: &[String], stored: &BTreeSet<String>) -> Vec<String> {
        let mut inner = self.inner();
        // A start that could not be stored counts as pending again: better twice than never.
        inner.started.clear();
        inner.pending.extend(units.iter().cloned());
        inner.pending.difference(stored).cloned().collect()
    }

    pub(super) fn is_pending(&self, unit: &String, stored: &BTreeSet<String>) -> bool {
        let inner = self.inner();
        !inner.started.contains(unit) && (inner.pending.contains(unit) || stored.contains(unit))
    }

    pub(super) fn started(&self, unit: &str) {
        let mut inner = self.inner();
        inner.pending.remove(unit);
        inner.started.insert(unit.to_owned());
    }

    pub(super) fn to_settle(&self) -> Vec<String> {
        self.inner().started.iter().cloned().collect()
    }

    pub(super) fn settled(&self, units: &[String]) {
        self.inner().started.retain(|unit| !units.contains(unit));
    }
}
