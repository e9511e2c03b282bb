//! The doctor: checks everything that the agent needs, and says what is wrong and what to do.
//!
//! Promises: nothing is changed; it works with the agent running or not, as root or not, with settings that are wrong;
//! what cannot be seen is a finding. Each check has its own thread and all have the same end: one that hangs is a finding.
//! No secret is shown. `settings`, `files`, `running`, `system` and `network` are the checks.

mod context;
mod files;
mod finding;
mod network;
mod running;
mod settings;
mod system;

use crate::config::Settings;
use context::DoctorContext;
pub use files::listens;
use finding::Findings;
pub use finding::{Area, Finding, Grade};
pub use settings::places_of;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use svm_core::settings::SettingsError;
pub use system::asleep;

/// All checks together end by then.
const ALL: Duration = Duration::from_secs(9);

type Check = fn(&DoctorContext) -> Vec<Finding>;

/// Looks at everything. `files` are the layers of settings, `read` what became of them.
pub fn examine(files: &[PathBuf], read: Result<Settings, SettingsError>) -> Vec<Finding> {
    let mut found = settings::check(files, &read);
    let settings_are_right = read.is_ok();
    let Some(settings) = read.ok().or_else(|| settings::places_of(files)) else { return found };
    let spent = svm_core::clock::stopwatch();
    let asleep = system::asleep(&settings);
    let runs = !asleep && files::listens(&settings);
    let context = Arc::new(DoctorContext { settings, settings_are_right, asleep, runs });
    let checks: [(Area, &str, Check); 4] = [
        (Area::Service, "the agent", running::check),
        (Area::Service, "systemd", system::check),
        (Area::Files, "files", files::check),
        (Area::Delivery, "the network", network::check),
    ];
    let (sender, receiver) = channel();
    let mut open: Vec<(usize, Area, &str)> = Vec::new();
    for (number, (area, name, check)) in checks.into_iter().enumerate() {
        let sender = sender.clone();
        open.push((number, area, name));
        let context = context.clone();
        std::thread::spawn(move || sender.send((number, check(&context))).ok());
    }
    drop(sender);
    let mut checked = Vec::new();
    while !open.is_empty() {
        match receiver.recv_timeout(ALL.saturating_sub(spent())) {
            Ok((number, of)) => {
                open.retain(|(open, ..)| *open != number);
                checked.push((number, of));
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    // Whichever was the first to end.
    checked.sort_by_key(|(number, _)| *number);
    found.extend(checked.into_iter().flat_map(|(_, found)| found));
    for (_, area, name) in open {
        let mut late = Findings::of(area);
        let message = format!("no answer within {} s", ALL.as_secs());
        late.warn(name, message, "something hangs: check the disk, systemd and the network, then try again");
        found.extend(late.found);
    }
    // Stable: within a part in the order in which it was checked.
    found.sort_by_key(|finding| finding.area);
    found
}
