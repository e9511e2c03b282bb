//! What requests are answered from.

use super::reload::Reload;
use crate::activation::Wish;
use crate::enforcement::updates::RunNow;
use crate::engine::Handle;
use crate::health::HealthRegistry;
use crate::identity::Bond;
use crate::settings::Settings;
use crate::source::poller::Refresh;
use crate::status::{ReporterHandle, StatusSource};
use crate::store::Store;
use std::sync::Arc;
use svm_core::clock::Clock;
use tokio::sync::{mpsc, watch};

/// What requests are answered from.
#[derive(Clone)]
pub struct Api {
    /// The settings.
    pub settings: Arc<Settings>,
    /// The time.
    pub clock: Clock,
    /// The engine.
    pub engine: Handle,
    /// The store, for the events that are kept.
    pub store: Store,
    /// How the parts are.
    pub health: Arc<HealthRegistry>,
    /// Builds the status.
    pub status: StatusSource,
    /// Reports the status.
    pub reporter: ReporterHandle,
    /// Asks the poller to look.
    pub refresh: mpsc::Sender<Refresh>,
    /// Keeps and drops pending activations.
    pub activations: mpsc::Sender<Wish>,
    /// Has every permit carried out anew.
    pub look: watch::Sender<u64>,
    /// Asks for a database update.
    pub run_now: mpsc::Sender<RunNow>,
    /// Has the settings read again.
    pub reload: mpsc::Sender<Reload>,
    /// The SVM's id.
    pub id: Arc<str>,
    /// To what it is bound.
    pub bond: Arc<Bond>,
}
