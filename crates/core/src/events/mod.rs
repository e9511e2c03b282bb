//! Events as they are kept and told: one JSON text each, nearly ready to send.
//!
//! Promises: what is rendered here is a CloudEvent 1.0 whose `data` carries Kaspersky Security Center's names
//! beside ours, the status of the SVM as of the event, and a snapshot of its key. Must not know: files,
//! networks, destinations. The form is described in `docs/reference/delivery.md`.

mod filter;
mod operational;
mod record;
mod snapshot;
mod words;

pub use filter::{Filter, NoPattern, TypePattern};
pub use operational::{DROPPED, DropCount, Drops, Operational, QUARANTINED, REPORT, Refused};
pub use record::{Origin, Record, Renderer, push_with_sequence, shown, with_sequence, worded};
pub use snapshot::Snapshot;
pub use words::sentence;
