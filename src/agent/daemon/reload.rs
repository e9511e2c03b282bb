//! What a reload comes to: the settings are read and checked first; where anything is wrong, the old ones stay. What
//! differs is logged.

use super::session::Session;
use crate::agent::lines::say;
use crate::agent::settings::Settings;
use crate::logging;
use crate::settings::{Change, SettingsError, changes};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Asks for a reload; the answer comes when it is done.
pub type Reload = oneshot::Sender<Result<Reloaded, Refused>>;

/// What a reload changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// By key.
    pub changes: Vec<Change>,
    /// Of these, keys that count from the next restart only.
    pub at_restart: Vec<String>,
}

/// Why the old settings stay.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    /// The new ones are wrong.
    #[error("the new settings are wrong, and the old ones stay:\n{0}")]
    Settings(#[from] SettingsError),
    /// The agent is where it is.
    #[error("{} cannot change while the agent runs, and nothing was taken over: systemctl restart svm-agent", .0.join(", "))]
    Restart(Vec<String>),
    /// What nobody could keep would be lost.
    #[error(
        "nothing can be kept at present ({0}), and the old settings stay; reload again once the store works"
    )]
    Store(String),
}

impl Refused {
    /// A short name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Settings(_) => "bad_settings",
            Self::Restart(_) => "restart_needed",
            Self::Store(_) => "store_fails",
        }
    }
}

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
    let planned = look(session, reread);
    match &planned {
        Err(refused) => {
            // One line, however many faults.
            let faults = refused.to_string().replace(":\n", ": ").replace('\n', "; ");
            say!(SETTINGS_REFUSED, code = refused.code(), "the settings were not reloaded: {faults}");
        }
        Ok(Plan { reloaded, next }) => {
            for Change { key, old, new } in &reloaded.changes {
                let none = || "not set".to_owned();
                let (old, new) = (old.clone().unwrap_or_else(none), new.clone().unwrap_or_else(none));
                say!(SETTING_CHANGED of key, key, old, new, "setting {key}: {new} (was {old})");
            }
            for key in &reloaded.at_restart {
                say!(
                    SETTING_AT_RESTART of key,
                    key,
                    "setting {key} counts from the next restart only: systemctl restart svm-agent"
                );
            }
            let changed = reloaded.changes.len();
            let so = match changed {
                0 if next.is_none() => ", and say what they said".to_owned(),
                n => format!(", with {n} changed"),
            };
            say!(
                SETTINGS_TAKEN,
                changed,
                "the settings were reloaded{so}; every destination is tried and every permit carried out anew"
            );
        }
    }
    planned
}

fn look(
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
    if anew && let Some(problem) = session.engine.picture.borrow().store_problem.clone() {
        return Err(Refused::Store(problem));
    }
    logging::set_level(new.log_level);
    let next = match anew {
        true => Some(Box::new(new)),
        // What the log's keys say is done with that.
        false => {
            session.settings = Arc::new(new);
            None
        }
    };
    Ok(Plan { reloaded: Reloaded { changes, at_restart }, next })
}
