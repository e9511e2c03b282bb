//! The state of an SVM as the fleet shows it.
//!
//! Promises: an SVM's state is what its latest event reported, by sequence number, and by time where a number was wrong;
//! silence makes it Critical. It must not know the store.

use super::gaps::Gaps;
use super::machines::{Machine, Machines};
use super::reported::ReportedState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use svm_core::sequence::format_sequence;
use svm_core::subscription::{DeviceStatus, LimitLevel};

/// The reason of an SVM that was silent for too long.
pub const NOT_CONNECTED: &str = "not_connected";
/// The reason of an SVM none of whose events reported a status.
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
    pub sequence: String,
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
    /// What its latest event reported.
    pub reported: Option<ReportedState>,
    /// The number of that event.
    pub state_sequence: Option<String>,
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
        match &self.reported {
            _ if self.is_silent(silent_before) || !self.side_by_side().is_empty() => DeviceStatus::Critical,
            Some(reported) => reported.status,
            None => DeviceStatus::Warning,
        }
    }

    pub fn reasons(&self, silent_before: Timestamp) -> Vec<String> {
        let silent = self.is_silent(silent_before).then(|| NOT_CONNECTED.to_owned());
        let reported = match &self.reported {
            Some(reported) => reported.reasons.clone(),
            None => vec![STATUS_UNKNOWN.to_owned()],
        };
        let two = (!self.side_by_side().is_empty()).then(|| TWO_MACHINES.to_owned());
        silent.into_iter().chain(two).chain(reported).collect()
    }

    /// The SVM as the API shows it.
    pub fn to_json(&self, silent_before: Timestamp) -> Value {
        let ranges = self
            .gaps
            .ranges()
            .map(|(from, to)| json!({"from": format_sequence(from), "to": format_sequence(to)}));
        let mut shown = match serde_json::to_value(&self.reported) {
            Ok(Value::Object(reported)) => reported,
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
    pub fn total(&self) -> u64 {
        self.ok + self.warning + self.critical
    }
}

/// The devices of one key over all its SVMs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySum {
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
    fn silence_is_critical_and_keeps_the_other_reasons() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let svm = Svm {
            id: "a".into(),
            first_contact: at(0),
            last_contact: at(100),
            reported: ReportedState::read("svm.x", data().as_object().unwrap()),
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
