//! The programs as they are given out: packages, systemd, the demonstration, the documentation, hostile inputs.
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

mod demo;
mod docs;
mod inputs;
mod programs;
mod systemd;
