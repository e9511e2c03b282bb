//! What a store that fails could not take: inputs that nobody waits for, in order, and when to try again.

use super::pending_input::PendingInput;
use crate::log::log_event;
use crate::storage::StoreError;
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::time::Duration;
use svm_core::backoff::Backoff;
use svm_core::events::Operational;
use svm_core::subscription::Input;

/// Inputs that are held back at most; more than a few come only from a vendor that publishes into a broken disk.
const MAX_HELD: usize = 16;

/// The longest wait before a store that failed is tried again.
const MAX_RETRY_WAIT: SignedDuration = SignedDuration::from_secs(60);

/// Between attempts at a store that fails.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(2), MAX_RETRY_WAIT.unsigned_abs());

/// When a store that failed is tried again, and how often it failed.
#[derive(Clone, Copy)]
struct Retry {
    at: Timestamp,
    failures: u32,
}

/// The inputs that wait for the store.
#[derive(Default)]
pub(super) struct Backlog {
    /// In order; no later input overtakes them.
    held: VecDeque<PendingInput>,
    retry: Option<Retry>,
    /// Why the store failed last, while it fails.
    problem: Option<String>,
}

impl Backlog {
    pub(super) fn iter(&self) -> impl Iterator<Item = &PendingInput> {
        self.held.iter()
    }

    pub(super) fn first(&self) -> Option<PendingInput> {
        self.held.front().cloned()
    }

    pub(super) fn remove_first(&mut self) {
        self.held.pop_front();
    }

    pub(super) fn problem(&self) -> Option<&String> {
        self.problem.as_ref()
    }

    pub(super) fn is_retrying(&self) -> bool {
        self.retry.is_some()
    }

    /// When to try the store again, if it fails.
    pub(super) fn retry_at(&self, now: Timestamp) -> Option<Timestamp> {
        // Bounded also if the clock was set back.
        let at = self.retry?.at;
        Some(now.checked_add(MAX_RETRY_WAIT).map_or(at, |most| at.min(most)))
    }

    pub(super) fn recovered(&mut self) {
        self.retry = None;
        if let Some(problem) = self.problem.take() {
            log_event!(STORE_WORKS, was = problem);
        }
    }

    /// Not everything could be stored. Holds `coming` back if nobody repeats it, and plans the next try.
    pub(super) fn failed(&mut self, error: &StoreError, coming: PendingInput, now: Timestamp) {
        if self.is_to_hold(&coming) && self.held.len() < MAX_HELD {
            self.held.push_back(coming);
        }
        // A command that comes meanwhile does not put the next try off.
        if self.retry.is_none_or(|retry| now >= retry.at) {
            let earlier = self.retry.map_or(0, |retry| retry.failures);
            let wait = Duration::from_millis(500) + BACKOFF.jittered(earlier);
            let at = SignedDuration::try_from(wait).ok().and_then(|wait| now.checked_add(wait).ok());
            self.retry = Some(Retry { at: at.unwrap_or(now), failures: earlier.saturating_add(1) });
        }
        if self.problem.is_none() {
            log_event!(STORE_FAILS, %error);
        }
        self.problem = Some(error.to_string());
    }

    /// Whether an input has to be held back. Time comes again, as do a later report and the store's note of dropped
    /// events; delivery asks for a quarantine again, and the poller offers again what is refused.
    fn is_to_hold(&self, coming: &PendingInput) -> bool {
        match &coming.input {
            Input::Tick | Input::Condition(..) => {
                coming.quarantined.is_empty()
                    && coming.renumber_above.is_none()
                    && coming.operational_events.iter().any(Operational::is_reported_once)
            }
            Input::Publish(offer) => offer.is_ok() && !self.held.iter().any(|h| h.input == coming.input),
            _ => false,
        }
    }
}
