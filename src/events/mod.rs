//! Events as they are kept and told: one JSON text each, nearly ready to send.
//!
//! Promises: what is rendered here is a CloudEvent 1.0 whose `data` carries Kaspersky Security Center's names
//! beside ours, the status of the SVM as of the event, and a snapshot of its key. Must not know: files,
//! networks, destinations. The form is described in `docs/delivery.md`.

mod filter;
mod words;

pub use filter::{Filter, NoPattern, TypePattern};
pub use words::{because, in_days, new_id_because, vendor_state, when};

use crate::subscription::{
    Cause, Course, Event, KeyId, KeyKind, KnownEnd, Order, Permit, Phase, Resource, Role, Severity, State,
    Statement, Vendor, VendorState, View,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What all events of one SVM say of it.
#[derive(Clone, Debug)]
pub struct Origin {
    /// `urn:svm:` and the SVM's id.
    pub source: String,
    /// The machine's name.
    pub hostname: String,
    /// The protection product.
    pub product_name: String,
    /// Its version.
    pub product_version: String,
    /// Made anew at each start, and longer after a dot once numbers were reverted: it tells two machines with one id
    /// apart, and names neither.
    pub instance: String,
}

/// The key, its dates and what is allowed, as of an event: whoever has the newest event knows the SVM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of `docs/delivery.md`")]
pub struct Snapshot {
    pub key: Option<KeyId>,
    pub kind: Option<KeyKind>,
    pub rev: Option<u64>,
    pub activated_at: Option<Timestamp>,
    pub state: Option<VendorState>,
    pub state_since: Option<Timestamp>,
    pub lapse_cause: Option<Cause>,
    pub known_end: Option<KnownEnd>,
    pub auto_renew: Option<bool>,
    pub ends_at: Option<Timestamp>,
    pub paid_until: Option<Timestamp>,
    pub grace_ends_at: Option<Timestamp>,
    pub vendor: Option<Vendor>,
    pub order: Option<Order>,
    pub reserve: Option<KeyId>,
    pub devices: Option<u64>,
    pub devices_limit: Option<u64>,
    pub database_updates: Permit,
    pub ksn: Permit,
}

impl Snapshot {
    /// The snapshot of a state as it was last told.
    pub fn of(state: &State) -> Self {
        let active = state.active.as_ref().map(|held| &held.statement);
        let course = state.course();
        let in_term = course.filter(|_| state.told.phase == Phase::Active);
        Self {
            key: state.told.key.clone(),
            kind: active.map(Statement::kind),
            rev: active.map(|s| s.rev),
            activated_at: state.active.as_ref().map(|held| held.role_since),
            state: active.map(|s| s.vendor_state().0),
            state_since: active.and_then(|s| s.vendor_state().1),
            lapse_cause: state.told.lapse_cause,
            known_end: in_term.and_then(|course| course.known_end()),
            auto_renew: active.map(Statement::auto_renew),
            ends_at: course.and_then(|c| c.ends_at),
            paid_until: active.and_then(Statement::paid_until),
            grace_ends_at: course.and_then(|c: Course| c.grace()).map(|(_, until)| until),
            vendor: active.and_then(|s| s.vendor.clone()),
            order: active.and_then(|s| s.subscription()).and_then(|s| s.order.clone()),
            reserve: state.reserve.as_ref().map(|held| held.statement.key.clone()),
            devices: state.protected_devices,
            devices_limit: active.and_then(|s| s.devices),
            database_updates: state.told.database_updates,
            ksn: state.told.ksn,
        }
    }
}

/// What the agent itself has to tell, beside the life cycle.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "the fields are those of `docs/delivery.md`")]
pub enum Operational {
    /// The agent began to work.
    AgentStarted { version: &'static str },
    /// These settings changed while the agent ran.
    SettingsReloaded { keys: Vec<String> },
    /// The whole status.
    AgentReport { report: Value },
    /// The database was damaged or missing, and was made anew from the files beside it; `lost`: without the keys, which
    /// none of them had.
    StoreRebuilt { problem: String, set_aside: Option<String>, lost: bool },
    /// The SVM has a new id, and this is the first that is told under it.
    IdentityChanged { old_id: String, new_id: String, why: &'static str },
    /// The machine was reverted to an earlier state, or copied: a destination had its next number from another event,
    /// and the numbers go on above all that are known there.
    SequenceReverted { destination: String, from: String, to: String },
    /// What waited was dropped, because more waited than may, or too long.
    EventsDropped(Drops),
    /// The certificate with which this SVM shows itself to a destination expires soon, or has.
    CertificateExpiring { destination: String, file: String, ends_at: Timestamp, days_left: u64 },
    /// A destination refused events for what is in them; they wait for somebody to look at them.
    EventsQuarantined { destination: String, events: Vec<Refused> },
    /// A permit could not be carried out: each problem is a sentence.
    EnforcementFailed { resource: Resource, to: Permit, problems: Vec<String> },
    /// Somebody else had changed what an action sets, and it was set right again.
    EnforcementRepaired { resource: Resource, action: String },
    /// An update of the databases went through.
    UpdatesSucceeded { unit: String, took_seconds: u64 },
    /// An update of the databases failed: `lines` are the last of its journal.
    UpdatesFailed { unit: String, code: &'static str, message: String, lines: Vec<String> },
    /// The vendor gave no document for a code: it is asked for again until there is one.
    ActivationPending { role: Role, since: Timestamp, code: String, message: String, replaces: bool },
    /// A pending activation was dropped: `why` is `cancelled` (by command) or `replaced` (by another key).
    ActivationCancelled { role: Role, since: Timestamp, why: &'static str },
    /// A pending activation lasted too long, and is tried no more.
    ActivationFailed { role: Role, since: Timestamp, code: String, message: String },
    /// The reserve key would be of no use if it took over now.
    ReserveUnusable { key: String, why: String, message: String },
    /// And is good again.
    ReserveUsable { key: String },
    /// The databases are old.
    DatabasesOutdated { since: Timestamp, days: u64, critical: bool },
    /// The wall clock is not obeyed: it shows `wall`, and the SVM goes by `used`.
    ClockSuspect { wall: Timestamp, used: Timestamp, stands: &'static str },
    /// The wall clock is obeyed again.
    ClockTrusted { used: Timestamp },
    /// Root had the SVM go by the wall clock.
    ClockReset { from: Timestamp, to: Timestamp },
}

/// Events of one type that were dropped for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropCount {
    /// The type, without `svm.`.
    pub r#type: String,
    /// `size`, `age`, or `numbers` where the destination's sequence numbers are used up.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// What was dropped that a destination was still to get.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drops {
    /// By type and reason.
    pub dropped: Vec<DropCount>,
    /// How many at each destination.
    pub destinations: BTreeMap<String, u64>,
}

impl Drops {
    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.dropped.is_empty()
    }
}

/// An event that a destination refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Its id.
    pub id: String,
    /// Its number there, 20 digits.
    pub sequence: String,
    /// Such as `http_400`.
    pub code: String,
    /// What the receiver said, bounded.
    pub answer: String,
}

impl Operational {
    /// The type, such as `agent.report`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::AgentStarted { .. } => "agent.started",
            Self::SettingsReloaded { .. } => "settings.reloaded",
            Self::AgentReport { .. } => REPORT,
            Self::StoreRebuilt { .. } => "store.rebuilt",
            Self::IdentityChanged { .. } => "identity.changed",
            Self::SequenceReverted { .. } => "sequence.reverted",
            Self::EventsDropped(_) => DROPPED,
            Self::CertificateExpiring { .. } => "destination.certificate_expiring",
            Self::EventsQuarantined { .. } => QUARANTINED,
            Self::EnforcementFailed { .. } => "enforcement.failed",
            Self::EnforcementRepaired { .. } => "enforcement.repaired",
            Self::UpdatesSucceeded { .. } => "updates.succeeded",
            Self::UpdatesFailed { .. } => "updates.failed",
            Self::DatabasesOutdated { .. } => "databases.outdated",
            Self::ClockSuspect { .. } => "clock.suspect",
            Self::ClockTrusted { .. } => "clock.trusted",
            Self::ClockReset { .. } => "clock.reset",
            Self::ReserveUnusable { .. } => "reserve.unusable",
            Self::ReserveUsable { .. } => "reserve.usable",
            Self::ActivationPending { .. } => "activation.pending",
            Self::ActivationCancelled { .. } => "activation.cancelled",
            Self::ActivationFailed { .. } => "activation.failed",
        }
    }

    /// Whether nothing else remembers it: it must be told, if not now then later.
    pub fn is_told_once(&self) -> bool {
        matches!(self, Self::AgentStarted { .. } | Self::StoreRebuilt { .. } | Self::IdentityChanged { .. })
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::AgentStarted { .. }
            | Self::SettingsReloaded { .. }
            | Self::AgentReport { .. }
            | Self::UpdatesSucceeded { .. }
            | Self::ClockTrusted { .. }
            | Self::ReserveUsable { .. }
            | Self::ActivationCancelled { .. } => Severity::Info,
            Self::CertificateExpiring { days_left: 1.., .. }
            | Self::ClockSuspect { .. }
            | Self::ClockReset { .. }
            | Self::EnforcementRepaired { .. }
            | Self::ActivationPending { .. }
            | Self::ReserveUnusable { .. }
            | Self::IdentityChanged { .. }
            | Self::SequenceReverted { .. }
            | Self::DatabasesOutdated { critical: false, .. } => Severity::Warning,
            Self::DatabasesOutdated { critical: true, .. } | Self::StoreRebuilt { lost: true, .. } => {
                Severity::Critical
            }
            Self::CertificateExpiring { .. }
            | Self::EnforcementFailed { .. }
            | Self::ActivationFailed { .. }
            | Self::UpdatesFailed { .. }
            | Self::StoreRebuilt { lost: false, .. }
            | Self::EventsDropped(_)
            | Self::EventsQuarantined { .. } => Severity::Failure,
        }
    }
}

