//! The state of an SVM as the fleet shows it.
//!
//! Promises: an SVM's state is what its latest event reported, by sequence number, and by time where a number was wrong;
//! silence makes it Critical. What a sender left out or garbled is absent, never guessed. It must not know the store.

use super::gaps::Gaps;
use super::machines::{Machine, Machines};
use crate::sequence::format_sequence;
use crate::subscription::{DeviceStatus, LimitLevel, read_instant};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The reason of an SVM that was silent for too long.
pub const NOT_CONNECTED: &str = "not_connected";
/// The reason of an SVM none of whose events told a status.
pub const STATUS_UNKNOWN: &str = "status_unknown";
/// The reason of an SVM whose id several machines use.
pub const TWO_MACHINES: &str = "two_machines";
/// What the source of an SVM begins with; its id follows.
pub const SVM_SOURCE: &str = "urn:svm:";

/// An id as SVMs write it: a UUID in lower case (RFC 9562, section 4). Other ids are what they are.
pub fn canonical_id(id: &str) -> Cow<'_, str> {
    let is_uuid = id.len() == 36
        && id.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    if is_uuid && id.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(id.to_ascii_lowercase())
    } else {
        Cow::Borrowed(id)
    }
}

/// The name of a source as SVMs write it.
pub fn canonical_source(source: &str) -> Cow<'_, str> {
    match source.get(..SVM_SOURCE.len()).zip(source.get(SVM_SOURCE.len()..)) {
        // Of a URN, the scheme and the namespace are without case (RFC 8141, section 3.1).
        Some((start, id)) if start.eq_ignore_ascii_case(SVM_SOURCE) => match canonical_id(id) {
            Cow::Borrowed(_) if start == SVM_SOURCE => Cow::Borrowed(source),
            id => Cow::Owned(format!("{SVM_SOURCE}{id}")),
        },
        _ => Cow::Borrowed(source),
    }
}

/// What one event told about its SVM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// The status the SVM gave itself.
    pub status: DeviceStatus,
    /// Why.
    pub reasons: Vec<String>,
    /// The SVM's name.
    pub hostname: Option<String>,
    /// What is installed.
    pub product_name: Option<String>,
    /// Its version.
    pub product_version: Option<String>,
    /// Phase of the subscription.
    pub phase: Option<String>,
    /// Why that phase.
    pub cause: Option<String>,
    /// What started the grace of a lapsed key: `ended`, `paused` or `unpaid`.
    #[serde(default)]
    pub lapse_cause: Option<String>,
    /// The active key.
    pub key: Option<String>,
    /// `subscription` or `commercial`.
    pub kind: Option<String>,
    /// The revision of its document.
    #[serde(default)]
    pub rev: Option<u64>,
    /// Since when it is the active key.
    #[serde(default)]
    pub activated_at: Option<Timestamp>,
    /// The vendor's word about it, such as `paused`.
    #[serde(default)]
    pub state: Option<String>,
    /// From when that word counts; an announced one counts only from later.
    #[serde(default)]
    pub state_since: Option<Timestamp>,
    /// Whether the vendor renews it without being asked.
    #[serde(default)]
    pub auto_renew: Option<bool>,
    /// The end that it is known to come to.
    #[serde(default)]
    pub known_end: Option<Ending>,
    /// Who sells it.
    #[serde(default)]
    pub vendor: Option<Seller>,
    /// The order behind it.
    #[serde(default)]
    pub order: Option<Bought>,
    /// End of the term.
    pub ends_at: Option<Timestamp>,
    /// Until when an unlimited subscription is paid.
    pub paid_until: Option<Timestamp>,
    /// End of the grace, where one is running or known.
    pub grace_ends_at: Option<Timestamp>,
    /// The reserve key.
    pub reserve: Option<String>,
    /// Devices this SVM protects.
    pub devices: Option<u64>,
    /// Devices its key allows, over all SVMs of the key.
    pub devices_limit: Option<u64>,
    /// The permit for database updates.
    pub database_updates: Option<String>,
    /// The permit for KSN.
    pub ksn: Option<String>,
    /// The whole status, where the event was a report.
    #[serde(skip)]
    pub report: Option<String>,
}

/// The end that a key is known to come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// When.
    pub ends_at: Timestamp,
    /// What ends it, such as `cancelled`.
    pub why: String,
}

