//! Where a status comes from: the engine's state, and what the other parts publish of themselves.

use crate::config::Settings;
use crate::context::Context;
use crate::engine::EngineSnapshot;
use crate::gateway::Gateway;
use crate::health::GatewayHealth;
use crate::storage::Waiting;
use std::sync::Arc;

/// Builds the status for sockets, metrics and reports.
#[derive(Clone)]
pub struct StatusSource {
    /// The settings in force.
    pub settings: Arc<Settings>,
    /// What all tasks share.
    pub context: Context,
    /// The gateway, if the settings have one: it counts on its own thread, so it is asked.
    pub gateway: Option<Arc<Gateway>>,
    pub id: Arc<str>,
}

/// What a status is built from, taken at one instant.
pub(super) struct Observed<'a> {
    pub(super) source: &'a StatusSource,
    pub(super) snapshot: &'a EngineSnapshot,
    pub(super) waiting: Vec<Waiting>,
    pub(super) gateway: Option<GatewayHealth>,
    pub(super) hostname: String,
}
