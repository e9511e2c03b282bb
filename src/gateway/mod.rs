//! The gateway: KSN look-ups go through it, as far as the permit allows.
//!
//! Promises: it does what the permit for KSN says, on a thread of its own, so that a flood of look-ups never slows the
//! agent and an agent that hangs never keeps it open: it follows the permit's own end without the agent. While KSN is
//! stopped it keeps listening, so that no other program takes its port, and refuses connections. What it reports as in
//! force is done.
//! It must not know of keys and phases, nor what a look-up is: it passes on bytes.

mod connections;
mod files;
mod listener;
mod owners;
mod relay;
mod serve;
mod shared;
mod upstream;

use crate::config::GatewaySettings;
use crate::health::GatewayHealth;
use crate::permits::follower::PermitFollower;
use crate::permits::permit_file::PermitFile;
use serve::Server;
use shared::Shared;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use svm_core::clock::Clock;
use svm_core::lock::lock;
use svm_core::subscription::Permit;
use tokio::sync::{oneshot, watch};

/// Of the thread and of those that look up names: enough for `getaddrinfo(3)`.
const STACK_BYTES: usize = 256 * 1024;

/// So many threads look up names at most.
const LOOKUPS: usize = 2;

/// A gateway that runs, until [`Gateway::end`] or until this is dropped.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    in_force: watch::Receiver<Permit>,
    /// The thread, and what ends it when it is dropped.
    runs: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

/// Starts a gateway. `permits` are those of all resources; without one for KSN nothing is allowed.
///
/// A port that cannot be bound is no error: [`Gateway::health`] and the log report it, and it is retried after a second,
/// then less and less often, up to every 30 s.
///
/// # Errors
/// Where the thread cannot be made.
pub fn start(
    settings: GatewaySettings,
    clock: Clock,
    permits: watch::Receiver<Vec<PermitFile>>,
) -> std::io::Result<Gateway> {
    let connections = files::make_room(settings.max_connections);
    let shared = Arc::new(Shared::new(&settings, connections));
    let (applied, in_force) = watch::channel(Permit::Stopped);
    let (end, ended) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name("gateway-names")
        .thread_stack_size(STACK_BYTES)
        .max_blocking_threads(LOOKUPS)
        .build()?;
    let server = Server::new(settings, connections, clock, shared.clone(), applied);
    let thread =
        std::thread::Builder::new().name("gateway".into()).stack_size(STACK_BYTES).spawn(move || {
            runtime.block_on(server.run(permits, ended));
            // Without waiting for names that are being looked up.
            runtime.shutdown_background();
        })?;
    Ok(Gateway { shared, in_force, runs: Mutex::new(Some((end, thread))) })
}

impl Gateway {
    pub fn health(&self) -> GatewayHealth {
        self.shared.health(*self.in_force.borrow())
    }

    /// Closes everything and gives the port back, even if others still read its health.
    pub fn end(&self) {
        let runs = lock(&self.runs).take();
        if let Some((end, thread)) = runs {
            drop(end);
            // One that panicked has closed everything too.
            thread.join().ok();
        }
    }
}

impl PermitFollower for Gateway {
    fn in_force(&self) -> watch::Receiver<Permit> {
        self.in_force.clone()
    }

    fn problem(&self) -> Option<String> {
        self.health().problem
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.end();
    }
}
