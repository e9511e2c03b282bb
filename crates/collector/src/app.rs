//! What all requests share.

use super::connections::Connections;
use super::metrics::Metrics;
use super::room::Answers;
use super::settings::Settings;
use super::store::Store;
use super::token_file::TokenFile;
use jiff::{SignedDuration, Timestamp};
use std::net::IpAddr;
use std::sync::Arc;
use svm_core::clock::Clock;
use svm_core::places::Places;
use tokio::sync::{Semaphore, watch};

/// The settings and all parts of a collector, for every request.
pub(super) struct App {
    pub(super) settings: Settings,
    pub(super) store: Store,
    pub(super) metrics: Arc<Metrics>,
    pub(super) tokens: Option<Arc<TokenFile>>,
    pub(super) readers: Option<Arc<TokenFile>>,
    pub(super) clock: Clock,
    pub(super) connections: Arc<Connections>,
    pub(super) bodies: Semaphore,
    /// Requests with events, by the hash of their token.
    pub(super) senders: Places<String>,
    pub(super) answers: Answers,
    pub(super) live: Places<IpAddr>,
    pub(super) closing: watch::Receiver<bool>,
}

impl App {
    /// An SVM whose last contact is before this was silent for too long.
    pub(super) fn silent_before(&self) -> Timestamp {
        self.ago(u64::from(self.settings.svms.silent_after_minutes) * 60)
    }

    /// The instant so many seconds ago.
    pub(super) fn ago(&self, seconds: u64) -> Timestamp {
        let span = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        self.clock.now().checked_sub(span).unwrap_or(Timestamp::MIN)
    }

    /// Bytes that the store may have.
    pub(super) fn store_limit(&self) -> u64 {
        store_limit(&self.settings)
    }
}

/// Bytes that the store may have.
pub(super) fn store_limit(settings: &Settings) -> u64 {
    u64::from(settings.store.max_gigabytes) * 1_000_000_000
}
