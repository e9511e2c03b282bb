//! Device status and the limit of protected devices: what the console shows for the SVM.

use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

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

/// Why the device status is not ok, in the order of the names, in which reasons are listed.
///
/// Some follow from keys and time; the others are conditions of the SVM that the agent reports
/// ([`crate::subscription::step::Input::Condition`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    CertificateExpiring,
    ClockSuspect,
    DatabasesOutdated,
    #[serde(rename = "devices_over_100")]
    DevicesOver100,
    #[serde(rename = "devices_over_110")]
    DevicesOver110,
    EnforcementFailed,
    Expired,
    Expiring,
    Grace,
    NotActivated,
    NotEnforced,
    ProductVersionTooOld,
    ReserveUnusable,
    Restricted,
    SourceStale,
    StateLost,
}

impl Reason {
    /// Each, in the order of the names.
    pub const ALL: [Self; 16] = [
        Self::CertificateExpiring,
        Self::ClockSuspect,
        Self::DatabasesOutdated,
        Self::DevicesOver100,
        Self::DevicesOver110,
        Self::EnforcementFailed,
        Self::Expired,
        Self::Expiring,
        Self::Grace,
        Self::NotActivated,
        Self::NotEnforced,
        Self::ProductVersionTooOld,
        Self::ReserveUnusable,
        Self::Restricted,
        Self::SourceStale,
        Self::StateLost,
    ];

    /// The name in events, status and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CertificateExpiring => "certificate_expiring",
            Self::ClockSuspect => "clock_suspect",
            Self::DatabasesOutdated => "databases_outdated",
            Self::DevicesOver100 => "devices_over_100",
            Self::DevicesOver110 => "devices_over_110",
            Self::EnforcementFailed => "enforcement_failed",
            Self::Expired => "expired",
            Self::Expiring => "expiring",
            Self::Grace => "grace",
            Self::NotActivated => "not_activated",
            Self::NotEnforced => "not_enforced",
            Self::ProductVersionTooOld => "product_version_too_old",
            Self::ReserveUnusable => "reserve_unusable",
            Self::Restricted => "restricted",
            Self::SourceStale => "source_stale",
            Self::StateLost => "state_lost",
        }
    }

    /// The reason of a name; `None` for one that only another version knows.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// Reads reasons as an agent of any version stored them: one that is not known here is left out.
pub(super) fn read_reasons<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Reason>, D::Error> {
    let names = Vec::<String>::deserialize(from)?;
    Ok(names.iter().filter_map(|name| Reason::from_name(name)).collect())
}

/// As [`read_reasons`], of conditions with the status that each asks for.
pub(super) fn read_conditions<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<Reason, DeviceStatus>, D::Error> {
    let named = BTreeMap::<String, DeviceStatus>::deserialize(from)?;
    Ok(named.iter().filter_map(|(name, status)| Some((Reason::from_name(name)?, *status))).collect())
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_ordered_by_their_names_and_read_by_them() {
        let names = Reason::ALL.map(Reason::as_str);
        assert!(names.is_sorted() && Reason::ALL.is_sorted());
        for reason in Reason::ALL {
            assert_eq!(serde_json::json!(reason), reason.as_str());
            assert_eq!(Reason::from_name(reason.as_str()), Some(reason));
        }
    }

    #[test]
    fn a_reason_of_another_version_is_left_out() {
        let reasons = serde_json::json!(["grace", "of_tomorrow"]);
        assert_eq!(read_reasons(reasons).unwrap(), [Reason::Grace]);
        let conditions = serde_json::json!({"clock_suspect": "warning", "of_tomorrow": "critical"});
        let known = BTreeMap::from([(Reason::ClockSuspect, DeviceStatus::Warning)]);
        assert_eq!(read_conditions(conditions).unwrap(), known);
    }
}
