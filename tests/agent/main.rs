//! The agent from outside: the real program, its commands, its sockets and its log.
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

mod actions;
mod blackbox;
mod check;
mod doctor;
mod faults;
mod faults_store;
mod guide;
mod identity;
mod library_words;
mod logs;
mod metrics;
mod notices;
mod permits;
mod phases;
mod refusals;
mod reload;
mod renewal;
mod revisions;
mod schema;
mod secrets;
mod status;
mod support_bundle;
mod take_over;
mod terminal;
mod time;
