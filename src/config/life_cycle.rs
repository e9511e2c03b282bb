//! What the settings say to the rules of the life cycle: `[keys]`, `[reminders]` and the limits of `[enforcement]`.

use crate::config::check::{Check, MAX_QUOTED};
use crate::config::enforcement::RawEnforcement;
use serde::Deserialize;
use svm_core::settings::quoted;
use svm_core::subscription::{Allowance, Resource, Settings as Rules, Version};

/// `[keys]` as it is written.
#[derive(Deserialize)]
pub(crate) struct RawKeys {
    promote_reserve_on_lapse: bool,
}

/// `[reminders]` as it is written.
#[derive(Deserialize)]
pub(crate) struct RawReminders {
    before_end_days: Vec<u32>,
    before_grace_end_days: Vec<u32>,
    before_paid_until_days: Vec<u32>,
    expiring_status_days: u32,
}

impl Check<'_> {
    /// The rules for a product of a version.
    pub(crate) fn life_cycle(
        &mut self,
        version: Option<Version>,
        keys: &RawKeys,
        reminders: RawReminders,
        enforcement: &RawEnforcement,
    ) -> Option<Rules> {
        let mut days = |name: &str, list| self.take(&format!("reminders.{name}"), Rules::reminder_list(list));
        let before_end = days("before_end_days", reminders.before_end_days);
        let before_grace_end = days("before_grace_end_days", reminders.before_grace_end_days);
        let before_paid_until = days("before_paid_until_days", reminders.before_paid_until_days);
        let expiring = reminders.expiring_status_days;
        let expiring = self.take(
            "reminders.expiring_status_days",
            (expiring <= 3650).then_some(expiring).ok_or("must be 0 to 3650 days"),
        );
        let updates = self.at_most(
            "enforcement.database_updates_after_grace",
            Resource::DatabaseUpdates,
            &enforcement.database_updates_after_grace,
        );
        let ksn = self.at_most("enforcement.ksn_after_grace", Resource::Ksn, &enforcement.ksn_after_grace);
        let mut rules = Rules::new(version?);
        rules.reminder_days = before_end?;
        rules.grace_reminder_days = before_grace_end?;
        rules.paid_reminder_days = before_paid_until?;
        rules.expiring_status_days = expiring?;
        rules.promote_reserve_on_lapse = keys.promote_reserve_on_lapse;
        rules.database_updates_at_most = updates?;
        rules.ksn_at_most = ksn?;
        rules.enforcement_is_proved = true;
        Some(rules)
    }

    fn at_most(&mut self, key: &str, resource: Resource, text: &str) -> Option<Option<Allowance>> {
        let unit = match resource {
            Resource::DatabaseUpdates => "/day",
            Resource::Ksn => "/minute",
        };
        let rate = || text.strip_suffix(unit)?.trim().parse::<u64>().ok().filter(|n| *n > 0);
        let value = match text {
            "vendor" => Ok(None),
            "stop" => Ok(Some(Allowance::Stop)),
            _ => rate().map(|n| Some(Allowance::Rate(n))).ok_or_else(|| {
                let found = quoted(text, MAX_QUOTED);
                format!("must be \"vendor\", \"stop\" or a rate such as \"1{unit}\", not {found}")
            }),
        };
        self.take(key, value)
    }
}
