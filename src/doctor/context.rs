//! What all checks of the doctor share.

use crate::config::Settings;
use jiff::Timestamp;
use std::time::Duration;
use svm_core::words::{Language, times};

/// One exchange with something that may not answer.
pub(super) const ONE: Duration = Duration::from_secs(5);

/// What is found if only root can see it.
pub(super) fn as_root() -> String {
    "not checked: only root and the agent can see it (sudo svm-agent doctor)".to_owned()
}

/// An instant, for people.
pub(super) fn instant(at: Timestamp) -> String {
    times::instant(at, Language::English)
}

/// What all checks begin with.
pub(super) struct DoctorContext {
    pub(super) settings: Settings,
    pub(super) settings_are_right: bool,
    /// The agent does not run, and systemd listens for it: a request would start it.
    pub(super) asleep: bool,
    /// Whether an agent listens.
    pub(super) runs: bool,
}

/// Waits for something on a runtime of its own, which is left to itself afterwards: a look-up of a name may hang on.
pub(super) fn wait<T>(work: impl Future<Output = T>) -> Result<T, std::io::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}