/// The type of the event of which only the latest waits.
pub const REPORT: &str = "agent.report";

/// The type of the event that tells what was dropped.
pub const DROPPED: &str = "events.dropped";

/// The type of the event that tells what a destination refused.
pub const QUARANTINED: &str = "events.quarantined";

/// An event, ready to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its id on the wire, over all retries.
    pub id: Uuid,
    /// The type without the `svm.` of the wire.
    pub type_name: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// When it is told.
    pub time: Timestamp,
    /// The key it is about.
    pub subject: Option<String>,
    /// The destination, resource, unit or key it is about, as the log counts it.
    pub object: Option<String>,
    /// One sentence for people.
    pub description: String,
    /// The CloudEvent without `sequence`, which each destination counts for itself.
    pub body: String,
}

/// An event of the life cycle, reported at `at`, as an answer shows it: its fields, and `description`, one sentence for
/// people.
pub fn shown(event: &Event, at: Timestamp) -> Value {
    let mut shown = json!(event);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("description".to_owned(), words::of(&event.kind, at).1.into());
    }
    shown
}

/// The CloudEvent of a kept body, with the sequence number that its destination counts, and the first of the
/// numbers right before it that will never come there.
pub fn with_sequence(body: &str, sequence: u64, skipped_from: Option<u64>) -> String {
    let mut text = String::with_capacity(body.len() + 80);
    push_with_sequence(&mut text, body, sequence, skipped_from);
    text
}