/// Who sells a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of `docs/reference/documents.md`")]
pub struct Seller {
    pub name: Option<String>,
    pub support_url: Option<String>,
    pub phone: Option<String>,
    pub renewal_url: Option<String>,
}

/// The order behind a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of `docs/reference/documents.md`")]
pub struct Bought {
    pub number: Option<String>,
    pub channel: Option<String>,
    pub placed_on: Option<String>,
}

impl Told {
    /// Reads an event's data; `None` where it tells no status.
    pub fn read(kind: &str, data: &Map<String, Value>) -> Option<Self> {
        let status = match data.get("device_status")?.as_str()? {
            "ok" => DeviceStatus::Ok,
            "warning" => DeviceStatus::Warning,
            "critical" => DeviceStatus::Critical,
            _ => return None,
        };
        let nothing = Map::new();
        let snapshot = data.get("snapshot").and_then(Value::as_object).unwrap_or(&nothing);
        let reasons = data.get("device_status_reasons").and_then(Value::as_array);
        let reasons =
            reasons.into_iter().flatten().take(32).filter_map(|reason| text(Some(reason))).collect();
        let instant = |name: &str| read_instant(snapshot.get(name)?.as_str()?).ok();
        // SQLite's integers have a sign.
        let part = |name: &str| snapshot.get(name).and_then(Value::as_object);
        let known_end = part("known_end").and_then(|end| {
            let ends_at = read_instant(end.get("ends_at")?.as_str()?).ok()?;
            Some(Ending { ends_at, why: text(end.get("why"))? })
        });
        let vendor = part("vendor").map(|vendor| Seller {
            name: text(vendor.get("name")),
            support_url: text(vendor.get("support_url")),
            phone: text(vendor.get("phone")),
            renewal_url: text(vendor.get("renewal_url")),
        });
        let order = part("order").map(|order| Bought {
            number: text(order.get("number")),
            channel: text(order.get("channel")),
            placed_on: text(order.get("placed_on")),
        });
        let count = |name: &str| snapshot.get(name)?.as_u64().filter(|n| i64::try_from(*n).is_ok());
        Some(Self {
            status,
            reasons,
            hostname: text(data.get("hostname")),
            product_name: text(data.get("product_name")),
            product_version: text(data.get("product_version")),
            phase: text(data.get("phase")),
            cause: text(data.get("phase_cause")),
            lapse_cause: text(snapshot.get("lapse_cause")),
            key: text(snapshot.get("key")),
            rev: count("rev"),
            activated_at: instant("activated_at"),
            state: text(snapshot.get("state")),
            state_since: instant("state_since"),
            auto_renew: snapshot.get("auto_renew").and_then(Value::as_bool),
            known_end,
            vendor,
            order,
            kind: text(snapshot.get("kind")),
            ends_at: instant("ends_at"),
            paid_until: instant("paid_until"),
            grace_ends_at: instant("grace_ends_at"),
            reserve: text(snapshot.get("reserve")),
            devices: count("devices"),
            devices_limit: count("devices_limit"),
            database_updates: text(snapshot.get("database_updates")),
            ksn: text(snapshot.get("ksn")),
            report: (kind == "svm.agent.report").then(|| data.get("report").map(Value::to_string)).flatten(),
        })
    }
}

/// A string, cut where nobody would read on.
pub(super) fn text(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?;
    (!text.is_empty()).then(|| text.chars().take(256).collect())
}

/// What is wrong with a sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictReason {
    /// Another event of the source has it.
    #[default]
    NumberTaken,
    /// It is far above the highest known one.
    Jump,
}

/// An event that was not stored because of its sequence number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastConflict {
    /// The event that was not stored.
    pub id: String,
    /// Its number.
    pub sequence: String,
    /// When.
    pub at: Timestamp,
    /// What is wrong with its number.
    #[serde(default)]
    pub why: ConflictReason,
}

/// One SVM as it is kept.
#[derive(Clone, Debug)]
pub struct Svm {
    /// Its id: the source without `urn:svm:`.
    pub id: String,
    /// When it first sent anything.
    pub first_contact: Timestamp,
    /// When it last sent anything, repeated or not.
    pub last_contact: Timestamp,
    /// What its latest event told.
    pub told: Option<Told>,
    /// The number of that event.
    pub state_sequence: Option<String>,
    /// Its sequence numbers.
    pub gaps: Gaps,
    /// Which machines sent as this SVM.
    pub machines: Machines,
    /// Events not stored because of their number.
    pub conflicts: u64,
    /// The latest of these.
    pub last_conflict: Option<LastConflict>,
}

