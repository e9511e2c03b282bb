//! A key that the SVM holds, and in which role.

use crate::subscription::statement::Statement;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The role of a key on this SVM; at most one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The key that counts.
    Active,
    /// A commercial key that takes over automatically.
    Reserve,
}

impl Role {
    /// The word used in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Reserve => "reserve",
        }
    }
}

/// A key that the SVM holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The newest revision taken.
    pub statement: Statement,
    /// When it was added, in whichever role.
    pub added_at: Timestamp,
    /// Since when it has its present role.
    pub role_since: Timestamp,
}
