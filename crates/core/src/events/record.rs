//! Events rendered: one CloudEvent each, as JSON text without its sequence number.

use crate::events::operational::Operational;
use crate::events::snapshot::Snapshot;
use crate::events::words;
use crate::sequence::Sequence;
use crate::subscription::{Event, Kind, Severity, View};
use crate::words::{Language, events::display_name, refusals};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use uuid::Uuid;

/// What all events of one SVM say of it.
#[derive(Clone, Debug)]
pub struct Origin {
    /// `urn:svm:` and the SVM's id.
    pub source: String,
    pub hostname: String,
    /// Name of the protection product, for people.
    pub product_name: String,
    /// Version of the protection product, as it is configured.
    pub product_version: String,
    /// Made anew at each start, and longer after a dot once numbers were reverted: it tells two machines with one id
    /// apart, and names neither.
    pub instance: String,
}

/// An event, ready to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its id on the wire, over all retries.
    pub id: Uuid,
    /// The type without the `svm.` of the wire.
    pub type_name: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// When the event is emitted.
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

/// An event whose message, where it is a refusal, has the words of the way out; any other as it is.
pub fn worded(event: &Event) -> Cow<'_, Event> {
    let Event { kind: Kind::KeyRejected { key, code, message, way_out }, effective_at } = event else {
        return Cow::Borrowed(event);
    };
    let message = refusals::with_way_out(message, way_out.as_ref());
    let kind = Kind::KeyRejected { key: key.clone(), code: *code, message, way_out: None };
    Cow::Owned(Event { kind, effective_at: *effective_at })
}

/// An event of the life cycle, reported at `at`, as an answer shows it: its fields, and `description`, one sentence for
/// people.
pub fn shown(event: &Event, at: Timestamp) -> Value {
    let event = worded(event);
    let mut shown = json!(event);
    let sentence = words::foreseen(event.kind.type_name(), &shown, at, Language::English);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("description".to_owned(), sentence.unwrap_or_default().into());
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
    write!(text, "{{\"sequence\":\"{}\",", Sequence(sequence)).ok();
    if let Some(from) = skipped_from {
        write!(text, "\"skippedfrom\":\"{}\",", Sequence(from)).ok();
    }
    text.push_str(body.strip_prefix('{').unwrap_or(body));
}

/// Renders what happened, in one moment, to one SVM.
pub struct Renderer<'a> {
    /// Of whom the events are.
    pub origin: &'a Origin,
    /// When the event is emitted.
    pub time: Timestamp,
    pub view: &'a View,
    /// And of which key.
    pub snapshot: &'a Snapshot,
}

impl Renderer<'_> {
    /// An event of the life cycle.
    pub fn life_cycle(&self, event: &Event) -> Record {
        let event = worded(event);
        let fields = serde_json::to_value(&event.kind).unwrap_or_default();
        let subject = event.kind.key().or(self.view.key.as_ref()).map(ToString::to_string);
        self.record(Parts {
            type_name: event.kind.type_name(),
            severity: event.kind.severity(),
            subject,
            fields,
            effective_at: event.effective_at,
        })
    }

    /// An event of the agent itself.
    pub fn operational(&self, event: &Operational) -> Record {
        let fields = serde_json::to_value(event).unwrap_or_default();
        let subject = self.view.key.as_ref().map(ToString::to_string);
        self.record(Parts {
            type_name: event.type_name(),
            severity: event.severity(),
            subject,
            fields,
            effective_at: None,
        })
    }

    fn record(&self, parts: Parts) -> Record {
        let id = id_at(self.time);
        let is_lost = parts.fields.get("lost").and_then(Value::as_bool).unwrap_or_default();
        let named = |name: &str| parts.fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let object = ["destination", "resource", "action", "unit"].into_iter().find_map(named);
        let mut data = Map::new();
        let mut put = |name: &str, value: Value| drop(data.insert(name.to_owned(), value));
        put("severity", parts.severity.number().into());
        put("event_type_display_name", display_name(parts.type_name, is_lost).into());
        put("description", "".into());
        put("hostname", self.origin.hostname.clone().into());
        put("instance", self.origin.instance.clone().into());
        put("product_name", self.origin.product_name.clone().into());
        put("product_version", self.origin.product_version.clone().into());
        put("device_status", self.view.device_status.as_str().into());
        put("device_status_reasons", self.view.reasons.iter().map(|r| Value::from(r.as_str())).collect());
        put("phase", self.view.phase.as_str().into());
        put("phase_cause", self.view.cause.map(|c| c.as_str()).into());
        put("snapshot", serde_json::to_value(self.snapshot).unwrap_or_default());
        if let Some(at) = parts.effective_at {
            put("effective_at", at.to_string().into());
        }
        if let Value::Object(fields) = parts.fields {
            data.extend(fields);
        }
        let mut data = Value::Object(data);
        // Events are in English on the wire: who reads them there is not known.
        let description =
            words::sentence(parts.type_name, &data, self.time, Language::English).unwrap_or_default();
        if let Some(data) = data.as_object_mut() {
            data.insert("description".to_owned(), description.clone().into());
        }
        let mut event = Map::new();
        let mut put = |name: &str, value: Value| drop(event.insert(name.to_owned(), value));
        put("specversion", "1.0".into());
        put("id", id.to_string().into());
        put("source", self.origin.source.clone().into());
        put("type", format!("svm.{}", parts.type_name).into());
        put("time", self.time.to_string().into());
        if let Some(subject) = &parts.subject {
            put("subject", subject.clone().into());
        }
        put("datacontenttype", "application/json".into());
        put("data", data);
        Record {
            id,
            type_name: parts.type_name,
            severity: parts.severity,
            time: self.time,
            object: object.or_else(|| parts.subject.clone()),
            subject: parts.subject,
            description,
            body: Value::Object(event).to_string(),
        }
    }
}

struct Parts {
    type_name: &'static str,
    severity: Severity,
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
    use crate::subscription::{DeviceStatus, State};

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
        let renderer =
            Renderer { origin: &origin, time, view: &state.reported, snapshot: &Snapshot::of(&state) };
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
