//! Fuzz targets of the collector: every parser that is handed something from outside, and what follows at once from
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

#[path = "../common/bytes.rs"]
mod bytes;
#[path = "../common/files.rs"]
mod files;
mod notes;
mod page;
mod parsers;
#[path = "../common/reading.rs"]
mod reading;
mod settings;
#[path = "../common/target.rs"]
mod target;

#[cfg(test)]
#[path = "../common/corpus.rs"]
mod corpus;

pub use target::Target;
use target::target;

/// The folder of their corpus, below `fuzz/corpus`.
pub const CORPUS: &str = "collector";

/// All of them.
pub const TARGETS: &[Target] = &[
    target("settings", 8192, settings::collector),
    target("ingest", 65_536, parsers::ingest),
    target("unpack", 16_384, parsers::unpack),
    target("gaps", 2048, parsers::gaps),
    target("page", 16_384, page::page),
    target("notes", 8192, notes::notes),
];
