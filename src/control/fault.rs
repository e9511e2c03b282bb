//! Why a request is refused: an answer with a code and the way out.

use crate::engine::Outcome;
use crate::storage::StoreError;
use hyper::StatusCode;
use serde_json::{Value, json};
use svm_core::events::shown;

pub(crate) struct Fault {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
    /// The methods that there are, where it is the method.
    pub(super) allow: Option<String>,
}

impl Fault {
    pub(super) fn new(status: StatusCode, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), allow: None }
    }

    /// The task that would answer has ended.
    pub(super) fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the agent is stopping")
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let message = format!("nothing was changed, because the agent cannot write to its database: {error}");
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "not_kept", message)
    }
}

pub(super) fn carried_out(turn: Outcome) -> Result<Value, Fault> {
    match turn.refusal() {
        Some(refusal) => Err(Fault::new(StatusCode::CONFLICT, refusal.code.as_str(), refusal.message)),
        None => Ok(
            json!({"at": turn.at, "events": turn.events.iter().map(|event| shown(event, turn.at)).collect::<Vec<_>>()}),
        ),
    }
}
