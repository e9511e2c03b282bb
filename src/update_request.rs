//! Asking for a run of the database updates, and the answer: between the update task and those that ask it.

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// What came of asking for a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum RunAnswer {
    Started {
        unit: String,
    },
    /// One goes on already.
    AlreadyRuns {
        unit: String,
    },
    Refused {
        code: String,
        message: String,
    },
}

/// Asks for a run now; the answer comes when it has begun.
pub type RunRequest = oneshot::Sender<RunAnswer>;
