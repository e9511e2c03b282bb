//! Metrics as Prometheus reads them, from the status: nothing is counted twice.
//!
//! Promises: the names and labels of `docs/reference/metrics.md`; labels take their values from closed sets, from the settings,
//! or from the two keys that are held. What does not exist has no sample. No secret.

mod gateway;

use super::fault::Fault;
use super::request::{Answer, Call};
use crate::health::UpdatesHealth;
use crate::status::{DestinationStatus, KeyStatus, PermitStatus, Status, StatusSource};
use jiff::Timestamp;
use svm_core::prometheus::{CONTENT_TYPE, Text};
use svm_core::subscription::{Cause, Permit, Phase};

/// What the process itself counts.
pub(super) struct Process {
    started: Option<Timestamp>,
    dropped: u64,
}

impl Process {
    fn of(source: &StatusSource) -> Self {
        Self {
            started: source.context.health.started(),
            dropped: source.context.engine.snapshot.borrow().dropped,
        }
    }
}

pub(super) async fn show(call: Call<'_>) -> Result<Answer, Fault> {
    Ok(Answer::Text(CONTENT_TYPE, now(&call.api.status).await))
}

pub(super) async fn now(source: &StatusSource) -> String {
    text(&source.status().await, &Process::of(source))
}

pub(super) fn text(status: &Status, process: &Process) -> String {
    let mut out = Text::default();
    out.family("svm_agent_build_info", "gauge", "Versions of the agent and of the protection product.");
    let build = [("version", status.agent_version.as_str()), ("product_version", &status.product_version)];
    out.sample("svm_agent_build_info", &build, 1);
    // Not `process_start_time_seconds`: in a file for node_exporter that would be taken for its own, and refused.
    out.instant(
        "svm_agent_start_timestamp_seconds",
        "When the agent started or last reloaded its settings.",
        process.started,
    );
    subscription(&mut out, status);
    keys(&mut out, &status.keys);
    permits(&mut out, &status.permits);
    if let Some(gateway) = &status.gateway {
        gateway::write(&mut out, gateway);
    }
    source(&mut out, status);
    updates(&mut out, &status.updates);
    destinations(&mut out, status);
    out.counter(
        "svm_agent_events_dropped_total",
        "Pending events that were dropped, because there were too many or they were too old.",
        process.dropped,
    );
    out.gauge(
        "svm_agent_store_failing",
        "Whether the agent cannot write to its database.",
        u8::from(status.store_problem.is_some()),
    );
    out.gauge(
        "svm_agent_clock_suspect",
        "Whether the agent does not trust the system clock.",
        u8::from(status.clock.suspicion.is_some()),
    );
    let ahead = status.clock.wall.duration_since(status.clock.time).as_secs();
    out.gauge(
        "svm_agent_clock_ahead_seconds",
        "How far the system clock is ahead of the trusted time.",
        ahead,
    );
    out.into_string()
}

