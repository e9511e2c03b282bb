//! Thousands of connections: the gateway and the sockets under floods.
//!
//! These tests take thousands of file descriptors, change the limit of their process or measure its memory, so they share no
//! process with others. The largest hold [`ALONE`].
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

mod gateway;
mod sockets;

use std::sync::Mutex;

/// Held by tests that take most of the descriptors, use much memory, or measure it.
static ALONE: Mutex<()> = Mutex::new(());
