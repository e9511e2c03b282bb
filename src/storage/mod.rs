//! The store: one SQLite file with the state, the events and what waits for each destination.
//!
//! Promises: a state and the events it caused are kept in one synced transaction, or not at all; an answer
//! comes after the commit; what is damaged is set aside and rebuilt from the file beside it, never taken for
//! empty. One thread owns the file; calls that wait are committed together. Must not know: the rules of the
//! life cycle, networks. `docs/development/storage.md` draws the tables.

mod bounds;
mod connection;
mod error;
mod handle;
mod history;
mod inspect;
mod migrations;
mod notes;
mod open;
mod outbox;
pub(crate) mod recovery;
mod set_aside;
mod sql;
mod types;
mod worker;

pub use error::{Damage, StoreError};
pub use handle::Store;
pub use history::{EventRow, EventShown, Listing, Place, Waiting};
pub use inspect::{InspectError, Inspection, inspect, newest_events, stored_documents};
pub use notes::{NoteName, read_note};
pub use open::{Opened, Rebuilt};
pub use outbox::{Outgoing, Reading};
pub use types::{Above, Commit, Plan, Quarantined, Route, StoredDocument};

#[cfg(test)]
mod tests;
