//! The watchdog of systemd (`sd_watchdog_enabled(3)`), fed by the engine's own progress: if its loop hangs, systemd
//! restarts the agent. Permits have their own end in the meantime.

use crate::engine::{Command, Handle};
use std::time::Duration;

/// Tells systemd that the engine answers, twice in its limit, as `sd_watchdog_enabled(3)` advises; for ever, where there is no limit.
pub(super) async fn feed(engine: Handle) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    loop {
        // What is kept by a disk that is slow counts as progress; what is not kept is the engine's to tell.
        if engine.command(Command::Alive).await.is_ok() {
            sd_notify::notify(&[sd_notify::NotifyState::Watchdog]).ok();
        }
        tokio::time::sleep((limit / 2).max(Duration::from_millis(100))).await;
    }
}
