//! Reads the settings and checks them, section by section.

use crate::config::actions::Action;
use crate::config::check::{Check, path};
use crate::config::destination::Destination;
use crate::config::enforcement::Enforcement;
use crate::config::form::form;
use crate::config::gateway::GatewaySettings;
use crate::config::identity::IdentitySettings;
use crate::config::metrics::MetricsSettings;
use crate::config::outbox::Retention;
use crate::config::raw::Raw;
use crate::config::source::SourceSettings;
use crate::config::updates::Updates;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use svm_core::logging::{LogFormat, LogLevel};
use svm_core::settings::{Loaded, Problem, SettingsError, Shown, load};
use svm_core::subscription::Settings as Rules;

/// The prefix of the agent's variables.
pub const PREFIX: &str = "SVM_AGENT";

/// Settings that were read and checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the protection product.
    pub product_name: String,
    /// What the rules of the life cycle look at.
    pub rules: Rules,
    /// What has to outlast a restart.
    pub state_dir: PathBuf,
    pub runtime_dir: PathBuf,
    /// Public keys of vendors.
    pub trust_dir: PathBuf,
    /// Where this machine's names are.
    pub identity: IdentitySettings,
    pub log_format: LogFormat,
    pub log_level: LogLevel,
    /// Where documents are published.
    pub source: SourceSettings,
    /// So long a wall clock far ahead has to show the same until it is obeyed.
    pub clock_dwell: SignedDuration,
    /// A file with the number of protected devices.
    pub devices_count_file: Option<PathBuf>,
    /// How long a permit is good that is not renewed.
    pub permit_max_age: SignedDuration,
    /// How resources are held to their permits.
    pub enforcement: Enforcement,
    /// When the databases are updated.
    pub updates: Updates,
    /// Where KSN is relayed to; `None` where there is no gateway.
    pub gateway: Option<GatewaySettings>,
    /// What else follows from a permit, by name.
    pub actions: BTreeMap<String, Action>,
    /// How often the whole status is sent.
    pub report_every: SignedDuration,
    /// Metrics as a file.
    pub metrics: MetricsSettings,
    /// Whether people see at login that the subscription needs attention.
    pub motd_enabled: bool,
    /// How much is kept of events.
    pub outbox: Retention,
    /// What waits longer is dropped.
    pub outbox_max_age: SignedDuration,
    pub destinations: BTreeMap<String, Destination>,
    /// Every key as it was written, and where.
    pub shown: Shown,
}

impl Settings {
    /// Reads and checks the settings. `files` are read in order; `environment` is looked through for variables.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn read(
        files: &[PathBuf],
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, SettingsError> {
        let form = form().map_err(|e| {
            SettingsError(vec![Problem { place: "built-in defaults".to_owned(), message: e.to_string() }])
        })?;
        let Loaded { settings: raw, origins, shown, problems, wrong } =
            load::<Raw>(&form, files, PREFIX, environment)?;
        let mut check = Check { origins: &origins, problems, wrong };
        let settings = check.settings(raw, shown);
        match settings {
            Some(settings) if check.problems.is_empty() => Ok(settings),
            _ => Err(SettingsError(in_order(check.problems))),
        }
    }
}

/// Problems by file and line, as people mend them.
fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_cached_key(|problem| match problem.place.rsplit_once(':') {
        Some((file, line)) => (file.to_owned(), line.parse::<usize>().unwrap_or_default()),
        None => (problem.place.clone(), 0),
    });
    problems
}

impl Check<'_> {
    fn settings(&mut self, raw: Raw, shown: Shown) -> Option<Settings> {
        self.places(&raw);
        let version = self.product_version(&raw.product);
        let rules = self.life_cycle(version, &raw.keys, raw.reminders, &raw.enforcement);
        let source = self.source(raw.source);
        let clock_dwell = self.span("clock.dwell", &raw.clock.dwell, 1, 86_400);
        let (log_format, log_level) = self.log(&raw.log);
        let permit_max_age =
            self.span("enforcement.permit_max_age", &raw.enforcement.permit_max_age, 60, 30 * 86_400);
        let report_every = self.span("report.every", &raw.report.every, 60, 7 * 86_400);
        let metrics = self.metrics(&raw.metrics);
        let outbox = self.outbox(&raw.outbox);
        let destinations = self.destinations(raw.destinations);
        let enforcement = self.enforcement(&raw.enforcement);
        let updates = self.updates(raw.updates);
        if let (Some(enforcement), Some(updates)) = (&enforcement, &updates) {
            self.no_protection(enforcement, updates);
        }
        let gateway = self.gateway(raw.gateway);
        let actions = self.actions(raw.actions);
        let (outbox, outbox_max_age) = outbox?;
        Some(Settings {
            product_name: raw.product.name,
            rules: rules?,
            state_dir: raw.paths.state_dir,
            runtime_dir: raw.paths.runtime_dir,
            trust_dir: raw.paths.trust_dir,
            identity: raw.identity.into(),
            log_format: log_format?,
            log_level: log_level?,
            source: source?,
            clock_dwell: clock_dwell?,
            devices_count_file: path(&raw.devices.count_file),
            permit_max_age: permit_max_age?,
            enforcement: enforcement?,
            updates: updates?,
            gateway: gateway?,
            actions,
            report_every: report_every?,
            metrics: metrics?,
            motd_enabled: raw.motd.enabled,
            outbox,
            outbox_max_age,
            destinations,
            shown,
        })
    }
}
