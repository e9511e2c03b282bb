//! `[outbox]`: how much is kept of events, and for how long.

use crate::config::check::Check;
use jiff::SignedDuration;
use serde::Deserialize;

/// How much is kept of events.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Events that wait for nobody and are kept all the same.
    pub history: u32,
    /// Bytes of all events together, each counted with its body and 512 for what stands beside it.
    pub bytes: u64,
}

/// The keys as they are written.
#[derive(Deserialize)]
pub(crate) struct RawOutbox {
    history: u32,
    max_megabytes: u64,
    max_age: String,
}

impl Check<'_> {
    /// How much is kept, and after how long what still waits is dropped.
    pub(crate) fn outbox(&mut self, raw: &RawOutbox) -> Option<(Retention, SignedDuration)> {
        let megabytes = raw.max_megabytes;
        let megabytes = self.take(
            "outbox.max_megabytes",
            (1..=100_000).contains(&megabytes).then_some(megabytes).ok_or("must be 1 to 100000"),
        );
        let max_age = self.span("outbox.max_age", &raw.max_age, 86_400, 3650 * 86_400);
        Some((Retention { history: raw.history, bytes: megabytes? * 1_000_000 }, max_age?))
    }
}
