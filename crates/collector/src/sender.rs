//! Which agent sent an event.

/// The sender of an event, as the event names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sender {
    /// One start of an agent.
    pub(super) instance: String,
    pub(super) hostname: Option<String>,
}
