//! Events on their way to receivers, and what carries them: HTTP, TLS and syslog.
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

mod http;
mod outbox;
mod receivers;
mod syslog;
mod tls;
