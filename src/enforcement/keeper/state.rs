//! A keeper: what it is made of, and what all its parts use.

use super::pending_starts::PendingStarts;
use crate::config::{Action, Enforcement, Updates};
use crate::context::Context;
use crate::engine::Command;
use crate::permits::follower::PermitFollower;
use crate::update_request::RunRequest;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use svm_core::events::Operational;
use svm_core::subscription::Resource;
use tokio::sync::{mpsc, watch};

/// The engine answers in milliseconds, or hangs.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(5);

/// After a failure: again after so long, doubling.
pub(super) const LAST_RETRY: Duration = Duration::from_secs(60);

/// What a keeper takes from the settings.
#[derive(Clone)]
pub struct Means {
    /// Where the permit files and the notes of refused units are.
    pub runtime_dir: PathBuf,
    /// The gates, and how long a unit may take to stop.
    pub enforcement: Enforcement,
    /// The unit that the schedule of updates starts.
    pub updates: Updates,
    /// The actions of both resources, by name.
    pub actions: BTreeMap<String, Action>,
}

/// The keeper of one resource.
pub struct Keeper {
    pub resource: Resource,
    /// What all tasks share.
    pub context: Context,
    /// What enforces its permit.
    pub means: Means,
    /// The gateway, where there is one for this resource.
    pub gateway: Option<Arc<dyn PermitFollower>>,
    /// Asks for a database update.
    pub updates: mpsc::Sender<RunRequest>,
    /// Changes when everything is to be checked.
    pub check_requests: watch::Receiver<u64>,
    /// Units that are started once their permit is back.
    pub pending_starts: PendingStarts,
    /// What happened and is not reported yet.
    pub unreported: Vec<Operational>,
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
    /// Has the engine keep something; whether it did. An engine that hangs does not delay a stop.
    pub(super) async fn command(&self, order: Command) -> bool {
        tokio::time::timeout(ENGINE_TIMEOUT, self.context.engine.command(order))
            .await
            .is_ok_and(|kept| kept.is_ok())
    }
}
