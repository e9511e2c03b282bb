//! Metrics as a file, for the textfile collector of Prometheus's node_exporter.
//!
//! Promises: a reader sees a whole file, the old one or the new one; it is written every `metrics.every`, and soon
//! after the engine changed something; a failure is reported as an outage, once.

use super::metrics;
use crate::outage::{FailureKind, Outage};
use crate::status::StatusSource;
use jiff::SignedDuration;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use svm_core::failure_code::FailureCode;
use svm_core::library_words;

/// Changes that come together are written together; so often it is written at most.
const TOGETHER: Duration = Duration::from_secs(10);

/// Writes the file for as long as the program runs, at least `every` so often.
pub async fn keep(path: PathBuf, every: SignedDuration, status: StatusSource) {
    let every = every.unsigned_abs();
    let mut outage = None;
    let mut snapshot = status.context.engine.snapshot.clone();
    loop {
        snapshot.mark_unchanged();
        match write(&path, metrics::now(&status).await.as_bytes()) {
            Ok(()) => Outage::over(&mut outage, FailureKind::MetricsFile),
            Err(error) => {
                let message = format!(
                    "cannot write {}: {}; svm-agent doctor says what to do",
                    path.display(),
                    library_words::io(&error)
                );
                let now = status.context.clock.now();
                Outage::note(
                    &mut outage,
                    now,
                    FailureKind::MetricsFile,
                    FailureCode::MetricsNotWritten,
                    message,
                );
            }
        }
        // The code that ran and the heap that was freed are not needed until the next write.
        svm_core::memory::give_back();
        status.context.clock.sleep(TOGETHER.min(every)).await;
        tokio::select! {
            changed = snapshot.changed() => if changed.is_err() { return },
            () = status.context.clock.sleep(every.saturating_sub(TOGETHER)) => {}
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
