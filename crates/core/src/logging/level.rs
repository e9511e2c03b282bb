//! How severe a line of the log is.

use serde::Deserialize;
use tracing::Level;

/// The least severe lines that are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// What did not work.
    Error,
    /// And what to check.
    Warn,
    /// And what happened.
    #[default]
    Info,
    /// And why.
    Debug,
}

impl LogLevel {
    pub(super) fn of(level: Level) -> Option<Self> {
        Some(match level {
            Level::ERROR => Self::Error,
            Level::WARN => Self::Warn,
            Level::INFO => Self::Info,
            Level::DEBUG => Self::Debug,
            Level::TRACE => return None,
        })
    }
}
