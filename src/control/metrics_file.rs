//! Metrics as a file, for the textfile collector of Prometheus's node_exporter.
//!
//! Promises: whoever reads sees a whole file, the old one or the new one; it is written every `metrics.every`, and soon
//! after the engine changed something; a failure is told as an outage, once.

use super::api::Api;
use super::metrics;
use crate::outage::{Outage, Trouble};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// Changes that come together are written together; so often it is written at most.
const TOGETHER: Duration = Duration::from_secs(10);

/// Writes the file for as long as the program runs; without `metrics.textfile` it ends at once.
pub async fn keep(api: Api) {
    let Some(path) = api.settings.metrics.textfile.clone() else { return };
    let every = api.settings.metrics.every.unsigned_abs();
    let mut outage = None;
    let mut picture = api.engine.picture.clone();
    loop {
        picture.mark_unchanged();
        match write(&path, metrics::now(&api).await.as_bytes()) {
            Ok(()) => Outage::over(&mut outage, Trouble::MetricsFile),
            Err(error) => {
                let message = format!("{}: {error}; svm-agent doctor says what to do", path.display());
                let now = api.clock.now();
                Outage::note(&mut outage, now, Trouble::MetricsFile, "metrics_not_written", message);
            }
        }
        api.clock.sleep(TOGETHER.min(every)).await;
        tokio::select! {
            changed = picture.changed() => if changed.is_err() { return },
            () = api.clock.sleep(every.saturating_sub(TOGETHER)) => {}
        }
    }
}

/// Replaces the file. A scrape that is lost with the power is no loss: nothing is synced.
fn write(path: &Path, contents: &[u8]) -> std::io::Result<()> {
    // node_exporter reads what ends in .prom alone.
    let next = path.with_extension("prom.new");
    match std::fs::remove_file(&next) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next)?;
    let written = file.write_all(contents).and_then(|()| {
        // For everyone, whatever the umask takes away.
        rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(0o644))?;
        std::fs::rename(&next, path)
    });
    written.inspect_err(|_| drop(std::fs::remove_file(&next)))
}
