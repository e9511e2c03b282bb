//! The engine's section of the settings.

use crate::config::{Settings, WhenDown};
use jiff::SignedDuration;
use std::path::PathBuf;
use svm_core::subscription::Settings as Rules;

/// What the engine takes from the settings.
pub struct EngineSettings {
    /// The rules of the subscription, as the settings have them.
    pub rules: Rules,
    /// Stands in each event.
    pub product_name: String,
    /// With each report, waiting events that are older than this expire.
    pub outbox_max_age: SignedDuration,
    /// Where the permit files are written.
    pub runtime_dir: PathBuf,
    /// How long a permit holds if it is not renewed.
    pub permit_max_age: SignedDuration,
    /// What a permit file says for the time after its end.
    pub when_agent_is_down: WhenDown,
}

impl EngineSettings {
    pub fn of(settings: &Settings) -> Self {
        Self {
            rules: settings.rules.clone(),
            product_name: settings.product_name.clone(),
            outbox_max_age: settings.outbox_max_age,
            runtime_dir: settings.runtime_dir.clone(),
            permit_max_age: settings.permit_max_age,
            when_agent_is_down: settings.enforcement.when_agent_is_down,
        }
    }
}
