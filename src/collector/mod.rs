//! The collector: takes events, keeps them, shows the fleet.
//!
//! Promises: an answer names only what is on disk; an event is kept once; what is missing or was sent twice under
//! one number is seen; the state of an SVM is that of its latest event. Memory is bounded, whoever sends or
//! reads. It must not know the agent or the vendor: it believes events, and nothing else.
//!
//! A request goes `serve` → `ingest` → `coding`, `wire` and `cloudevent` → `store`, and the answer back. Readers go
//! `serve` → `api`, `page` or `live` → `store`.

pub mod cli;
pub mod fleet;
pub mod gaps;
pub mod machines;
pub mod settings;
pub mod store;
pub mod token_file;
pub mod tokens;

mod answer;
mod api;
mod cloudevent;
mod coding;
mod ingest;
mod live;
mod metrics;
mod page;
mod serve;
mod wire;

pub use settings::Settings;

use crate::clock::Clock;
use crate::settings::SettingsError;
use jiff::{SignedDuration, Timestamp};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
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

/// What all requests share.
struct App {
    settings: Settings,
    store: store::Store,
    metrics: Arc<metrics::Metrics>,
    tokens: Option<Arc<token_file::TokenFile>>,
    clock: Clock,
    bodies: Semaphore,
    live: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

impl App {
    /// An SVM whose last contact is before this was silent for too long.
    fn silent_before(&self) -> Timestamp {
        self.ago(u64::from(self.settings.svms.silent_after_minutes) * 60)
    }

    fn ago(&self, seconds: u64) -> Timestamp {
        let span = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        self.clock.now().checked_sub(span).unwrap_or(Timestamp::MIN)
    }
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
        settings.check(&crate::settings::Origins::default())?;
        let tokens = match settings.tokens.required {
            true => Some(Arc::new(token_file::TokenFile::open(&settings.tokens.file)?)),
            false => None,
        };
        let metrics = Arc::new(metrics::Metrics::default());
        let (store, store_closed) = store::Store::open(&settings.store.path, Arc::clone(&metrics))?;
        let (close, closing) = watch::channel(false);
        let app = App {
            bodies: Semaphore::new(settings.limits.bodies_mib as usize * 1024),
            live: Arc::new(Semaphore::new(settings.limits.live_readers as usize)),
            settings,
            store,
            metrics,
            tokens,
            clock,
            closing,
        };
        Ok(Self { app: Arc::new(app), close, store_closed })
    }

    /// The token file, to have it read again; `None` where no token is required.
    pub fn token_file(&self) -> Option<Arc<token_file::TokenFile>> {
        self.app.tokens.clone()
    }

    /// Serves until `shutdown` is over, lets requests finish, and closes the store.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let Self { app, close, store_closed } = self;
        let pruning = tokio::spawn(prune_hourly(Arc::clone(&app)));
        let run = serve::run(app, listener, close.subscribe());
        let closing = async {
            shutdown.await;
            close.send_replace(true);
        };
        tokio::join!(run, closing);
        pruning.abort();
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

async fn prune_hourly(app: Arc<App>) {
    const DAY: u64 = 86_400;
    loop {
        let keep = &app.settings.store;
        app.store
            .prune(app.ago(u64::from(keep.keep_days) * DAY), app.ago(u64::from(keep.keep_report_days) * DAY));
        // Often enough for 300,000 events an hour, since each look removes a bounded number.
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}
