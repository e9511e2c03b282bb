//! Outages: what fails again and again is told when it begins, when it lasts, and when it is over.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A failure that lasts this long is told a second time, as an error.
const LASTS: SignedDuration = SignedDuration::from_mins(10);

/// Something that fails at present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// The short name of the failure.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
    /// How often in a row.
    pub times: u32,
    /// Whether it was told that it lasts.
    #[serde(default)]
    told_lasting: bool,
}

impl Outage {
    /// One more failure of `what`, with a log line where one is due. Another code begins another outage.
    pub fn note(now: &mut Option<Self>, at: Timestamp, what: &str, code: &str, message: String) {
        match now {
            Some(outage) if outage.code == code => {
                outage.times = outage.times.saturating_add(1);
                outage.message = message;
                if !outage.told_lasting && at.duration_since(outage.since) >= LASTS {
                    outage.told_lasting = true;
                    tracing::error!(code, since = %outage.since, times = outage.times, "{what} still fails: {}", outage.message);
                }
            }
            _ => {
                tracing::warn!(code, "{what} fails: {message}");
                *now =
                    Some(Self { code: code.to_owned(), message, since: at, times: 1, told_lasting: false });
            }
        }
    }

    /// What failed before a restart and was not over: told once more, as it is the beginning of a log.
    pub fn resumed(&self, what: &str) {
        let Self { code, since, times, message, .. } = self;
        tracing::warn!(code, %since, times, "{what} failed until the restart: {message}");
    }

    /// It works again.
    pub fn over(now: &mut Option<Self>, what: &str) {
        if let Some(outage) = now.take() {
            let Self { code, since, times, .. } = outage;
            tracing::info!(code, %since, times, "{what} works again");
        }
    }
}