fn subscription(out: &mut Text, status: &Status) {
    out.gauge(
        "svm_agent_device_status",
        "Device status in the console: 0 OK, 1 Warning, 2 Critical.",
        status.device_status as u8,
    );
    let reasons = status.reasons.iter().map(|reason| (reason.as_str(), 1));
    out.gauges("svm_agent_device_status_reason", "Why the device status is not OK.", "reason", reasons);
    let phases = [Phase::NotActivated, Phase::Active, Phase::Grace, Phase::Restricted];
    let phases = phases.map(|phase| (phase.as_str(), u8::from(phase == status.phase)));
    out.gauges("svm_agent_phase", "Phase of the subscription: 1 for the current one.", "phase", phases);
    let causes = [
        Cause::Ended,
        Cause::Paused,
        Cause::Unpaid,
        Cause::GraceOver,
        Cause::NotGranted,
        Cause::Cancelled,
        Cause::Blocked,
        Cause::Expired,
    ];
    let causes = causes.map(|cause| (cause.as_str(), u8::from(Some(cause) == status.cause)));
    out.gauges(
        "svm_agent_cause",
        "Why the subscription is in grace or restricted: 1 for the cause.",
        "cause",
        causes,
    );
    let lapses = LAPSE_CAUSES.map(|cause| (cause.as_str(), u8::from(Some(cause) == status.lapse_cause)));
    out.gauges(
        "svm_agent_lapse_cause",
        "What started the grace period of a key that is restricted after it: 1 for the cause.",
        "cause",
        lapses,
    );
    if let Some(end) = status.known_end {
        let left = end.ends_at.duration_since(status.at).as_secs().max(0);
        out.gauge(
            "svm_agent_left_seconds",
            "Time until the known end, or in grace until the end of the grace period.",
            left,
        );
        let kinds = KNOWN_ENDS.map(|why| (why.as_str(), u8::from(why == end.why)));
        out.gauges(
            "svm_agent_known_end",
            "The end that svm_agent_left_seconds counts to: 1 for its kind.",
            "why",
            kinds,
        );
    }
    out.instant(
        "svm_agent_next_change_timestamp_seconds",
        "When the next change or reminder is due without any command or document.",
        status.next_change,
    );
    if let Some(count) = status.devices.count {
        out.gauge("svm_agent_devices", "Devices that this SVM protects.", count);
    }
    if let Some(limit) = status.devices.limit {
        out.gauge(
            "svm_agent_devices_limit",
            "Devices that the active key allows, on all SVMs together.",
            limit,
        );
    }
    let problem = u8::from(status.reserve_problem.is_some());
    out.gauge("svm_agent_reserve_unusable", "Whether the reserve key could not take over.", problem);
    out.gauge(
        "svm_agent_activations_pending",
        "Activations that wait for the provider's document.",
        status.activations.len(),
    );
}

/// What a subscription can be known to come to.
const KNOWN_ENDS: [Cause; 6] =
    [Cause::Blocked, Cause::Cancelled, Cause::Ended, Cause::Paused, Cause::Unpaid, Cause::GraceOver];

/// What a lapse can come from.
const LAPSE_CAUSES: [Cause; 3] = [Cause::Ended, Cause::Paused, Cause::Unpaid];

/// What a metric of each held key is, and how it is read.
type OfKey = (&'static str, &'static str, fn(&KeyStatus) -> Option<i64>);

fn keys(out: &mut Text, keys: &[KeyStatus]) {
    if keys.is_empty() {
        return;
    }
    out.family("svm_agent_key_info", "gauge", "Each key on this SVM.");
    for key in keys {
        let labels = [("role", key.role.as_str()), ("kind", key.kind.as_str()), ("key", key.key.as_str())];
        out.sample("svm_agent_key_info", &labels, 1);
    }
    let rows: [OfKey; 6] = [
        ("svm_agent_key_auto_renew", "Whether the provider renews a key automatically.", |key| {
            Some(key.auto_renew.into())
        }),
        ("svm_agent_key_revision", "The revision of a key's document.", |key| i64::try_from(key.rev).ok()),
        ("svm_agent_key_ends_timestamp_seconds", "When a key's term ends.", |key| {
            key.ends_at.map(Timestamp::as_second)
        }),
        ("svm_agent_key_grace_ends_timestamp_seconds", "When a key's grace period ends.", |key| {
            key.grace_ends_at.map(Timestamp::as_second)
        }),
        ("svm_agent_key_paid_until_timestamp_seconds", "Until when a key without an end is paid.", |key| {
            key.paid_until.map(Timestamp::as_second)
        }),
        (
            "svm_agent_key_fresh_until_timestamp_seconds",
            "Until when a key's document counts as recent.",
            |key| key.fresh_until.map(Timestamp::as_second),
        ),
    ];
    for (name, help, read) in rows {
        out.gauges(name, help, "role", keys.iter().filter_map(|key| Some((key.role.as_str(), read(key)?))));
    }
}

