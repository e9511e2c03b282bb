//! The form of the settings: every key, its default, and what may stand at it.

use crate::config::actions::ACTION;
use crate::config::destination::DESTINATION;
use crate::config::rules::RULES;
use svm_core::settings::{Form, schema};

/// The documented defaults; the lowest layer of the settings.
pub const DEFAULTS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/config/agent.toml"));

/// The form of all of them.
///
/// # Errors
/// The built-in defaults cannot be read; a test reads them.
pub(crate) fn form() -> Result<Form, toml::de::Error> {
    Form::new(DEFAULTS, &[("destinations", DESTINATION), ("actions", ACTION)], RULES)
}

/// The form of all of them as JSON Schema.
pub fn json_schema() -> serde_json::Value {
    // A test reads the defaults; there is no other case.
    form().map(|form| schema(&form, "svm-agent.schema.json", "Settings of svm-agent")).unwrap_or_default()
}
