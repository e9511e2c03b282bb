//! Phase and cause: where a key stands. Derived from the key and the time, never stored as truth.

use serde::{Deserialize, Serialize};

/// Where the subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    NotActivated,
    /// In its term.
    Active,
    /// Past its term, paused or unpaid, inside the days that the vendor grants.
    Grace,
    /// Lapsed, cancelled, blocked or used up: updates and KSN stop.
    Restricted,
}

impl Phase {
    /// The word used in documents, events and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotActivated => "not_activated",
            Self::Active => "active",
            Self::Grace => "grace",
            Self::Restricted => "restricted",
        }
    }
}

/// Why a key is in grace or restricted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Grace: the end date has passed.
    Ended,
    /// Grace: the vendor paused the subscription.
    Paused,
    /// Grace: the vendor was not prepaid in time.
    Unpaid,
    /// Restricted: the days of grace are used up.
    GraceOver,
    /// Restricted: no days of grace were granted.
    NotGranted,
    /// Restricted: the subscription was cancelled at once.
    Cancelled,
    /// Restricted: the vendor withdrew the key.
    Blocked,
    /// Restricted: a commercial key's period is used up.
    Expired,
}

impl Cause {
    /// The word used in documents, events and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Paused => "paused",
            Self::Unpaid => "unpaid",
            Self::GraceOver => "grace_over",
            Self::NotGranted => "not_granted",
            Self::Cancelled => "cancelled",
            Self::Blocked => "blocked",
            Self::Expired => "expired",
        }
    }
}