impl Svm {
    /// Whether it was silent for too long: since before `silent_before`.
    pub fn is_silent(&self, silent_before: Timestamp) -> bool {
        self.last_contact < silent_before
    }

    /// The machines that use its id side by side; none where it is one.
    pub fn side_by_side(&self) -> Vec<&Machine> {
        self.machines.side_by_side(self.last_contact)
    }

    /// The status that is shown.
    pub fn status(&self, silent_before: Timestamp) -> DeviceStatus {
        match &self.told {
            _ if self.is_silent(silent_before) || !self.side_by_side().is_empty() => DeviceStatus::Critical,
            Some(told) => told.status,
            None => DeviceStatus::Warning,
        }
    }

    /// Why that status.
    pub fn reasons(&self, silent_before: Timestamp) -> Vec<String> {
        let silent = self.is_silent(silent_before).then(|| NOT_CONNECTED.to_owned());
        let told = match &self.told {
            Some(told) => told.reasons.clone(),
            None => vec![STATUS_UNKNOWN.to_owned()],
        };
        let two = (!self.side_by_side().is_empty()).then(|| TWO_MACHINES.to_owned());
        silent.into_iter().chain(two).chain(told).collect()
    }

    /// The SVM as the API shows it.
    pub fn to_json(&self, silent_before: Timestamp) -> Value {
        let ranges = self
            .gaps
            .ranges()
            .map(|(from, to)| json!({"from": format_sequence(from), "to": format_sequence(to)}));
        let mut shown = match serde_json::to_value(&self.told) {
            Ok(Value::Object(told)) => told,
            _ => Map::new(),
        };
        for (name, value) in [
            ("id", json!(self.id)),
            ("source", json!(format!("{SVM_SOURCE}{}", self.id))),
            ("status", json!(self.status(silent_before))),
            ("reasons", json!(self.reasons(silent_before))),
            ("first_contact", json!(self.first_contact)),
            ("last_contact", json!(self.last_contact)),
            ("state_sequence", json!(self.state_sequence)),
            ("highest_sequence", json!(self.gaps.highest().map(format_sequence))),
            (
                "missing",
                json!({"count": self.gaps.missing(), "ranges": ranges.collect::<Vec<_>>(),
                "forgotten": self.gaps.forgotten()}),
            ),
            (
                "machines",
                self.side_by_side()
                    .iter()
                    .map(|m| json!({"hostname": m.hostname, "instance": m.instance, "last_back": m.back}))
                    .collect(),
            ),
            ("conflicts", json!({"count": self.conflicts, "last": self.last_conflict})),
        ] {
            shown.insert(name.to_owned(), value);
        }
        Value::Object(shown)
    }
}

/// How many SVMs have which status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Nothing to do.
    pub ok: u64,
    /// Something to plan.
    pub warning: u64,
    /// Something to do now.
    pub critical: u64,
}

impl Counts {
    /// All SVMs.
    pub fn total(&self) -> u64 {
        self.ok + self.warning + self.critical
    }
}

/// The devices of one key over all its SVMs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySum {
    /// The key.
    pub key: String,
    /// How many SVMs have it as the active key.
    pub svms: u64,
    /// How many of these reported no number of devices: the sum is without them.
    pub svms_unknown: u64,
    /// The devices that the others protect together; `None` if none reported a number.
    pub devices: Option<u64>,
    /// What the key allows, as the latest event of any of them reported.
    pub devices_limit: Option<u64>,
}

impl KeySum {
    /// How the sum compares to the limit. It is a lower bound while SVMs are unknown.
    pub fn level(&self) -> LimitLevel {
        LimitLevel::of(self.devices, self.devices_limit)
    }

    /// The sum as the API shows it.
    pub fn to_json(&self) -> Value {
        json!({"key": self.key, "svms": self.svms, "svms_unknown": self.svms_unknown, "devices": self.devices,
            "devices_limit": self.devices_limit, "level": self.devices.map(|_| self.level())})
    }
}

