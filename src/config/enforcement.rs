//! `[enforcement]`: how resources are held to their permits. Rules: `docs/reference/enforcement.md`.

use crate::config::check::Check;
use crate::config::unit_name::service_name;
use crate::config::when_down::WhenDown;
use jiff::SignedDuration;
use serde::Deserialize;
use std::path::PathBuf;
use svm_core::settings::choice;
use svm_core::subscription::Resource;

/// How resources are held to their permits.
#[derive(Clone, Debug)]
pub struct Enforcement {
    /// What a permit is worth while the agent does not answer.
    pub when_agent_is_down: WhenDown,
    /// The resources that this SVM has.
    pub governs: Vec<Resource>,
    /// Where the drop-ins of gated units are.
    pub gates_dir: PathBuf,
    /// A unit that is to stop and does not is killed after so long.
    pub stop_timeout: SignedDuration,
    /// Units that are never governed.
    pub protection_units: Vec<String>,
}

/// The keys as they are written.
#[derive(Deserialize)]
pub(crate) struct RawEnforcement {
    pub(crate) database_updates_after_grace: String,
    pub(crate) ksn_after_grace: String,
    pub(crate) permit_max_age: String,
    when_agent_is_down: String,
    governs: Vec<String>,
    pub(crate) gates_dir: PathBuf,
    stop_timeout: String,
    protection_units: Vec<String>,
}
impl Check<'_> {
    pub(crate) fn enforcement(&mut self, raw: &RawEnforcement) -> Option<Enforcement> {
        let words = [("last", WhenDown::Last), ("stopped", WhenDown::Stopped)];
        let when = self.take("enforcement.when_agent_is_down", choice(&raw.when_agent_is_down, &words));
        let resource =
            |name: &str| choice(name, &Resource::ALL.map(|resource| (resource.file_name(), resource)));
        let governs = self.items("enforcement.governs", &raw.governs, resource);
        let stop_timeout = self.span("enforcement.stop_timeout", &raw.stop_timeout, 1, 3600);
        self.items("enforcement.protection_units", &raw.protection_units, service_name);
        Some(Enforcement {
            when_agent_is_down: when?,
            governs: governs?,
            gates_dir: raw.gates_dir.clone(),
            stop_timeout: stop_timeout?,
            protection_units: raw.protection_units.clone(),
        })
    }
}
