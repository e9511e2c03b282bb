//! The settings as they are written, section by section.

use crate::config::actions::RawAction;
use crate::config::destination::RawDestination;
use crate::config::enforcement::RawEnforcement;
use crate::config::gateway::RawGateway;
use crate::config::identity::RawIdentity;
use crate::config::life_cycle::{RawKeys, RawReminders};
use crate::config::log::RawLog;
use crate::config::metrics::RawMetrics;
use crate::config::motd::RawMotd;
use crate::config::outbox::RawOutbox;
use crate::config::product::RawProduct;
use crate::config::source::RawSource;
use crate::config::updates::RawUpdates;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Deserialize)]
pub(crate) struct Raw {
    pub(crate) product: RawProduct,
    pub(crate) paths: RawPaths,
    pub(crate) identity: RawIdentity,
    pub(crate) log: RawLog,
    pub(crate) source: RawSource,
    pub(crate) clock: RawClock,
    pub(crate) keys: RawKeys,
    pub(crate) reminders: RawReminders,
    pub(crate) devices: RawDevices,
    pub(crate) enforcement: RawEnforcement,
    pub(crate) updates: RawUpdates,
    pub(crate) gateway: RawGateway,
    #[serde(default)]
    pub(crate) actions: BTreeMap<String, RawAction>,
    pub(crate) report: RawReport,
    pub(crate) metrics: RawMetrics,
    pub(crate) motd: RawMotd,
    pub(crate) outbox: RawOutbox,
    #[serde(default)]
    pub(crate) destinations: BTreeMap<String, RawDestination>,
}

#[derive(Deserialize)]
pub(crate) struct RawPaths {
    pub(crate) state_dir: PathBuf,
    pub(crate) runtime_dir: PathBuf,
    pub(crate) trust_dir: PathBuf,
}

#[derive(Deserialize)]
pub(crate) struct RawClock {
    pub(crate) dwell: String,
}

#[derive(Deserialize)]
pub(crate) struct RawDevices {
    pub(crate) count_file: String,
}

#[derive(Deserialize)]
pub(crate) struct RawReport {
    pub(crate) every: String,
}
