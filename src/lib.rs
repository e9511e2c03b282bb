//! The agent: the daemon on each SVM, and its command line.

// Tests read and wait as they like; what is shipped is held to the bans of clippy.toml.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod activation;
pub mod bundle;
pub mod certificates;
pub mod cli;
pub mod config;
pub mod context;
pub mod control;
pub mod daemon;
pub mod delivery;
pub mod devices;
pub mod doctor;
pub mod enforcement;
pub mod engine;
pub mod fetch;
pub mod forecast;
pub mod gates;
pub mod gateway;
pub mod health;
pub mod identity;
pub mod log;
pub mod notices;
pub mod outage;
pub mod permits;
pub mod remedy;
pub mod renewal;
pub mod reserve;
pub mod source;
pub mod spread;
pub mod status;
pub mod storage;

/// Hostile input for the parsers of this crate, as the fuzzer and the tests feed it.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
#[path = "../fuzz/targets/agent/mod.rs"]
pub mod fuzzing;
pub mod systemd;
pub mod update_request;
pub mod updates;
