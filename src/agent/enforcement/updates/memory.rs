//! What the update task remembers over a restart, and what it shows.

use super::age::Outdated;
use super::driver::{Due, Followed};
use super::run::Underway;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Name of the note.
pub(super) const NOTE: &str = "updates";

/// A run that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// When.
    pub at: Timestamp,
    /// Such as `exit_code`.
    pub code: String,
    /// One sentence.
    pub message: String,
}

/// The note.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// How far the schedule was followed.
    pub followed: Option<Followed>,
    /// A run that waits out its random delay.
    pub waiting: Option<Due>,
    /// A run that goes on.
    pub underway: Option<Underway>,
    /// When a run last began.
    pub last_started_at: Option<Timestamp>,
    /// When one last went through.
    pub last_succeeded_at: Option<Timestamp>,
    /// The last that did not.
    pub last_failed: Option<Failed>,
    /// What was told of the databases' age.
    pub outdated: Outdated,
}

impl Memory {
    /// The text of the note.
    pub fn to_note(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// How database updates are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdatesHealth {
    /// The unit that is started.
    pub unit: String,
    /// Cron lines; none where the agent starts no updates by itself.
    pub schedule: Vec<String>,
    /// Of the schedule.
    pub time_zone: String,
    /// When the next run is due; one that waits out its random delay is due at the end of it.
    pub next_run_at: Option<Timestamp>,
    /// Since when one goes on.
    pub running_since: Option<Timestamp>,
    /// When one last began.
    pub last_started_at: Option<Timestamp>,
    /// When one last went through.
    pub last_succeeded_at: Option<Timestamp>,
    /// The last that did not.
    pub last_failed: Option<Failed>,
    /// Of when the databases are.
    pub databases_of: Option<Timestamp>,
    /// How much their age matters.
    pub outdated: Outdated,
}
