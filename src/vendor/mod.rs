//! The provider's side: issues, renews, pauses and cancels subscriptions, and publishes them as static files.
//!
//! Promises: a change is signed when it is made, checked by the reader's own rules, and kept in the ledger in
//! one atomic step; publishing is pure copying, so it needs no key and can run anywhere. The ledger is a folder
//! of plain files that goes well into git: it holds hashes of codes, never a code or a private key.
//! Must not know: the agent, the collector, networks. Time is handed in.
//!
//! ```text
//! LEDGER/provider.toml      who issues: iss, vendor
//! LEDGER/trust.d/KID.pem    the public keys that signed; what customers put into their own trust.d
//! LEDGER/keys/SUB.json      one key: its signed document, its claims in the clear, its history
//! ```

mod change;
pub mod cli;
pub(crate) mod entry;
mod error;
mod files;
mod ledger;
mod order;
pub(crate) mod profile;
mod provider;
mod publish;
pub mod serve;

pub use change::{Cancel, Change, Parameters, Renewal, Until};
pub use entry::{Done, Entry};
pub use error::VendorError;
pub use ledger::{KeyRef, Ledger, Listing};
pub use order::{IssueOrder, MAX_GRACE_DAYS};
pub use profile::{Contact, Profile};
pub use provider::Provider;
pub use publish::Published;
