//! Notices without a question: the status line of `systemctl status svm-agent`, and a file that is shown at login while the
//! subscription needs attention (`motd(5)`).
//!
//! Promises: both follow the engine's snapshot within seconds; a reader of the file sees a whole one; it is there only
//! while it says something, and goes when the agent stops. A file that cannot be written is tried again with the next change:
//! permits lie in the same folder, and the engine reports their failure.

use crate::status::{PermitStatus, Status, StatusSource};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;
use svm_core::atomic_file::write_atomically;
use svm_core::subscription::Settings as Rules;
use svm_core::text::clean;
use svm_core::words::Language;
use svm_core::words::notices::{Facts, PermitFacts};

/// The file, in the runtime folder; `/run/motd.d/50-svm-agent` is a link to it.
pub const MOTD: &str = "motd";

/// Changes within this time are shown together: an event that is delivered at once never shows as one that waits.
const TOGETHER: Duration = Duration::from_secs(2);

/// While events wait, their number is looked up again after this time: a delivery changes no snapshot.
const WAITING_AGAIN: Duration = Duration::from_secs(60);

/// Writes the notices.
pub struct Notices {
    /// What they are about.
    pub source: StatusSource,
    /// When people are reminded of an end.
    pub rules: Rules,
    /// The runtime folder.
    pub runtime_dir: PathBuf,
    /// Whether there is a file for logins.
    pub is_motd_enabled: bool,
    /// Of both.
    pub language: Language,
}

impl Notices {
    /// Shows both until the engine is gone.
    pub async fn run(self) {
        let mut snapshot = self.source.context.engine.snapshot.clone();
        let mut login = LoginFile::new(self.runtime_dir.join(MOTD), self.is_motd_enabled);
        let (mut shown, mut is_first) = (String::new(), true);
        loop {
            snapshot.mark_unchanged();
            let status = self.source.status().await;
            // Most events wait at every destination; the one that is behind most has them all.
            let waiting = status.destinations.values().map(|of| of.waiting).max().unwrap_or(0);
            let (line, lines) = self.texts(&status, waiting);
            login.show(&lines);
            if line != shown {
                sd_notify::notify(&[sd_notify::NotifyState::Status(&clean(&line))]).ok();
                shown = line;
            }
            tokio::time::sleep(TOGETHER).await;
            // What enforces the permits is not known at once.
            if std::mem::take(&mut is_first) {
                continue;
            }
            let again = async {
                match waiting {
                    0 => std::future::pending().await,
                    _ => tokio::time::sleep(WAITING_AGAIN).await,
                }
            };
            tokio::select! {
                changed = snapshot.changed() => if changed.is_err() { return },
                () = again => {}
            }
        }
    }

    /// The status line, and the lines of the file.
    fn texts(&self, status: &Status, waiting: u64) -> (String, Vec<String>) {
        let situation = status.situation();
        let facts = |of: &PermitStatus| PermitFacts {
            resource: of.resource,
            permit: of.verdict,
            since: of.since,
            is_unenforced: of.governed && of.enforced_by.is_empty(),
        };
        let permits: Vec<PermitFacts> = status.permits.iter().map(facts).collect();
        let facts = Facts {
            situation: &situation,
            vendor: status.active().and_then(|key| key.vendor.as_ref()),
            permits: &permits,
            store_problem: status.store_problem.as_deref(),
            remind_days: situation
                .known_end
                .and_then(|end| self.rules.reminders_before(end.why).first().copied()),
        };
        (facts.status_line(waiting, self.language), facts.login(self.language))
    }
}

/// The file for logins; it is removed when this is dropped.
struct LoginFile {
    path: PathBuf,
    is_enabled: bool,
    /// What it has now; nothing if it is absent.
    text: String,
}

impl LoginFile {
    /// Removes what an agent left that was killed, also if none is to be written.
    fn new(path: PathBuf, is_enabled: bool) -> Self {
        let file = Self { path, is_enabled, text: String::new() };
        file.remove().ok();
        file
    }

    fn show(&mut self, lines: &[String]) {
        let text: String = lines.iter().map(|line| format!("{}\n", clean(line))).collect();
        if !self.is_enabled || text == self.text {
            return;
        }
        let written = match text.is_empty() {
            true => self.remove(),
            false => write_atomically(&self.path, text.as_bytes(), 0o644),
        };
        if written.is_ok() {
            self.text = text;
        }
    }

    fn remove(&self) -> std::io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for LoginFile {
    fn drop(&mut self) {
        self.remove().ok();
    }
}
