//! What permits are worth without the agent.

use serde::{Deserialize, Serialize};

/// What a permit is worth while the agent does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenDown {
    /// It is good until its own end.
    #[default]
    Last,
    /// Nothing: who reads the file asks the agent as well.
    Stopped,
}
