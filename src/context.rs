//! What the tasks of the daemon share.

use crate::engine::Handle;
use crate::health::HealthRegistry;
use crate::storage::Store;
use std::sync::Arc;
use svm_core::clock::Clock;
use tokio::sync::oneshot;

/// Has a task check now what only the machine can tell; the answer comes when it has.
pub type CheckRequest = oneshot::Sender<()>;

/// Beside it a task has its own section of the settings, and nothing else. A clone is cheap, and follows the engine's
/// snapshots on its own.
#[derive(Clone)]
pub struct Context {
    /// The time that the agent trusts.
    pub clock: Clock,
    /// Takes commands, and shows the state as it is stored.
    pub engine: Handle,
    /// The database: a task reads it, and writes its own note.
    pub store: Store,
    /// Where a task publishes how it is.
    pub health: Arc<HealthRegistry>,
}
