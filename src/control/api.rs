//! What requests are answered from, and the tasks that carry them out.

use super::reload::Reload;
use crate::activation::ActivationRequest;
use crate::config::{IdentitySettings, Settings};
use crate::fetch::DocumentSource;
use crate::identity::Bond;
use crate::source::poller::Refresh;
use crate::status::{ReporterHandle, StatusSource};
use crate::update_request::RunRequest;
use std::path::PathBuf;
use std::sync::Arc;
use svm_core::subscription::Settings as Rules;
use tokio::sync::{mpsc, watch};

/// What requests take from the settings.
pub struct ApiSettings {
    pub runtime_dir: PathBuf,
    pub identity: IdentitySettings,
    /// Where documents come from, and whose signatures count.
    pub documents: DocumentSource,
    /// The rules of the subscription, for forecasts.
    pub rules: Rules,
}

impl ApiSettings {
    pub fn of(settings: &Settings) -> Self {
        Self {
            runtime_dir: settings.runtime_dir.clone(),
            identity: settings.identity.clone(),
            documents: DocumentSource::of(settings),
            rules: settings.rules.clone(),
        }
    }
}

/// What requests are answered from.
#[derive(Clone)]
pub struct Api {
    pub settings: Arc<ApiSettings>,
    /// The engine, the store, and what the parts publish: all that a status shows.
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
