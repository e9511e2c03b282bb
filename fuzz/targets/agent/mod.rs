//! Fuzz targets of the agent, and of what all programs share: every parser that is handed something from outside, and what follows at once from
//! what it reads.
//!
//! Promises: each takes any bytes; what it holds against the code is said by its assertions, and that nothing panics,
//! overflows, hangs or grows by the fuzzer and its limits. It is a part of the library, so that a parser need not be
//! public to be fuzzed. The tests run the same over the stored corpus (`corpus.rs`), with no fuzzer at hand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "it is a test"
)]

mod answers;
#[path = "../common/bytes.rs"]
mod bytes;
mod control;
mod documents;
#[path = "../common/files.rs"]
mod files;
mod life;
mod notes;
#[path = "../common/reading.rs"]
mod reading;
mod scenario;
mod schedule;
mod settings;
#[path = "../common/signer.rs"]
mod signer;
mod store;
mod syslog;
mod systemd;
#[path = "../common/target.rs"]
mod target;
mod time;

#[cfg(test)]
#[path = "../common/corpus.rs"]
mod corpus;

pub use target::Target;
use target::target;

/// The folder of their corpus, below `fuzz/corpus`.
pub const CORPUS: &str = "agent";

/// All of them.
pub const TARGETS: &[Target] = &[
    target("document", 70_000, documents::document),
    target("claims", 8192, documents::claims),
    target("json", 8192, documents::json),
    target("keys", 4096, documents::keys),
    target("typed", 512, documents::typed),
    target("scenario", 65_536, scenario::scenario),
    target("life", 4096, life::life),
    target("time", 4096, time::time),
    target("schedule", 1024, schedule::schedule),
    target("settings", 16_384, settings::agent),
    target("control", 8192, control::control),
    target("notes", 8192, notes::notes),
    target("store", 8192, store::store),
    target("answers", 8192, answers::answers),
    target("syslog", 16_384, syslog::syslog),
    target("systemd", 8192, systemd::systemd),
];
