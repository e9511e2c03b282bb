//! Fuzz targets: every parser that is handed something from outside, and what follows at once from what it reads.
//!
//! Promises: each takes any bytes; what it holds against the code is said by its assertions, and that nothing panics,
//! overflows, hangs or grows by the fuzzer and its limits. It is a part of the library, so that a parser need not be
//! public to be fuzzed. The tests run the same over the kept corpus (`corpus.rs`), with no fuzzer at hand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "it is a test"
)]

mod answers;
mod bytes;
mod collector;
mod control;
mod documents;
mod life;
mod notes;
mod page;
mod scenario;
mod schedule;
mod settings;
mod store;
mod syslog;
mod systemd;
mod time;
mod vendor;

#[cfg(test)]
mod corpus;

/// What is fuzzed.
pub struct Target {
    /// As the folder of its corpus.
    pub name: &'static str,
    /// Longer inputs are not tried: what the product itself bounds, or enough to show how work grows.
    pub most: usize,
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, most: usize, run: fn(&[u8])) -> Target {
    Target { name, most, run }
}

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
    target("collector_settings", 8192, settings::collector),
    target("control", 8192, control::control),
    target("notes", 8192, notes::notes),
    target("store", 8192, store::store),
    target("answers", 8192, answers::answers),
    target("syslog", 16_384, syslog::syslog),
    target("systemd", 8192, systemd::systemd),
    target("ingest", 65_536, collector::ingest),
    target("unpack", 16_384, collector::unpack),
    target("gaps", 2048, collector::gaps),
    target("page", 16_384, page::page),
    target("ledger", 16_384, vendor::ledger),
];
