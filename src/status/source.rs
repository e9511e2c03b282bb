//! Where a status comes from: the engine's state, and what the other parts publish of themselves.

use crate::config::{Settings, WhenDown};
use crate::context::Context;
use crate::engine::EngineSnapshot;
use crate::gateway::Gateway;
use crate::health::GatewayHealth;
use crate::storage::Waiting;
use jiff::SignedDuration;
use std::sync::Arc;
use svm_core::subscription::Resource;

/// What a status takes from the settings.
pub struct StatusSettings {
    /// Between two regular reports.
    pub report_every: SignedDuration,
    /// Shown with each permit.
    pub when_agent_is_down: WhenDown,
    /// The resources that something has to enforce.
    pub governs: Vec<Resource>,
    pub product_version: String,
}

impl StatusSettings {
    pub fn of(settings: &Settings) -> Self {
        Self {
            report_every: settings.report_every,
            when_agent_is_down: settings.enforcement.when_agent_is_down,
            governs: settings.enforcement.governs.clone(),
            product_version: settings.rules.product_version.to_string(),
        }
    }
}

/// Builds the status for sockets, metrics and reports.
#[derive(Clone)]
pub struct StatusSource {
    pub settings: Arc<StatusSettings>,
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
