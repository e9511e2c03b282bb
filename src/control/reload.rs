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
    pub fn code(&self) -> &'static str {
        match self {
            Self::Settings(_) => "bad_settings",
            Self::Restart(_) => "restart_needed",
            Self::Store(_) => "store_fails",
        }
    }
}
