//! Fuzz targets of the vendor's tool: every parser that is handed something from outside, and what follows at once from
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
mod ledger;
#[path = "../common/signer.rs"]
mod signer;
#[path = "../common/target.rs"]
mod target;

#[cfg(test)]
#[path = "../common/corpus.rs"]
mod corpus;

pub use target::Target;
use target::target;

/// The folder of their corpus, below `fuzz/corpus`.
pub const CORPUS: &str = "vendor";

/// All of them.
pub const TARGETS: &[Target] = &[target("ledger", 16_384, ledger::ledger)];
