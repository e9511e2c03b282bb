//! A keeper: what it is made of, and what all its parts use.

use super::dues::Dues;
use crate::config::Settings;
use crate::engine::{Command, Handle};
use crate::gateway::Gateway;
use crate::health::HealthRegistry;
use crate::updates::RunRequest;
use std::sync::Arc;
use std::time::Duration;
use svm_core::clock::Clock;
use svm_core::events::Operational;
use svm_core::subscription::Resource;
use tokio::sync::{mpsc, watch};

/// The engine answers in milliseconds, or hangs.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(5);

/// After a failure: again after so long, doubling.
pub(super) const LAST_RETRY: Duration = Duration::from_secs(60);

/// The keeper of one resource.
pub struct Keeper {
    /// Which.
    pub resource: Resource,
    /// The settings.
    pub settings: Arc<Settings>,
    /// The time.
    pub clock: Clock,
    /// Whose permits are carried out.
    pub engine: Handle,
    /// Where it is shown.
    pub health: Arc<HealthRegistry>,
    /// The gateway, where there is one for this resource.
    pub gateway: Option<Arc<Gateway>>,
    /// Asks for a database update.
    pub updates: mpsc::Sender<RunRequest>,
    /// Changes when somebody wants everything looked at.
    pub look: watch::Receiver<u64>,
    /// Units that are owed a start.
    pub dues: Dues,
    /// What happened and is not told yet.
    pub untold: Vec<Operational>,
    /// The action whose outage is shown, where it is an action's.
    pub failing: Option<String>,
}

/// What came of carrying a permit out.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) by: Vec<String>,
    pub(super) problems: Vec<String>,
}

impl Keeper {
    /// Has the engine keep something; whether it did. One that hangs keeps nobody from what must stop.
    pub(super) async fn command(&self, order: Command) -> bool {
        tokio::time::timeout(ENGINE_TIMEOUT, self.engine.command(order)).await.is_ok_and(|kept| kept.is_ok())
    }
}
