//! `[updates]`: when the databases are updated.

use crate::config::check::{Check, path};
use crate::config::enforcement::Enforcement;
use crate::config::schedule::Schedule;
use crate::config::unit_name::{ALWAYS_PROTECTION, service_name};
use jiff::SignedDuration;
use serde::Deserialize;
use std::path::PathBuf;
use svm_core::settings::choice;
use svm_core::subscription::Resource;

/// When the databases are updated.
#[derive(Clone, Debug)]
pub struct Updates {
    /// When; without a line the agent starts no updates.
    pub schedule: Schedule,
    pub unit: String,
    /// Each run waits at random up to so long.
    pub random_delay: SignedDuration,
    /// What becomes of a run whose time passed unseen.
    pub missed: Missed,
    /// A run that lasts longer is stopped.
    pub timeout: SignedDuration,
    /// A file whose time is that of the databases.
    pub databases_file: Option<PathBuf>,
    /// Databases are old from so many days; 0 never.
    pub outdated_days: u32,
    /// And too old from so many; 0 never.
    pub outdated_critical_days: u32,
}

/// What becomes of a run whose time passed while nobody could start it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// It is made up for, once for all that were missed.
    RunOnce,
    /// The next one comes at its time.
    Skip,
}

/// The keys as they are written.
#[derive(Deserialize)]
pub(crate) struct RawUpdates {
    schedule: Vec<String>,
    time_zone: String,
    unit: String,
    random_delay: String,
    missed: String,
    timeout: String,
    pub(crate) databases_file: String,
    outdated_days: u32,
    outdated_critical_days: u32,
}

impl Updates {
    /// The unit that the schedule starts under the permit of a resource: its gate is in the unit itself.
    pub fn scheduled_unit(&self, resource: Resource) -> Option<&str> {
        let scheduled = resource == Resource::DatabaseUpdates && !self.schedule.is_empty();
        scheduled.then_some(self.unit.as_str())
    }
}

impl Check<'_> {
    pub(crate) fn updates(&mut self, raw: RawUpdates) -> Option<Updates> {
        let missed = [("run-once", Missed::RunOnce), ("skip", Missed::Skip)];
        let missed = self.take("updates.missed", choice(&raw.missed, &missed));
        let unit = self.take("updates.unit", service_name(&raw.unit));
        let random_delay = self.span("updates.random_delay", &raw.random_delay, 0, 86_400);
        let timeout = self.span("updates.timeout", &raw.timeout, 1, 7 * 86_400);
        let (soon, late) = (raw.outdated_days, raw.outdated_critical_days);
        let ordered = late == 0 || soon <= late;
        let message = format!("must not be less than `updates.outdated_days`: {late} is less than {soon}");
        let ordered = self.take("updates.outdated_critical_days", ordered.then_some(()).ok_or(message));
        // Each separately, so that every problem is reported.
        let each = |line: &str| Schedule::parse(&[line.to_owned()], "UTC").map(drop);
        let lines = self.items("updates.schedule", &raw.schedule, each);
        let zone = self.take("updates.time_zone", Schedule::parse(&[], &raw.time_zone));
        lines?;
        zone?;
        let schedule = self.take("updates.schedule", Schedule::parse(&raw.schedule, &raw.time_zone));
        unit?;
        ordered?;
        Some(Updates {
            schedule: schedule?,
            unit: raw.unit,
            random_delay: random_delay?,
            missed: missed?,
            timeout: timeout?,
            databases_file: path(&raw.databases_file),
            outdated_days: soon,
            outdated_critical_days: late,
        })
    }

    /// The schedule stops its unit when the permit goes: never one of the protection.
    pub(crate) fn no_protection(&mut self, enforcement: &Enforcement, updates: &Updates) {
        let configured = enforcement.protection_units.iter().map(String::as_str);
        let is_one = configured.chain(ALWAYS_PROTECTION.iter().copied()).any(|unit| unit == updates.unit);
        let message = "is a unit of the protection itself, which the agent never stops; name the unit that updates the databases";
        self.take("updates.unit", (!is_one).then_some(()).ok_or(message));
    }
}
