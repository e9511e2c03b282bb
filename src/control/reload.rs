//! A reload of the settings, as it is asked for and answered.

use serde::{Deserialize, Serialize};
use svm_core::settings::{Change, SettingsError};
use tokio::sync::oneshot;

/// Asks for a reload; the answer comes when it is done.
pub type Reload = oneshot::Sender<Result<Reloaded, Refused>>;

/// What a reload changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    pub changes: Vec<Change>,
    /// Of these, keys that count from the next restart only.
    pub at_restart: Vec<String>,
}

/// Why the old settings stay.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    /// The new ones are wrong.
    #[error("the new settings are not valid, and the agent keeps the old ones:\n{0}")]
    Settings(#[from] SettingsError),
    /// The agent is where it is.
    #[error("{} cannot change while the agent runs, so no setting was changed; run: systemctl restart svm-agent", .0.join(", "))]
    Restart(Vec<String>),
    /// What nobody could keep would be lost.
    #[error(
        "the agent cannot write to its database ({0}), so it keeps the old settings; reload again after that is repaired"
    )]
    Store(String),
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Settings(_) => "bad_settings",
            Self::Restart(_) => "restart_needed",
            Self::Store(_) => "store_fails",
        }
    }
}
