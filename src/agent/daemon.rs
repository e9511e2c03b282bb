//! The daemon: puts the parts together, in the order in which they can rely on each other.
//!
//! Ready means: what was slept through is told, the permits are right, sockets and outbox stand.

use super::activation::Activations;
use super::board::Board;
use super::control::{self, Api, SocketError};
use super::delivery::Delivery;
use super::enforcement::gateway;
use super::enforcement::keeper::{Dues, Keeper};
use super::enforcement::owed;
use super::enforcement::permit_file;
use super::enforcement::updates::Updates;
use super::engine::{Engine, Order};
use super::identity;
use super::reserve::ReserveWatch;
use super::settings::{Destination, Settings};
use super::source::{poller::Poller, schedule::spread_of};
use super::store::{Commit, Opened, Plan, Route, Store, StoreError, TIME_NOTE};
use crate::clock::Clock;
use crate::subscription::Resource;
use std::future::Future;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Why the daemon cannot work.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A folder or file cannot be used.
    #[error("cannot use {path}")]
    Path {
        /// Which.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// One is there already.
    #[error("another svm-agent works in {0}")]
    AlreadyRunning(PathBuf),
    /// A socket.
    #[error("cannot be asked anything")]
    Socket(#[from] SocketError),
    /// The store.
    #[error("cannot keep anything")]
    Store(#[from] StoreError),
    /// The gateway's thread.
    #[error("the gateway cannot run")]
    Gateway(#[source] std::io::Error),
    /// A part of the daemon ended, which it never should.
    #[error("a part of the agent ended: {0}")]
    Ended(String),
}

fn folder(path: &Path, mode: u32) -> Result<(), RunError> {
    let made = || {
        if path.is_dir() {
            return Ok(());
        }
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
    };
    made().map_err(|source| RunError::Path { path: path.to_owned(), source })
}

/// One daemon for each state folder: holds until the process ends.
pub(super) fn lock(folder: &Path) -> Result<std::fs::File, RunError> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = folder.join("lock");
    let failed = |source| RunError::Path { path: path.clone(), source };
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(failed)?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(RunError::AlreadyRunning(folder.to_owned())),
        Err(error) => Err(failed(error.into())),
    }
}

/// Runs the agent until `stop`. `ready` is called once it is.
///
/// Where `nudge` changes, what is held or waited for is tried at once. `clock` is the system's but in `svm-demo` and tests.
///
/// # Errors
/// [`RunError`]: what it cannot work without.
pub async fn run(
    settings: Settings,
    clock: Clock,
    ready: impl FnOnce(),
    nudge: watch::Receiver<u64>,
    stop: impl Future<Output = ()>,
) -> Result<(), RunError> {
    // Whatever is made without a word on its mode, such as by SQLite, is ours alone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    folder(&settings.state_dir, 0o700)?;
    folder(&settings.runtime_dir, 0o755)?;
    folder(&permit_file::folder(&settings.runtime_dir), 0o755)?;
    folder(&owed::folder(&settings.runtime_dir), 0o755)?;
    let _lock = lock(&settings.state_dir)?;
    let listeners = control::open(&settings.runtime_dir)?;
    let route = |(name, destination): (&String, &Destination)| Route {
        name: name.clone(),
        filter: destination.filter.clone(),
    };
    let routes = settings.destinations.iter().map(route).collect();
    let plan = Plan { routes, bounds: settings.outbox };
    let make_id = || uuid::Uuid::now_v7().to_string();
    let machine = identity::of_this_machine(&settings.identity, &settings.runtime_dir);
    let (store, opened) = Store::open(&settings.state_dir, plan, clock.now(), &machine, make_id)?;
    let Opened { id, new_id, bond, changed, state, papers, source_note, time_note, rebuilt, left } = opened;
    let clock = clock.trusted(time_note.as_deref(), settings.clock_dwell);
    if new_id {
        tracing::info!(id, "this SVM has a new id");
    }
    if let Some(changed) = &changed {
        tracing::warn!(
            id,
            old_id = changed.old_id,
            why = changed.why.as_str(),
            "this SVM has a new id: the one that it had is another machine's, or was reset; its keys are kept, and what waited under the old id is dropped"
        );
    }
    if let Some(rebuilt) = &rebuilt {
        tracing::error!(set_aside = rebuilt.set_aside, "the database was rebuilt: {}", rebuilt.problem);
    }
    for (name, events) in &left {
        tracing::warn!(
            destination = name,
            events,
            "the destination is configured no more; what waits for it is kept as history, and goes on if it comes back"
        );
    }
    if settings.destinations.is_empty() {
        tracing::warn!("no destination is configured: no console hears of this SVM");
    }
    let settings = Arc::new(settings);
    let board = Arc::new(Board::default());
    board.show_start(clock.now());
    let (mut engine, handle) =
        Engine::new(settings.clone(), clock, store.clone(), board.clone(), &id, (state, papers));
    engine.begin(changed, rebuilt).await;

    let mut parts = JoinSet::new();
    parts.spawn(async move {
        clock.watch_steps().await;
        "clock"
    });
    for (name, destination) in &settings.destinations {
        let delivery = Delivery {
            name: name.clone(),
            settings: destination.clone(),
            store: store.clone(),
            engine: handle.clone(),
            clock,
            board: board.clone(),
            nudge: nudge.clone(),
        };
        parts.spawn(async move {
            delivery.run().await;
            "delivery"
        });
    }
    let (refresh, refresh_asked) = mpsc::channel(8);
    let poller = Poller {
        settings: settings.clone(),
        clock,
        engine: handle.clone(),
        store: store.clone(),
        board: board.clone(),
        spread: spread_of(&id),
    };
    parts.spawn(async move {
        poller.run(source_note, refresh_asked).await;
        "poller"
    });
    let watch_reserve = ReserveWatch {
        settings: settings.clone(),
        clock,
        engine: handle.clone(),
        store: store.clone(),
        board: board.clone(),
        spread: spread_of(&id),
    };
    parts.spawn(async move {
        watch_reserve.run().await;
        "reserve"
    });
    let (wishes, wished) = mpsc::channel(8);
    let activations = Activations {
        settings: settings.clone(),
        clock,
        engine: handle.clone(),
        store: store.clone(),
        board: board.clone(),
    };
    parts.spawn(async move {
        activations.run(wished).await;
        "activations"
    });
    let gateway = match &settings.gateway {
        Some(gateway) => {
            let started = gateway::start(gateway.clone(), clock, handle.permits.clone());
            let started = Arc::new(started.map_err(RunError::Gateway)?);
            board.show_gateway(started.clone());
            Some(started)
        }
        None => None,
    };
    let (look, look_asked) = watch::channel(0);
    let (look_too, mut nudged) = (look.clone(), nudge.clone());
    parts.spawn(async move {
        while nudged.changed().await.is_ok() {
            look_too.send_modify(|n| *n += 1);
        }
        // Nobody nudges any more, as in the demonstration.
        std::future::pending().await
    });
    let (run_now, run_asked) = mpsc::channel(8);
    for resource in Resource::ALL {
        let keeper = Keeper {
            resource,
            settings: settings.clone(),
            clock,
            engine: handle.clone(),
            board: board.clone(),
            gateway: gateway.clone().filter(|_| resource == Resource::Ksn),
            updates: run_now.clone(),
            look: look_asked.clone(),
            dues: Dues::default(),
            untold: Vec::new(),
        };
        parts.spawn(async move {
            keeper.run().await;
            "keeper"
        });
    }
    let updates = Updates {
        settings: settings.clone(),
        clock,
        engine: handle.clone(),
        store: store.clone(),
        board: board.clone(),
        asked: run_asked,
    };
    parts.spawn(async move {
        updates.run().await;
        "updates"
    });
    let hostname = rustix::system::uname().nodename().to_string_lossy().into();
    let api = Api {
        settings,
        clock,
        engine: handle.clone(),
        store: store.clone(),
        board,
        refresh,
        activations: wishes,
        look,
        run_now,
        id: id.into(),
        bond: Arc::new(bond),
        hostname,
    };
    if api.settings.metrics.textfile.is_some() {
        let api = api.clone();
        parts.spawn(async move {
            control::keep_metrics_file(api).await;
            "metrics file"
        });
    }
    for (door, listener) in listeners {
        let api = api.clone();
        parts.spawn(async move {
            control::serve(api, door, listener).await;
            "socket"
        });
    }
    parts.spawn(async move {
        engine.run().await;
        "engine"
    });
    ready();
    // The first report says what the console may have missed; a store that fails is told by the engine.
    handle.order(Order::Report).await.ok();
    let ended = tokio::select! {
        () = stop => Ok(()),
        part = parts.join_next() => {
            Err(RunError::Ended(part.map_or_else(|| "all".to_owned(), |part| part.map_or_else(|e| e.to_string(), str::to_owned))))
        }
    };
    parts.shutdown().await;
    // So that the next start knows as well as can be when this one ended; what was kept with the last event will do.
    let notes = vec![(TIME_NOTE, clock.memory())];
    store.commit(Commit { notes, ..Commit::default() }).await.ok();
    store.close().await;
    ended
}
