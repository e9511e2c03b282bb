//! The daemon: a session of all parts under the settings as they are, and the next one where they are read again.
//!
//! Ready means: events of the time without power are reported, the permits are right, sockets and outbox work.

mod error;
mod host;
mod opening;
mod reload;
mod session;
mod watchdog;

pub use error::RunError;
pub(super) use host::lock;

use super::control::reload::Reload;
use crate::config::Settings;
use host::HostResources;
use reload::Plan;
use session::Session;
use std::future::Future;
use svm_core::clock::Clock;
use svm_core::settings::SettingsError;
use tokio::sync::{mpsc, watch};

/// Runs the agent until `stop`. `ready` is called once it is.
///
/// Where `hangup` changes, or the control socket says so, `reread` gives the settings anew: where they are right they are
/// taken over, and what is held or waited for is tried at once. `clock` is the system's but in `svm-demo` and tests.
///
/// # Errors
/// [`RunError`]: what it cannot work without.
pub async fn run(
    settings: Settings,
    clock: Clock,
    reread: impl Fn() -> Result<Settings, SettingsError>,
    ready: impl FnOnce(),
    mut hangup: watch::Receiver<u64>,
    stop: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let host = HostResources::open(&settings)?;
    let (reload, mut asked) = mpsc::channel::<Reload>(4);
    let mut session = Session::start(settings, clock, &host, reload.clone(), None, None).await?;
    ready();
    session.report().await;
    tokio::pin!(stop);
    loop {
        let reply = tokio::select! {
            () = &mut stop => break,
            error = session.broken() => {
                session.end().await;
                return Err(error);
            }
            Some(reply) = asked.recv() => Some(reply),
            Ok(()) = hangup.changed() => None,
        };
        let outcome = match reload::plan(&mut session, &reread) {
            Err(refused) => Err(refused),
            Ok(Plan { reloaded, next: None }) => {
                session.reporter.inspect().await;
                Ok(reloaded)
            }
            Ok(Plan { reloaded, next: Some(settings) }) => {
                let keys = reloaded.changes.iter().map(|change| change.key.clone()).collect();
                let clock = session.clock;
                let gateway = session.end().await;
                session =
                    Session::start(*settings, clock, &host, reload.clone(), Some(keys), gateway).await?;
                session.report().await;
                Ok(reloaded)
            }
        };
        if outcome.is_ok() {
            session.nudge.send_modify(|n| *n += 1);
        }
        if let Some(reply) = reply {
            // The requester may have gone.
            reply.send(outcome).ok();
        }
    }
    session.end().await;
    Ok(())
}
