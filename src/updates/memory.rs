//! What the update task remembers over a restart.

use crate::health::{Failed, Outdated};
use crate::updates::driver::{Due, Progress};
use crate::updates::run::Underway;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// How far the schedule was followed.
    pub followed: Option<Progress>,
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
    /// The reported age of the databases.
    pub outdated: Outdated,
}

impl Memory {
    /// The text of the note.
    pub fn to_note(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