fn permits(out: &mut Text, permits: &[PermitStatus]) {
    let value = |verdict| match verdict {
        Permit::Stopped => 0,
        Permit::Limited => 1,
        Permit::Full => 2,
    };
    let each = |read: fn(&PermitStatus) -> u64| permits.iter().map(move |p| (p.resource.as_str(), read(p)));
    out.gauges(
        "svm_agent_permit",
        "Permit for a resource: 0 stopped, 1 limited, 2 full.",
        "resource",
        permits.iter().map(|p| (p.resource.as_str(), value(p.verdict))),
    );
    out.gauges(
        "svm_agent_permit_governed",
        "Whether this SVM uses the resource (enforcement.governs).",
        "resource",
        each(|p| p.governed.into()),
    );
    out.gauges(
        "svm_agent_permit_enforcers",
        "How many gates, gateways and actions enforce the permit.",
        "resource",
        each(|p| p.enforced_by.len() as u64),
    );
    out.gauges(
        "svm_agent_permit_enforced",
        "Whether the permit is enforced now.",
        "resource",
        each(|p| (p.carried_out && !p.enforced_by.is_empty()).into()),
    );
    out.gauges(
        "svm_agent_permit_ends_timestamp_seconds",
        "When the permit ends if the agent does not renew it.",
        "resource",
        permits.iter().filter_map(|p| Some((p.resource.as_str(), p.until?.as_second()))),
    );
}

fn source(out: &mut Text, status: &Status) {
    let source = &status.source;
    out.gauge(
        "svm_agent_source_configured",
        "Whether the agent polls the provider's documents (source.url is set).",
        u8::from(source.configured),
    );
    out.instant(
        "svm_agent_source_heard_timestamp_seconds",
        "When the provider's host last answered with a document, changed or not.",
        source.last_heard_at,
    );
    out.gauge(
        "svm_agent_source_failing",
        "Whether fetching the provider's document fails.",
        u8::from(source.outage.is_some()),
    );
    out.gauge(
        "svm_agent_source_refused",
        "Whether the agent refuses the published document.",
        u8::from(source.refused.is_some()),
    );
}

fn updates(out: &mut Text, updates: &UpdatesHealth) {
    let instants = [
        (
            "svm_agent_updates_started_timestamp_seconds",
            "When a database update last started.",
            updates.last_started_at,
        ),
        (
            "svm_agent_updates_succeeded_timestamp_seconds",
            "When a database update last succeeded.",
            updates.last_succeeded_at,
        ),
        (
            "svm_agent_updates_failed_timestamp_seconds",
            "When a database update last failed.",
            updates.last_failed.as_ref().map(|failed| failed.at),
        ),
        (
            "svm_agent_updates_next_run_timestamp_seconds",
            "When the next database update is due.",
            updates.next_run_at,
        ),
        ("svm_agent_databases_timestamp_seconds", "How recent the databases are.", updates.databases_of),
    ];
    for (name, help, at) in instants {
        out.instant(name, help, at);
    }
    out.gauge(
        "svm_agent_updates_running",
        "Whether a database update runs now.",
        u8::from(updates.running_since.is_some()),
    );
    out.gauge(
        "svm_agent_databases_outdated",
        "Age of the databases: 0 not old or unknown, 1 old, 2 too old.",
        updates.outdated as u8,
    );
}

/// What a metric of each destination is, and how it is read.
type OfDestination = (&'static str, &'static str, fn(&DestinationStatus) -> Option<i64>);

fn destinations(out: &mut Text, status: &Status) {
    let rows: [OfDestination; 6] = [
        ("svm_agent_events_waiting", "Events that are pending for a destination.", |d| {
            i64::try_from(d.waiting).ok()
        }),
        (
            "svm_agent_events_oldest_timestamp_seconds",
            "When the oldest pending event of a destination happened.",
            |d| Some(d.oldest.as_ref()?.parse::<Timestamp>().ok()?.as_second()),
        ),
        ("svm_agent_events_quarantined", "Events that a destination refused.", |d| {
            i64::try_from(d.quarantined).ok()
        }),
        ("svm_agent_delivered_timestamp_seconds", "When a destination last accepted events.", |d| {
            Some(d.health.last_delivered_at?.as_second())
        }),
        ("svm_agent_delivery_failing", "Whether delivery to a destination fails.", |d| {
            Some(i64::from(d.health.outage.is_some()))
        }),
        (
            "svm_agent_delivery_failing_since_timestamp_seconds",
            "Since when delivery to a destination fails.",
            |d| Some(d.health.outage.as_ref()?.since.as_second()),
        ),
    ];
    for (name, help, read) in rows {
        let samples = status.destinations.iter().filter_map(|(name, d)| Some((name.as_str(), read(d)?)));
        out.gauges(name, help, "destination", samples);
    }
}
