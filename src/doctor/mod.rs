//! The doctor: looks at everything that the agent needs, and says what is wrong and what to do.
//!
//! Promises: nothing is changed; it works with the agent running or not, as root or not, with settings that are wrong;
//! what cannot be seen is said. Each look has a thread of its own and all have the same end: one that hangs is a finding.
//! No secret is shown. `settings`, `files`, `running`, `system` and `network` are the looks.

mod files;
mod network;
mod running;
mod settings;
mod system;

use super::settings::Settings;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use svm_core::settings::SettingsError;

/// All looks together end by then.
const ALL: Duration = Duration::from_secs(9);

/// One exchange with something that may not answer.
const ONE: Duration = Duration::from_secs(5);

/// How bad a finding is; the worst decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// To know, or not seen.
    Note,
    /// To be done some time.
    Warning,
    /// To be done now: something does not work.
    Failure,
}

/// Which part of the whole a finding is about; in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is its name")]
pub enum Area {
    Settings,
    Service,
    Subscription,
    Trust,
    Source,
    Delivery,
    Enforcement,
    Updates,
    Clock,
    Identity,
    Files,
    Disk,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Of which part.
    pub area: Area,
    /// How bad it is.
    pub grade: Grade,
    /// What was looked at.
    pub about: String,
    /// How it is.
    pub found: String,
    /// What to do, where something is to be done.
    #[serde(rename = "do")]
    pub remedy: Option<String>,
}

/// The findings of one part, as they come.
struct Findings {
    area: Area,
    found: Vec<Finding>,
}

impl Findings {
    fn of(area: Area) -> Self {
        Self { area, found: Vec::new() }
    }

    fn add(
        &mut self,
        grade: Grade,
        about: impl Into<String>,
        found: impl Into<String>,
        remedy: Option<String>,
    ) {
        let (about, found) = (about.into(), found.into());
        self.found.push(Finding { area: self.area, grade, about, found, remedy });
    }

    fn ok(&mut self, about: impl Into<String>, found: impl Into<String>) {
        self.add(Grade::Ok, about, found, None);
    }

    fn note(&mut self, about: impl Into<String>, found: impl Into<String>) {
        self.add(Grade::Note, about, found, None);
    }

    fn warn(&mut self, about: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) {
        self.add(Grade::Warning, about, found, Some(remedy.into()));
    }

    fn fail(&mut self, about: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) {
        self.add(Grade::Failure, about, found, Some(remedy.into()));
    }
}

/// Only root sees some things.
fn as_root() -> String {
    "not seen: only root and the agent may (sudo svm-agent doctor)".to_owned()
}

/// What all looks begin with.
struct Patient {
    settings: Settings,
    settings_are_right: bool,
    /// The agent does not run, and systemd listens for it: whoever asks would start it.
    asleep: bool,
    /// Whether an agent listens.
    runs: bool,
}

type Look = fn(&Patient) -> Vec<Finding>;

/// Looks at everything. `files` are the layers of settings, `read` what became of them.
pub fn examine(files: &[PathBuf], read: Result<Settings, SettingsError>) -> Vec<Finding> {
    let mut found = settings::look(files, &read);
    let settings_are_right = read.is_ok();
    let Some(settings) = read.ok().or_else(|| settings::places_of(files)) else { return found };
    let spent = svm_core::clock::stopwatch();
    let asleep = system::asleep(&settings);
    let runs = !asleep && files::listens(&settings);
    let patient = Arc::new(Patient { settings, settings_are_right, asleep, runs });
    let looks: [(Area, &str, Look); 4] = [
        (Area::Service, "the agent", running::look),
        (Area::Service, "systemd", system::look),
        (Area::Files, "files", files::look),
        (Area::Delivery, "the network", network::look),
    ];
    let (tell, told) = channel();
    let mut open: Vec<(usize, Area, &str)> = Vec::new();
    for (number, (area, name, look)) in looks.into_iter().enumerate() {
        let tell = tell.clone();
        open.push((number, area, name));
        let patient = patient.clone();
        std::thread::spawn(move || tell.send((number, look(&patient))).ok());
    }
    drop(tell);
    let mut looked = Vec::new();
    while !open.is_empty() {
        match told.recv_timeout(ALL.saturating_sub(spent())) {
            Ok((number, of)) => {
                open.retain(|(open, ..)| *open != number);
                looked.push((number, of));
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    // Whichever was the first to end.
    looked.sort_by_key(|(number, _)| *number);
    found.extend(looked.into_iter().flat_map(|(_, found)| found));
    for (_, area, name) in open {
        let mut late = Findings::of(area);
        let message = format!("no answer within {} s", ALL.as_secs());
        late.warn(
            name,
            message,
            "something hangs: look at the disk, systemd and the network, then try again",
        );
        found.extend(late.found);
    }
    // Stable: within a part in the order in which it was looked at.
    found.sort_by_key(|finding| finding.area);
    found
}

/// Waits for something on a runtime of its own, which is left to itself afterwards: a look-up of a name may hang on.
fn wait<T>(work: impl Future<Output = T>) -> Result<T, std::io::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}
