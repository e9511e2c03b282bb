//! Units that are owed a start, as a keeper remembers them beside what the engine stores.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};
use svm_core::lock::lock;

/// What a keeper has in mind of the units that are owed a start, beside what the engine keeps.
#[derive(Debug, Default)]
pub struct Dues(Mutex<Mind>);

#[derive(Debug, Default)]
struct Mind {
    /// Stopped, and perhaps not kept yet.
    owed: BTreeSet<String>,
    /// Started, and that is not kept yet.
    started: BTreeSet<String>,
}

impl Dues {
    fn mind(&self) -> MutexGuard<'_, Mind> {
        lock(&self.0)
    }

    /// These run and are stopped; answers what is not kept yet.
    pub(super) fn stopped(&self, units: &[String], kept: &BTreeSet<String>) -> Vec<String> {
        let mut mind = self.mind();
        // What could not be paid counts as owed again: better twice than never.
        mind.started.clear();
        mind.owed.extend(units.iter().cloned());
        mind.owed.difference(kept).cloned().collect()
    }

    pub(super) fn is_owed(&self, unit: &String, kept: &BTreeSet<String>) -> bool {
        let mind = self.mind();
        !mind.started.contains(unit) && (mind.owed.contains(unit) || kept.contains(unit))
    }

    pub(super) fn started(&self, unit: &str) {
        let mut mind = self.mind();
        mind.owed.remove(unit);
        mind.started.insert(unit.to_owned());
    }

    pub(super) fn to_pay(&self) -> Vec<String> {
        self.mind().started.iter().cloned().collect()
    }

    pub(super) fn paid(&self, units: &[String]) {
        self.mind().started.retain(|unit| !units.contains(unit));
    }
}