/// The same, at the end of a text that has others before it.
pub fn push_with_sequence(text: &mut String, body: &str, sequence: u64, skipped_from: Option<u64>) {
    use std::fmt::Write;
    // Writing into a text cannot fail.
    write!(text, "{{\"sequence\":\"{sequence:020}\",").ok();
    if let Some(from) = skipped_from {
        write!(text, "\"skippedfrom\":\"{from:020}\",").ok();
    }
    text.push_str(body.strip_prefix('{').unwrap_or(body));
}

/// Renders what happened, in one moment, to one SVM.
pub struct Renderer<'a> {
    /// The SVM.
    pub origin: &'a Origin,
    /// When it is told.
    pub time: Timestamp,
    /// What holds afterwards.
    pub view: &'a View,
    /// And of which key.
    pub snapshot: &'a Snapshot,
}

impl Renderer<'_> {
    /// An event of the life cycle.
    pub fn life_cycle(&self, event: &Event) -> Record {
        let (name, sentence) = words::of(&event.kind, self.time);
        let fields = serde_json::to_value(&event.kind).unwrap_or_default();
        let subject = event.kind.key().or(self.view.key.as_ref()).map(ToString::to_string);
        self.record(Words {
            type_name: event.kind.type_name(),
            severity: event.kind.severity(),
            name,
            sentence,
            subject,
            fields,
            effective_at: event.effective_at,
        })
    }

    /// An event of the agent itself.
    pub fn operational(&self, event: &Operational) -> Record {
        let (name, sentence) = words::of_operational(event, self.view);
        let fields = serde_json::to_value(event).unwrap_or_default();
        let subject = self.view.key.as_ref().map(ToString::to_string);
        self.record(Words {
            type_name: event.type_name(),
            severity: event.severity(),
            name,
            sentence,
            subject,
            fields,
            effective_at: None,
        })
    }

    fn record(&self, words: Words) -> Record {
        let id = id_at(self.time);
        let named = |name: &str| words.fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let object = ["destination", "resource", "action", "unit"].into_iter().find_map(named);
        let mut data = Map::new();
        let mut put = |name: &str, value: Value| drop(data.insert(name.to_owned(), value));
        put("severity", words.severity.number().into());
        put("event_type_display_name", words.name.into());
        put("description", words.sentence.clone().into());
        put("hostname", self.origin.hostname.clone().into());
        put("instance", self.origin.instance.clone().into());
        put("product_name", self.origin.product_name.clone().into());
        put("product_version", self.origin.product_version.clone().into());
        put("device_status", self.view.device_status.as_str().into());
        put("device_status_reasons", self.view.reasons.iter().map(|r| Value::from(r.as_ref())).collect());
        put("phase", self.view.phase.as_str().into());
        put("phase_cause", self.view.cause.map(|c| c.as_str()).into());
        put("snapshot", serde_json::to_value(self.snapshot).unwrap_or_default());
        if let Some(at) = words.effective_at {
            put("effective_at", at.to_string().into());
        }
        if let Value::Object(fields) = words.fields {
            data.extend(fields);
        }
        let mut event = Map::new();
        let mut put = |name: &str, value: Value| drop(event.insert(name.to_owned(), value));
        put("specversion", "1.0".into());
        put("id", id.to_string().into());
        put("source", self.origin.source.clone().into());
        put("type", format!("svm.{}", words.type_name).into());
        put("time", self.time.to_string().into());
        if let Some(subject) = &words.subject {
            put("subject", subject.clone().into());
        }
        put("datacontenttype", "application/json".into());
        put("data", Value::Object(data));
        Record {
            id,
            type_name: words.type_name,
            severity: words.severity,
            time: self.time,
            object: object.or_else(|| words.subject.clone()),
            subject: words.subject,
            description: words.sentence,
            body: Value::Object(event).to_string(),
        }
    }
}

