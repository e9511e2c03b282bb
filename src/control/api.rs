//! What requests are answered from, and the tasks that carry them out.

use super::reload::Reload;
use crate::activation::ActivationRequest;
use crate::identity::Bond;
use crate::source::poller::Refresh;
use crate::status::{ReporterHandle, StatusSource};
use crate::updates::RunRequest;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// What requests are answered from.
#[derive(Clone)]
pub struct Api {
    /// The engine, the store, what the parts publish, and the settings: all that a status shows.
    pub status: StatusSource,
    /// To what the SVM's id is bound.
    pub bond: Arc<Bond>,
    /// The tasks that carry out what is asked.
    pub requests: Requests,
}

/// The tasks that carry out what is asked, beside the engine.
#[derive(Clone)]
pub struct Requests {
    pub reporter: ReporterHandle,
    /// Asks the poller to look.
    pub refresh: mpsc::Sender<Refresh>,
    /// Keeps and drops pending activations.
    pub activations: mpsc::Sender<ActivationRequest>,
    /// Has every permit carried out anew.
    pub check_enforcement: watch::Sender<u64>,
    /// Asks for a database update.
    pub run_now: mpsc::Sender<RunRequest>,
    /// Has the settings read again.
    pub reload: mpsc::Sender<Reload>,
}
