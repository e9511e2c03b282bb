//! What all programs of this project share: the rules of a subscription (pure), signed documents, events, the clock,
//! settings, HTTP, TLS, files and logging.
//!
//! It knows none of the programs. Which module may import which: `tests/architecture/`.

// Tests read and wait as they like; what is shipped is held to the bans of clippy.toml.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod ask;
pub mod atomic_file;
pub mod backoff;
pub mod bounds;
pub mod clock;
pub mod command_line;
pub mod documents;
pub mod environment;
pub mod error_chain;
pub mod events;
pub mod failure_code;
pub mod files;
pub mod hex;
pub mod http;
pub mod library_words;
pub mod lock;
pub mod logging;
pub mod memory;
#[cfg(feature = "sqlite")]
pub mod migrations;
pub mod nearest;
pub mod percent;
pub mod places;
pub mod prometheus;
pub mod root_only;
pub mod secrets;
pub mod sequence;
pub mod settings;
pub mod subscription;
pub mod terminal;
pub mod text;
pub mod tls;
pub mod words;
