//! What a reload comes to: the settings are read and checked first; where anything is wrong, the old ones stay. What
//! differs is logged.

use super::session::Session;
use crate::config::Settings;
use crate::control::reload::{Refused, Reloaded};
use crate::log::log_event;
use svm_core::logging;
use svm_core::settings::{Change, SettingsError, changes};
use svm_core::words::{Language, Noun, count};

/// What is to be done.
pub(super) struct Plan {
    pub(super) reloaded: Reloaded,
    /// The settings of the next session, where one is needed.
    pub(super) next: Option<Box<Settings>>,
}

/// Reads the settings anew, and says what is to be done; a new level of the log counts at once.
///
/// # Errors
/// The old settings stay.
pub(super) fn plan(
    session: &mut Session,
    reread: impl Fn() -> Result<Settings, SettingsError>,
) -> Result<Plan, Refused> {
    let planned = diff_settings(session, reread);
    match &planned {
        Err(refused) => {
            // One line, however many faults.
            let faults = refused.to_string().replace(":\n", ": ").replace('\n', "; ");
            log_event!(SETTINGS_REFUSED, code = refused.code(); problem = faults);
        }
        Ok(Plan { reloaded, .. }) => {
            for Change { key, old, new } in &reloaded.changes {
                let none = || "not set".to_owned();
                let (old, new) = (old.clone().unwrap_or_else(none), new.clone().unwrap_or_else(none));
                log_event!(SETTING_CHANGED of key, key, old, new);
            }
            for key in &reloaded.at_restart {
                log_event!(SETTING_AT_RESTART of key, key);
            }
            let changed = reloaded.changes.len();
            let changes = match changed {
                0 => "nothing changed".to_owned(),
                some => format!(
                    "{} changed",
                    count(u64::try_from(some).unwrap_or(u64::MAX), Noun::Setting, Language::English)
                ),
            };
            log_event!(SETTINGS_TAKEN, changed; changes);
        }
    }
    planned
}

fn diff_settings(
    session: &mut Session,
    reread: impl Fn() -> Result<Settings, SettingsError>,
) -> Result<Plan, Refused> {
    let (old, new) = (&session.settings, reread()?);
    let changes = changes(&old.shown, &new.shown);
    let under = |table: &str| {
        let table = format!("{table}.");
        changes.iter().filter(move |change| change.key.starts_with(&table)).map(|change| change.key.clone())
    };
    let fixed: Vec<String> = under("paths").collect();
    if !fixed.is_empty() {
        return Err(Refused::Restart(fixed));
    }
    let at_restart = under("log").filter(|key| key == "log.format").collect();
    let of_log = under("log").count();
    // The version of the product may come from a file.
    let anew = changes.len() > of_log || new.rules != old.rules;
    if anew && let Some(problem) = session.engine.snapshot.borrow().store_problem.clone() {
        return Err(Refused::Store(problem));
    }
    logging::set_level(new.log_level);
    let next = match anew {
        true => Some(Box::new(new)),
        // What the log's keys say is done with that.
        false => {
            session.settings = new;
            None
        }
    };
    Ok(Plan { reloaded: Reloaded { changes, at_restart }, next })
}
