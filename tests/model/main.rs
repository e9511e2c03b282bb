//! Rules against models of them: scenarios, properties, the oracle, documents of other makers, and a disk that loses power.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test"
)]

#[path = "../support/mod.rs"]
mod support;

mod crash_model;
mod documents;
mod interop;
mod lifecycle;
mod lifecycle_oracle;
mod properties;
