//! The agent's settings: the keys of `config/agent.toml`, checked and turned into what the parts work with.
//!
//! Promises: everything that is wrong is reported at once, each at its file and line. `read` puts the sections together, each
//! of which has a file; `raw` has them as they are written. Must not know: what the other parts of the agent do with them.

mod actions;
mod check;
pub mod cron_line;
mod destination;
mod enforcement;
mod files;
mod form;
mod gateway;
mod identity;
mod life_cycle;
mod log;
mod metrics;
mod motd;
mod outbox;
mod places;
mod product;
mod raw;
mod read;
mod rules;
pub mod schedule;
mod source;
mod syslog;
mod unencrypted;
mod unit_name;
mod updates;
mod when_down;

pub use actions::{ACTION, Action, action_program};
pub use check::LONGEST_TIMEOUT;
pub use destination::{CloudEvents, DESTINATION, Destination, Mode, Receiver, Speaks};
pub use enforcement::Enforcement;
pub use files::installed_files;
pub use form::{DEFAULTS, json_schema};
pub use gateway::{BadUpstream, GatewaySettings, Upstream};
pub use identity::IdentitySettings;
pub use metrics::MetricsSettings;
pub use outbox::Retention;
pub use places::RUNTIME_DIR;
pub use product::MAX_LINE_FILE;
pub use read::{PREFIX, Settings};
pub use source::SourceSettings;
pub use syslog::{Framing, SyslogFormat, SyslogSettings};
pub use unit_name::{ALWAYS_PROTECTION, service_name};
pub use updates::{Missed, Updates};
pub use when_down::WhenDown;

#[cfg(test)]
mod tests;
