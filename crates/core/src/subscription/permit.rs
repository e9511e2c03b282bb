//! Permits: what database updates and KSN may do now.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// What the agent governs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Updates of the anti-virus databases; a trickle is counted in runs per day.
    DatabaseUpdates,
    /// Cloud reputation look-ups; a trickle is counted in look-ups per minute.
    Ksn,
}

impl Resource {
    /// Both, in the order in which they are reported.
    pub const ALL: [Self; 2] = [Self::DatabaseUpdates, Self::Ksn];

    /// The name in documents and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DatabaseUpdates => "database_updates",
            Self::Ksn => "ksn",
        }
    }

    /// The name of the permit file, and where people type it.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::DatabaseUpdates => "database-updates",
            Self::Ksn => "ksn",
        }
    }

    /// The span that the unit of a trickle names.
    pub fn period(self) -> SignedDuration {
        match self {
            Self::DatabaseUpdates => SignedDuration::from_secs(crate::subscription::instant::DAY_SECONDS),
            Self::Ksn => SignedDuration::from_secs(60),
        }
    }

    /// The unit in which a trickle is granted.
    pub fn unit(self) -> &'static str {
        match self {
            Self::DatabaseUpdates => "per_day",
            Self::Ksn => "per_minute",
        }
    }
}

/// What a resource may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permit {
    /// Without limit.
    Full,
    /// As much as the vendor's trickle allows.
    Limited,
    Stopped,
}

impl Permit {
    /// The word used in events and permit files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Limited => "limited",
            Self::Stopped => "stopped",
        }
    }
}

/// What is left of a resource after the grace period: nothing, or a trickle in the resource's own unit.
/// Ordered by how much it allows, so that the tighter of two is their minimum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Allowance {
    #[default]
    Stop,
    /// So many runs or look-ups per unit; 1 or more.
    Rate(u64),
}

/// Why an allowance could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{resource} after grace must be \"stop\" or {{\"{unit}\": N}} with N of 1 or more, not {found}")]
pub struct AllowanceError {
    resource: &'static str,
    unit: &'static str,
    found: String,
}

impl Allowance {
    /// Reads `"stop"` or `{"per_day": N}` / `{"per_minute": N}`, whichever is the resource's own unit.
    ///
    /// # Errors
    /// Anything else, a rate of 0 and the other resource's unit.
    pub fn read(resource: Resource, value: &serde_json::Value) -> Result<Self, AllowanceError> {
        let rate = || {
            let object = value.as_object().filter(|o| o.len() == 1)?;
            object.get(resource.unit())?.as_u64().filter(|n| *n > 0)
        };
        if value.as_str() == Some("stop") {
            return Ok(Self::Stop);
        }
        rate().map(Self::Rate).ok_or_else(|| AllowanceError {
            resource: resource.as_str(),
            unit: resource.unit(),
            found: value.to_string().chars().take(80).collect(),
        })
    }

    /// The form that [`Allowance::read`] takes.
    pub fn to_json(self, resource: Resource) -> serde_json::Value {
        match self {
            Self::Stop => "stop".into(),
            Self::Rate(rate) => serde_json::json!({ resource.unit(): rate }),
        }
    }

    /// Runs or look-ups per unit, where it is not nothing.
    pub fn rate(self) -> Option<u64> {
        match self {
            Self::Stop => None,
            Self::Rate(rate) => Some(rate),
        }
    }

    /// The permit that this allowance comes to.
    pub fn permit(self) -> Permit {
        match self {
            Self::Stop => Permit::Stopped,
            Self::Rate(_) => Permit::Limited,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_trickle_is_in_the_resource_s_own_unit() {
        let read = Allowance::read;
        assert_eq!(read(Resource::Ksn, &json!({"per_minute": 30})), Ok(Allowance::Rate(30)));
        assert_eq!(read(Resource::DatabaseUpdates, &json!("stop")), Ok(Allowance::Stop));
        for bad in
            [json!({"per_minute": 1}), json!({"per_day": 0}), json!({"per_day": -1}), json!("go"), json!({})]
        {
            assert!(read(Resource::DatabaseUpdates, &bad).is_err(), "{bad}");
        }
        assert!(Allowance::Stop < Allowance::Rate(1) && Allowance::Rate(1) < Allowance::Rate(2));
    }
}
