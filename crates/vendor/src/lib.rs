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

// Tests read and wait as they like; what is shipped is held to the bans of clippy.toml.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod change;
pub mod cli;
mod difference;
pub mod doctor;
pub(crate) mod entry;
mod error;
mod files;
mod issuing;
mod key_ref;
mod ledger;
mod order;
mod parallel;
pub(crate) mod profile;
mod provider;
mod publish;
mod published_index;
pub mod serve;
mod signers;
mod validation;

/// Hostile input for the parsers of this crate, as the fuzzer and the tests feed it.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
#[path = "../../../fuzz/targets/vendor/mod.rs"]
pub mod fuzzing;

pub use change::{Cancel, Change, Parameters, Renewal, Until};
pub use difference::{Difference, differences};
pub use entry::{Done, Entry};
pub use error::{
    ChangeError, ContactError, ContactProblem, Damage, InUse, IssuerError, MAX_DAYS, MAX_DEVICES, OrderError,
    ProfileError, UsageError, VendorError,
};
pub use key_ref::KeyRef;
pub use ledger::{Ledger, Listing};
pub use order::IssueOrder;
pub use profile::{Contact, Profile};
pub use provider::{Changed, Provider, ToResign};
pub use publish::{Published, ToPublish};
pub use signers::Signer;
