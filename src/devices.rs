//! The devices file: the product writes the number of devices that it protects, and the engine learns it from here.

use super::engine::{Command, Handle};
use crate::config::MAX_LINE_FILE;
use crate::context::CheckRequest;
use crate::log::log_event;
use std::path::{Path, PathBuf};
use svm_core::files;
use svm_core::library_words;
use tokio::sync::mpsc;

/// The task that reads the devices file when it is asked to, and sends the engine each new number.
pub struct DevicesFile {
    file: Option<PathBuf>,
    engine: Handle,
    /// Why the file could not be read last, already logged.
    problem: Option<String>,
}

impl DevicesFile {
    /// Without a `file` nothing is ever read.
    pub fn new(file: Option<PathBuf>, engine: Handle) -> Self {
        Self { file, engine, problem: None }
    }

    /// Checks the file for each request; the answer comes once the engine has the number.
    pub async fn run(mut self, mut requests: mpsc::Receiver<CheckRequest>) {
        while let Some(reply) = requests.recv().await {
            self.check().await;
            reply.send(()).ok();
        }
    }

    /// Reads the file. An unreadable file changes no number, and is logged once.
    pub async fn check(&mut self) {
        let Some(file) = &self.file else { return };
        match count(file) {
            Ok(count) => {
                self.problem = None;
                let known = self.engine.snapshot.borrow().state.protected_devices;
                if known != Some(count) {
                    // The engine logs that it cannot store the number, and the next check tries again.
                    self.engine.command(Command::Devices(Some(count))).await.ok();
                }
            }
            Err(error) if self.problem.as_ref() == Some(&error) => {}
            Err(error) => {
                let file = file.display();
                log_event!(DEVICES_UNREADABLE, %file, %error);
                self.problem = Some(error);
            }
        }
    }
}

/// The number in the first line.
fn count(file: &Path) -> Result<u64, String> {
    let text = files::read_text_bounded(file, MAX_LINE_FILE).map_err(|error| library_words::io(&error))?;
    let line = text.lines().next().unwrap_or_default().trim();
    line.parse::<u64>().map_err(|_| "its first line is not a number, such as 85".to_owned())
}
