//! The subscription agent for security virtual machines, its collector and its vendor's tools.
//!
//! Four floors; each imports only downwards, and the actors of floor 3 never import each other
//! (`tests/architecture.rs` holds that):
//!
//! 4. `src/bin/`: the four programs: parse, call, exit code;
//! 3. [`agent`], [`collector`], [`vendor`]: the actors;
//! 2. [`documents`], [`events`] and what all actors need;
//! 1. [`subscription`]: the rules, pure.

// Tests read and wait as they like; what is shipped is held to the bans of clippy.toml.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod agent;
pub mod ask;
pub mod backoff;
pub mod bounds;
pub mod clock;
pub mod collector;
pub mod command_line;
pub mod documents;
pub mod environment;
pub mod error_chain;
pub mod events;
pub mod files;
/// Hostile input for every parser, as the fuzzer and the tests feed it.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
#[path = "../fuzz/targets/mod.rs"]
pub mod fuzzing;
pub mod hex;
pub mod http;
pub mod lock;
pub mod logging;
pub mod memory;
pub mod percent;
pub mod places;
pub mod root_only;
pub mod secrets;
pub mod sequence;
pub mod settings;
pub mod subscription;
pub mod text;
pub mod tls;
pub mod vendor;
