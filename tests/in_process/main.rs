//! The agent inside the test's process, against a clock that runs fast.
//!
//! The agent sets the umask of its process, so these tests share no process with others.
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

mod activation;
mod reserve;
mod simulate;
mod updates;
