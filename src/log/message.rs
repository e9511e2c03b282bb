//! A message that the log may hold.

use tracing::Level;

/// Its name, its level, its text and what to do about it: one row of `docs/reference/logs.md`.
#[derive(Clone, Copy, Debug)]
pub struct LogMessage {
    /// Its name, the field `event`: it never changes.
    pub id: &'static str,
    /// How much it matters.
    pub level: Level,
    /// What it says, with what differs in capitals.
    pub sentence: &'static str,
    /// Its fields.
    pub fields: &'static [&'static str],
    /// What it means.
    pub means: &'static str,
    /// What to do, or nothing.
    pub todo: &'static str,
}
