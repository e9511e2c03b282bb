//! Device status and the limit of protected devices: what the console shows for the SVM.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What the console shows for the SVM. Ordered: the worst reason decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceStatus {
    /// Nothing to do.
    Ok,
    /// Something to plan.
    Warning,
    /// Something to do now.
    Critical,
}

impl DeviceStatus {
    /// The word used in events and on the page.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// The name of a reason for a device status, such as `grace` or `restricted`.
pub type Reason = Cow<'static, str>;

/// How the number of protected devices stands to the limit of the active key; the thresholds and severities
/// are those of Kaspersky Security Center's licence-limit events (4097 to 4099).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitLevel {
    /// Up to 90 %, or there is no key, no limit or no count.
    None,
    /// Over 90 %.
    #[serde(rename = "over_90")]
    Over90,
    /// Over 100 %.
    #[serde(rename = "over_100")]
    Over100,
    /// Over 110 %.
    #[serde(rename = "over_110")]
    Over110,
}

impl LimitLevel {
    /// The level of `count` devices against `limit`.
    pub fn of(count: Option<u64>, limit: Option<u64>) -> Self {
        let (Some(count), Some(limit)) = (count, limit) else { return Self::None };
        let (hundredfold, limit) = (u128::from(count) * 100, u128::from(limit));
        match () {
            () if hundredfold > limit * 110 => Self::Over110,
            () if hundredfold > limit * 100 => Self::Over100,
            () if hundredfold > limit * 90 => Self::Over90,
            () => Self::None,
        }
    }

    /// The word used in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Over90 => "over_90",
            Self::Over100 => "over_100",
            Self::Over110 => "over_110",
        }
    }
}