struct Words {
    type_name: &'static str,
    severity: Severity,
    name: &'static str,
    sentence: String,
    subject: Option<String>,
    fields: Value,
    effective_at: Option<Timestamp>,
}

/// A UUIDv7 (RFC 9562) of an instant that is handed in; before 1970 its time part is 0.
fn id_at(time: Timestamp) -> Uuid {
    let seconds = u64::try_from(time.as_second()).unwrap_or(0);
    let nanos = u32::try_from(time.subsec_nanosecond()).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscription::{DeviceStatus, Kind};

    #[test]
    fn a_record_is_a_cloudevent_and_takes_its_sequence() {
        let origin = Origin {
            source: "urn:svm:x".into(),
            hostname: "h".into(),
            product_name: "p".into(),
            product_version: "6.1".into(),
            instance: "i".into(),
        };
        let state = State::default();
        let time = "2026-01-01T00:00:00Z".parse().unwrap();
        let renderer = Renderer { origin: &origin, time, view: &state.told, snapshot: &Snapshot::of(&state) };
        let kind =
            Kind::DeviceStatusChanged { from: DeviceStatus::Ok, to: DeviceStatus::Critical, reasons: vec![] };
        let record = renderer.life_cycle(&Event { kind, effective_at: None });
        let event: Value = serde_json::from_str(&with_sequence(&record.body, 7, Some(5))).unwrap();
        assert_eq!(event["sequence"], "00000000000000000007");
        assert_eq!(event["skippedfrom"], "00000000000000000005");
        assert_eq!(event["type"], "svm.device.status_changed");
        assert_eq!(event["id"], record.id.to_string());
        assert_eq!((&event["data"]["to"], &event["data"]["severity"]), (&"critical".into(), &4.into()));
        assert_eq!(record.id.get_version_num(), 7);
    }
}
