//! The administrator's settings that the rules look at.

use crate::subscription::permit::{Allowance, Resource};
use crate::subscription::phase::Cause;
use crate::subscription::version::Version;

/// Settings of the life cycle. They can remind earlier or tighten a trickle; they never change a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Version of the protection product, against which a key's `min_product_version` is held.
    pub product_version: Version,
    /// Days before the end of a term at which to remind; descending, without repeats, each 1 or more.
    pub reminder_days: Vec<u32>,
    /// Days before the end of a grace period at which to remind; as above.
    pub grace_reminder_days: Vec<u32>,
    /// Days before the paid date at which to remind where no grace is granted; as above. A subscription that is
    /// prepaid month by month is near that date all the time.
    pub paid_reminder_days: Vec<u32>,
    /// From so many days before any other known end the device status is Warning; 0 switches that off.
    pub expiring_status_days: u32,
    /// Whether the reserve key also takes over at the instant the active key becomes restricted.
    pub promote_reserve_on_lapse: bool,
    /// The most that this SVM wants of a vendor's trickle; `None` leaves it to the vendor.
    pub database_updates_at_most: Option<Allowance>,
    /// As above, for KSN.
    pub ksn_at_most: Option<Allowance>,
    /// Whether `enforcement.changed` waits for [`crate::subscription::step::Input::Enforced`]. In a forecast everything is done at once.
    pub enforcement_is_proved: bool,
}

impl Settings {
    /// The defaults, for a product of this version.
    pub fn new(product_version: Version) -> Self {
        Self {
            product_version,
            reminder_days: vec![30, 14, 7, 3, 1],
            grace_reminder_days: vec![7, 3, 1],
            paid_reminder_days: vec![3, 1],
            expiring_status_days: 7,
            promote_reserve_on_lapse: false,
            database_updates_at_most: None,
            ksn_at_most: None,
            enforcement_is_proved: false,
        }
    }

    /// Brings a list of reminder days into order: descending, without repeats.
    ///
    /// # Errors
    /// A day of 0 (the end itself is reported anyway) or above 3650.
    pub fn reminder_list(mut days: Vec<u32>) -> Result<Vec<u32>, String> {
        if let Some(bad) = days.iter().find(|d| !(1..=3650).contains(*d)) {
            return Err(format!("{bad} is not a number of days from 1 to 3650"));
        }
        days.sort_unstable_by(|a, b| b.cmp(a));
        days.dedup();
        Ok(days)
    }

    /// The days before a known end of this kind at which to remind; descending.
    pub fn reminders_before(&self, end: Cause) -> &[u32] {
        match end {
            Cause::Unpaid => &self.paid_reminder_days,
            _ => &self.reminder_days,
        }
    }

    /// From so many days before a known end of this kind the device status is Warning; `None` never.
    pub fn status_days_before(&self, end: Cause) -> Option<u64> {
        let days = match end {
            Cause::Unpaid => self.paid_reminder_days.first().copied().unwrap_or(0),
            _ => self.expiring_status_days,
        };
        (days > 0).then(|| days.into())
    }

    /// The tighter of what the provider grants and what this SVM asks for.
    pub fn tighten(&self, resource: Resource, granted: Allowance) -> Allowance {
        let most = match resource {
            Resource::DatabaseUpdates => self.database_updates_at_most,
            Resource::Ksn => self.ksn_at_most,
        };
        most.map_or(granted, |most| most.min(granted))
    }
}
