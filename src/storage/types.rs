//! What is written to the store, and how it is set up.

use crate::config::Retention;
use crate::storage::notes::NoteName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use svm_core::events::{Filter, Record};
use svm_core::failure_code::FailureCode;
use svm_core::subscription::State;

/// A verified document of a key that is held, as it was received. Its `Debug` shows neither `sub` nor text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDocument {
    pub key: String,
    /// Who stated it; revisions come from the same.
    pub issuer: String,
    /// The name of its published file: a secret.
    pub sub: String,
    pub jws: String,
}

impl std::fmt::Debug for StoredDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Paper").field("key", &self.key).field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Where events go: a destination's name and what it takes.
#[derive(Clone, Debug)]
pub struct Route {
    /// The name in the settings.
    pub name: String,
    pub filter: Filter,
}

/// How the store is to be kept.
#[derive(Clone, Debug)]
pub struct Plan {
    pub routes: Vec<Route>,
    /// How much is kept.
    pub bounds: Retention,
}

/// An event that a destination refused for what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    pub destination: String,
    /// The event's number there.
    pub sequence: u64,
    pub id: String,
    /// Such as `http_400`.
    pub code: FailureCode,
    /// What the receiver said, bounded.
    pub answer: String,
    pub at: Timestamp,
}

/// What is written in one transaction.
#[derive(Clone, Default)]
pub struct Commit {
    /// The state, where it changed.
    pub state: Option<State>,
    /// All documents of held keys, where they changed.
    pub documents: Option<Vec<StoredDocument>>,
    pub records: Vec<Record>,
    /// Named notes, such as the poller's.
    pub notes: Vec<(NoteName, String)>,
    /// A destination whose numbers go on above those that others have used.
    pub above: Option<Above>,
    /// What was refused and leaves the outbox.
    pub quarantined: Vec<Quarantined>,
    /// What waits since before this is dropped.
    pub expire_before: Option<Timestamp>,
    /// Whether it may use the room that is kept for Critical events, also where it has none itself.
    pub urgent: bool,
}

impl Commit {
    /// Whether it changes what the recovery file holds.
    pub(crate) fn changes(&self) -> bool {
        self.state.is_some() || self.documents.is_some()
    }
}

/// Where a destination's numbers go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Above {
    pub destination: String,
    /// What waits for it is numbered above this, and above all numbers that it was given.
    pub number: u64,
}

/// Whether a call's commit is synced before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It is on the disk.
    Now,
    /// A power cut may take it back; the next synced commit takes it along. Nothing is ever half of it.
    Later,
}
