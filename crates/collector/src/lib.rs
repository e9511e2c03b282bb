//! The collector: takes events, keeps them, shows the fleet.
//!
//! Promises: an answer names only what is on disk; an event is kept once; what is missing or was sent twice under
//! one number is seen; the state of an SVM is that of its latest event. Memory is bounded, whatever anyone sends or
//! reads. It must not know the agent or the vendor: it believes events, and nothing else.
//!
//! A request goes `serve` → `routes` and `access` → `ingest` → `coding`, `wire` and `cloudevent` → `store`, and the answer back.
//! Readers go `serve` → `routes` and `access` → `api`, `page` or `live` → `store`, and their answers back through `room`.

// Tests read and wait as they like; what is shipped is held to the bans of clippy.toml.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod access;
pub mod cli;
pub mod fleet;
pub mod gaps;
pub mod machines;
pub mod reported;
pub mod routes;
pub mod settings;
pub mod store;
pub mod token_file;
pub mod tokens;

pub(crate) mod answer;
pub(crate) mod api;
mod app;
pub(crate) mod cloudevent;
pub(crate) mod coding;
mod connections;
mod hosts;
mod ingest;
mod live;
mod metrics;
pub(crate) mod page;
mod query;
mod room;
mod sender;
mod serve;
mod shutdown;
mod stream;
pub(crate) mod wire;

/// Hostile input for the parsers of this crate, as the fuzzer and the tests feed it.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
#[path = "../../../fuzz/targets/collector/mod.rs"]
pub mod fuzzing;

pub use settings::Settings;

use app::App;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use svm_core::clock::Clock;
use svm_core::places::{PlaceBounds, Places};
use svm_core::settings::SettingsError;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot, watch};

/// Why a collector does not run.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// A setting cannot be.
    #[error("the settings are wrong")]
    Settings(#[from] SettingsError),
    /// The token file is missing or wrong.
    #[error("cannot tell who may send")]
    Tokens(#[from] tokens::TokensError),
    /// The store cannot be opened.
    #[error("cannot keep events")]
    Store(#[from] store::StoreError),
}

/// A collector whose store is open.
pub struct Collector {
    app: Arc<App>,
    close: watch::Sender<bool>,
    store_closed: oneshot::Receiver<()>,
}

impl Collector {
    /// Checks the settings, reads the tokens and opens the store.
    ///
    /// # Errors
    /// Whatever of these is wrong.
    pub fn open(settings: Settings, clock: Clock) -> Result<Self, CollectorError> {
        settings.check(&svm_core::settings::Origins::default())?;
        let tokens = match settings.tokens.required {
            true => Some(Arc::new(token_file::TokenFile::open(&settings.tokens.file)?)),
            false => None,
        };
        let metrics = Arc::new(metrics::Metrics::default());
        let readers = match settings.page.readers_file.as_os_str().is_empty() {
            false => Some(Arc::new(token_file::TokenFile::open(&settings.page.readers_file)?)),
            true => None,
        };
        let bounds = store::StoreBounds {
            bytes: app::store_limit(&settings),
            source_bytes: i64::from(settings.store.max_source_megabytes) * 1_000_000,
            sources: settings.store.max_sources.into(),
        };
        let limits = &settings.limits;
        let deadline = Duration::from_secs(limits.query_timeout_seconds.into());
        let (store, store_closed) =
            store::Store::open(&settings.store.path, bounds, deadline, Arc::clone(&metrics))?;
        let (close, closing) = watch::channel(false);
        let app = App {
            connections: connections::Connections::new(
                limits.connections as usize,
                limits.connections_each as usize,
            ),
            bodies: Semaphore::new(limits.bodies_mib as usize * 1024),
            senders: Places::new(PlaceBounds {
                total: limits.connections as usize,
                each: MAX_BODIES_EACH,
                reserved: 0,
            }),
            answers: room::Answers::new(limits.answers_mib),
            live: Places::new(PlaceBounds {
                total: limits.live_readers as usize,
                each: limits.live_readers_each as usize,
                reserved: 0,
            }),
            settings,
            store,
            metrics,
            tokens,
            readers,
            clock,
            closing,
        };
        Ok(Self { app: Arc::new(app), close, store_closed })
    }

    /// The files of tokens, of senders and of readers, to have them read again.
    pub fn token_files(&self) -> Vec<Arc<token_file::TokenFile>> {
        self.app.tokens.iter().chain(&self.app.readers).cloned().collect()
    }

    /// Serves until `shutdown` is over, lets requests finish, and closes the store.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let Self { app, close, store_closed } = self;
        let removing = tokio::spawn(remove_old(Arc::clone(&app)));
        let giving_back = tokio::spawn(give_back_memory(Arc::clone(&app)));
        let run = serve::run(app, listener, close.subscribe());
        let closing = async {
            shutdown.await;
            close.send_replace(true);
        };
        tokio::join!(run, closing);
        removing.abort();
        giving_back.abort();
        // Requests that were cut still hold the store; the process does not wait for them for ever.
        tokio::time::timeout(Duration::from_secs(10), store_closed).await.ok();
    }
}

/// Opens a collector and serves until `shutdown` is over.
///
/// # Errors
/// Those of [`Collector::open`].
pub async fn serve(
    settings: Settings,
    listener: TcpListener,
    clock: Clock,
    shutdown: impl Future<Output = ()>,
) -> Result<(), CollectorError> {
    Collector::open(settings, clock)?.serve(listener, shutdown).await;
    Ok(())
}

/// Requests with events that one token may have under way.
const MAX_BODIES_EACH: usize = 4;

/// Has the store remove what is too old. It goes on until nothing is left to remove.
async fn remove_old(app: Arc<App>) {
    const DAY: u64 = 86_400;
    loop {
        let keep = &app.settings.store;
        app.store.remove(
            app.ago(u64::from(keep.keep_days) * DAY),
            app.ago(u64::from(keep.keep_report_days) * DAY),
        );
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}

/// Gives memory back to the system once a burst is over.
async fn give_back_memory(app: Arc<App>) {
    let mut given_back = 0;
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let handled = app.metrics.requests.load(std::sync::atomic::Ordering::Relaxed);
        // Not while many are at work: it takes the allocator's lock.
        if handled != given_back
            && app.bodies.available_permits() == app.settings.limits.bodies_mib as usize * 1024
        {
            given_back = handled;
            svm_core::memory::give_back();
        }
    }
}