/// Which SVMs are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only with this status as shown.
    pub status: Option<DeviceStatus>,
    /// Only in this phase.
    pub phase: Option<String>,
    /// Only with this text in name, id or key.
    pub text: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> Value {
        json!({"device_status": "warning", "device_status_reasons": ["grace", 7, ""], "hostname": "svm-7",
            "snapshot": {"key": "SUB-1", "devices": 91, "devices_limit": -1, "ends_at": "2026-01-01T00:00:00Z",
                "grace_ends_at": "soon"}})
    }

    #[test]
    fn what_is_garbled_is_absent() {
        let told = Told::read("svm.x", data().as_object().unwrap()).unwrap();
        assert_eq!(told.reasons, ["grace"]);
        assert_eq!((told.devices, told.devices_limit), (Some(91), None));
        assert!(told.ends_at.is_some() && told.grace_ends_at.is_none());
        assert!(Told::read("svm.x", json!({"device_status": "fine"}).as_object().unwrap()).is_none());
    }

    #[test]
    fn a_uuid_is_found_however_it_is_written() {
        let id = "0197A0B2-0000-7000-8000-00000000000A";
        assert_eq!(canonical_id(id), "0197a0b2-0000-7000-8000-00000000000a");
        assert_eq!(
            canonical_source(&format!("URN:SVM:{id}")),
            "urn:svm:0197a0b2-0000-7000-8000-00000000000a"
        );
        for other in ["A", "Urn:x:A", "urn:svm:A", "", "0197A0B2x0000-7000-8000-00000000000A"] {
            assert_eq!((canonical_id(other), canonical_source(other)), (other.into(), other.into()));
        }
    }

    #[test]
    fn unknown_devices_are_unknown() {
        let sum = |devices, svms_unknown| KeySum {
            key: "K".into(),
            svms: 2,
            svms_unknown,
            devices,
            devices_limit: Some(10),
        };
        let none = sum(None, 2).to_json();
        assert_eq!(
            (&none["devices"], &none["level"], &none["svms_unknown"]),
            (&json!(null), &json!(null), &json!(2))
        );
        assert_eq!(sum(Some(12), 1).to_json()["level"], "over_110");
    }

    #[test]
    fn what_the_vendor_does_is_known_to_the_console() {
        let mut data = data();
        for (name, value) in [
            ("rev", json!(4)),
            ("state", json!("hard_cancelled")),
            ("state_since", json!("2027-01-09T00:00:00Z")),
            ("activated_at", json!("2026-01-01T00:00:00Z")),
            ("auto_renew", json!(false)),
            ("known_end", json!({"ends_at": "2027-01-09T00:00:00Z", "why": "cancelled"})),
            ("vendor", json!({"name": "Acme", "renewal_url": "https://acme.example/"})),
            ("order", json!({"number": "A1", "channel": "partner", "placed_on": 7})),
            ("lapse_cause", json!("paused")),
        ] {
            data["snapshot"][name] = value;
        }
        let told = Told::read("svm.x", data.as_object().unwrap()).unwrap();
        let shown = json!(told);
        for name in ["rev", "state", "state_since", "activated_at", "auto_renew", "known_end", "lapse_cause"]
        {
            assert_eq!(shown[name], data["snapshot"][name], "{name}");
        }
        assert_eq!((&shown["vendor"]["name"], &shown["order"]["number"]), (&json!("Acme"), &json!("A1")));
        assert_eq!(shown["order"]["placed_on"], Value::Null);
        // What an older collector kept has none of it.
        let mut older = shown;
        for name in ["rev", "state", "known_end", "vendor", "order", "lapse_cause", "auto_renew"] {
            older.as_object_mut().unwrap().remove(name);
        }
        assert_eq!(serde_json::from_value::<Told>(older).unwrap().known_end, None);
    }

    #[test]
    fn silence_is_critical_and_keeps_the_other_reasons() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let svm = Svm {
            id: "a".into(),
            first_contact: at(0),
            last_contact: at(100),
            told: Told::read("svm.x", data().as_object().unwrap()),
            state_sequence: None,
            gaps: Gaps::default(),
            machines: Machines::default(),
            conflicts: 0,
            last_conflict: None,
        };
        assert_eq!(svm.status(at(100)), DeviceStatus::Warning);
        assert_eq!(svm.status(at(101)), DeviceStatus::Critical);
        assert_eq!(svm.reasons(at(101)), ["not_connected", "grace"]);
        assert_eq!(svm.to_json(at(0))["hostname"], "svm-7");
    }
}
