//! What a transaction did with a request.

use crate::fleet::ConflictReason;
use serde::Serialize;

/// An event that was not stored because of its sequence number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conflict {
    pub id: String,
    pub sequence: String,
    /// The highest number known of that source: the sender goes on above it.
    pub highest: String,
    /// What is wrong with the number.
    pub why: ConflictReason,
}

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitSummary {
    /// Ids that are on disk, new or from before.
    pub kept: Vec<String>,
    /// How many of these were there before.
    pub duplicates: usize,
    /// Events that are not stored.
    pub conflicts: Vec<Conflict>,
    /// The position of the last new event.
    pub last_position: Option<i64>,
}
