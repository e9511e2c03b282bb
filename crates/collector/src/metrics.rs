//! Counters, and their text for Prometheus.

use super::fleet::{Counts, KeySum};
use axum::http::StatusCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use svm_core::prometheus::Text;
use svm_core::text::clean;

/// What is counted since the start.
#[derive(Default)]
pub(super) struct Metrics {
    stored: AtomicU64,
    duplicates: AtomicU64,
    conflicts: AtomicU64,
    transactions: AtomicU64,
    transaction_microseconds: AtomicU64,
    refused: AtomicU64,
    unauthorised: AtomicU64,
    unavailable: AtomicU64,
    /// Requests since the start, whatever became of them.
    pub(super) requests: AtomicU64,
    pub(super) connections: AtomicU64,
    /// Readers of live events now.
    pub(super) live_readers: AtomicU64,
    /// Readers of live events that were cut because they took nothing.
    pub(super) live_cut: AtomicU64,
    /// Connections for which there was no place.
    pub(super) connections_refused: AtomicU64,
    /// Connections that were cut to make room for others.
    pub(super) connections_cut: AtomicU64,
    /// Bytes of the store, without what is free in it.
    pub(super) store_bytes: AtomicU64,
    /// Events removed, by [`RemovalReason`].
    removed: [AtomicU64; 3],
}

/// What one transaction did with the events of its requests.
#[derive(Clone, Copy, Default)]
pub(super) struct CommitCounts {
    /// Events that were not stored before.
    pub(super) stored: u64,
    /// Events that were stored before.
    pub(super) duplicates: u64,
    /// Events refused for their sequence number.
    pub(super) conflicts: u64,
}

/// Why events are removed.
#[derive(Clone, Copy)]
pub(super) enum RemovalReason {
    /// They are older than they may be.
    Age,
    /// Their source has more than it may have.
    Quota,
    /// The store has more than it may have.
    Size,
}

/// Counts up, and down again when dropped.
pub(super) struct Gauge(Arc<Metrics>, fn(&Metrics) -> &AtomicU64);

impl Gauge {
    pub(super) fn up(metrics: &Arc<Metrics>, which: fn(&Metrics) -> &AtomicU64) -> Self {
        which(metrics).fetch_add(1, Relaxed);
        Self(Arc::clone(metrics), which)
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        (self.1)(&self.0).fetch_sub(1, Relaxed);
    }
}

impl Metrics {
    /// A transaction was committed.
    pub(super) fn committed(&self, took: Duration, counts: CommitCounts) {
        self.transactions.fetch_add(1, Relaxed);
        self.transaction_microseconds.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
        self.stored.fetch_add(counts.stored, Relaxed);
        self.duplicates.fetch_add(counts.duplicates, Relaxed);
        self.conflicts.fetch_add(counts.conflicts, Relaxed);
    }

    /// A request was answered with this status.
    pub(super) fn answered(&self, status: StatusCode) {
        let counter = match status.as_u16() {
            401 | 403 => &self.unauthorised,
            400 | 408 | 409 | 413 | 415 | 421 => &self.refused,
            503 => &self.unavailable,
            _ => return,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn removed(&self, reason: RemovalReason, count: u64) {
        let [age, quota, size] = &self.removed;
        match reason {
            RemovalReason::Age => age,
            RemovalReason::Quota => quota,
            RemovalReason::Size => size,
        }
        .fetch_add(count, Relaxed);
    }

    /// All of it in Prometheus' text format.
    pub(super) fn text(&self, svms: Counts, keys: &[KeySum], store_limit: u64) -> String {
        let mut text = Text::default();
        let seconds = Duration::from_micros(self.transaction_microseconds.load(Relaxed)).as_secs_f64();
        for (name, kind, help, value) in [
            ("events_kept_total", "counter", "Events written to disk.", &self.stored),
            ("events_duplicate_total", "counter", "Events that had already been stored.", &self.duplicates),
            (
                "events_conflict_total",
                "counter",
                "Events refused for their sequence number.",
                &self.conflicts,
            ),
            (
                "requests_refused_total",
                "counter",
                "Requests answered 400, 408, 409, 413, 415 or 421.",
                &self.refused,
            ),
            ("requests_unauthorised_total", "counter", "Requests answered 401 or 403.", &self.unauthorised),
            ("requests_unavailable_total", "counter", "Requests answered 503.", &self.unavailable),
            ("transactions_total", "counter", "Transactions committed.", &self.transactions),
            ("connections", "gauge", "Connections open.", &self.connections),
            ("live_readers", "gauge", "Readers of live events.", &self.live_readers),
            (
                "live_cut_total",
                "counter",
                "Readers of live events that were disconnected because they read nothing.",
                &self.live_cut,
            ),
            (
                "connections_refused_total",
                "counter",
                "Connections refused because there were too many.",
                &self.connections_refused,
            ),
            (
                "connections_cut_total",
                "counter",
                "Connections closed to make room for others.",
                &self.connections_cut,
            ),
            ("store_bytes", "gauge", "Bytes of the database, without its free space.", &self.store_bytes),
        ] {
            let name = format!("svm_collector_{name}");
            text.family(&name, kind, help);
            text.sample(&name, &[], value.load(Relaxed));
        }
        text.counter("svm_collector_transaction_seconds_total", "Time spent in transactions.", seconds);
        let svms = [("ok", svms.ok), ("warning", svms.warning), ("critical", svms.critical)];
        text.gauges("svm_collector_svms", "SVMs by status.", "status", svms);
        let removed = "svm_collector_events_removed_total";
        text.family(removed, "counter", "Events removed from the store.");
        for (reason, count) in ["age", "quota", "size"].into_iter().zip(&self.removed) {
            text.sample(removed, &[("reason", reason)], count.load(Relaxed));
        }
        text.gauge(
            "svm_collector_store_limit_bytes",
            "The most bytes that the database may have (store.max_gigabytes).",
            store_limit,
        );
        key_sums(&mut text, keys);
        text.into_string()
    }
}

/// The devices of each key. What is unknown has no line.
fn key_sums(text: &mut Text, keys: &[KeySum]) {
    type Value = fn(&KeySum) -> Option<u64>;
    let gauges: [(&str, &str, Value); 4] = [
        ("key_devices", "Devices of all SVMs of a key that reported a number.", |sum| sum.devices),
        ("key_devices_limit", "Devices that a key allows.", |sum| sum.devices_limit),
        ("key_svms", "SVMs with this active key.", |sum| Some(sum.svms)),
        ("key_svms_unknown", "Of these, SVMs that reported no number of devices.", |sum| {
            Some(sum.svms_unknown)
        }),
    ];
    for (name, help, value) in gauges {
        let name = format!("svm_collector_{name}");
        text.family(&name, "gauge", help);
        for sum in keys {
            if let Some(value) = value(sum) {
                // The text comes from senders.
                text.sample(&name, &[("key", &clean(&sum.key))], value);
            }
        }
    }
}
