//! The settings as they are written, section by section.

use super::actions::RawAction;
use super::destination::RawDestination;
use super::enforcement::RawEnforcement;
use super::gateway::RawGateway;
use super::identity::RawIdentity;
use super::life_cycle::{RawKeys, RawReminders};
use super::log::RawLog;
use super::metrics::RawMetrics;
use super::outbox::RawOutbox;
use super::product::RawProduct;
use super::source::RawSource;
use super::updates::RawUpdates;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Deserialize)]
pub(super) struct Raw {
    pub(super) product: RawProduct,
    pub(super) paths: RawPaths,
    pub(super) identity: RawIdentity,
    pub(super) log: RawLog,
    pub(super) source: RawSource,
    pub(super) clock: RawClock,
    pub(super) keys: RawKeys,
    pub(super) reminders: RawReminders,
    pub(super) devices: RawDevices,
    pub(super) enforcement: RawEnforcement,
    pub(super) updates: RawUpdates,
    pub(super) gateway: RawGateway,
    #[serde(default)]
    pub(super) actions: BTreeMap<String, RawAction>,
    pub(super) report: RawReport,
    pub(super) metrics: RawMetrics,
    pub(super) outbox: RawOutbox,
    #[serde(default)]
    pub(super) destinations: BTreeMap<String, RawDestination>,
}

#[derive(Deserialize)]
pub(super) struct RawPaths {
    pub(super) state_dir: PathBuf,
    pub(super) runtime_dir: PathBuf,
    pub(super) trust_dir: PathBuf,
}

#[derive(Deserialize)]
pub(super) struct RawClock {
    pub(super) dwell: String,
}

#[derive(Deserialize)]
pub(super) struct RawDevices {
    pub(super) count_file: String,
}

#[derive(Deserialize)]
pub(super) struct RawReport {
    pub(super) every: String,
}
