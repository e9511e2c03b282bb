//! What one turn of the engine works on.

use crate::storage::{Above, NoteName, Quarantined};
use svm_core::documents::Document;
use svm_core::events::Operational;
use svm_core::subscription::Input;

/// One input of the step, and what is stored in the same commit.
#[derive(Clone, Debug)]
pub(super) struct PendingInput {
    pub(super) input: Input,
    pub(super) document: Option<Document>,
    pub(super) operational_events: Vec<Operational>,
    pub(super) renumber_above: Option<Above>,
    pub(super) quarantined: Vec<Quarantined>,
    pub(super) notes: Vec<(NoteName, String)>,
}

impl PendingInput {
    pub(super) fn new(input: Input) -> Self {
        Self {
            input,
            document: None,
            operational_events: Vec::new(),
            renumber_above: None,
            quarantined: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Whether it came with time or from the vendor: what has to stop then, stops even if nothing can be stored.
    /// A command that could not be stored is not in force, and its sender gets the error.
    pub(super) fn is_automatic(&self) -> bool {
        matches!(self.input, Input::Tick | Input::Publish(_) | Input::Condition(..))
    }
}
