//! The state that an event reports of its SVM.
//!
//! Promises: what a sender left out or garbled is absent, never guessed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use svm_core::subscription::{DeviceStatus, read_instant};

/// What one event reports about its SVM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportedState {
    /// The status the SVM gave itself.
    pub status: DeviceStatus,
    pub reasons: Vec<String>,
    pub hostname: Option<String>,
    pub product_name: Option<String>,
    pub product_version: Option<String>,
    /// Phase of the subscription.
    pub phase: Option<String>,
    pub cause: Option<String>,
    /// What started the grace of a lapsed key: `ended`, `paused` or `unpaid`.
    #[serde(default)]
    pub lapse_cause: Option<String>,
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
    pub ends_at: Timestamp,
    /// What ends it, such as `cancelled`.
    pub why: String,
}

/// Who sells a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seller {
    pub name: Option<String>,
    pub support_url: Option<String>,
    pub phone: Option<String>,
    pub renewal_url: Option<String>,
}

/// The order behind a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bought {
    pub number: Option<String>,
    pub channel: Option<String>,
    pub placed_on: Option<String>,
}

impl ReportedState {
    /// Reads an event's data; `None` if it reports no status.
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
        let part = |name: &str| snapshot.get(name).and_then(Value::as_object);
        // SQLite's integers have a sign.
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
            known_end: part("known_end").and_then(Ending::read),
            vendor: part("vendor").map(Seller::read),
            order: part("order").map(Bought::read),
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

impl Ending {
    fn read(end: &Map<String, Value>) -> Option<Self> {
        let ends_at = read_instant(end.get("ends_at")?.as_str()?).ok()?;
        Some(Self { ends_at, why: text(end.get("why"))? })
    }
}

impl Seller {
    fn read(vendor: &Map<String, Value>) -> Self {
        Self {
            name: text(vendor.get("name")),
            support_url: text(vendor.get("support_url")),
            phone: text(vendor.get("phone")),
            renewal_url: text(vendor.get("renewal_url")),
        }
    }
}

impl Bought {
    fn read(order: &Map<String, Value>) -> Self {
        Self {
            number: text(order.get("number")),
            channel: text(order.get("channel")),
            placed_on: text(order.get("placed_on")),
        }
    }
}

/// A string, cut where nobody would read on.
pub(super) fn text(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?;
    (!text.is_empty()).then(|| text.chars().take(256).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn data() -> Value {
        json!({"device_status": "warning", "device_status_reasons": ["grace", 7, ""], "hostname": "svm-7",
            "snapshot": {"key": "SUB-1", "devices": 91, "devices_limit": -1, "ends_at": "2026-01-01T00:00:00Z",
                "grace_ends_at": "soon"}})
    }

    #[test]
    fn what_is_garbled_is_absent() {
        let reported = ReportedState::read("svm.x", data().as_object().unwrap()).unwrap();
        assert_eq!(reported.reasons, ["grace"]);
        assert_eq!((reported.devices, reported.devices_limit), (Some(91), None));
        assert!(reported.ends_at.is_some() && reported.grace_ends_at.is_none());
        assert!(
            ReportedState::read("svm.x", json!({"device_status": "fine"}).as_object().unwrap()).is_none()
        );
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
        let reported = ReportedState::read("svm.x", data.as_object().unwrap()).unwrap();
        let shown = json!(reported);
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
        assert_eq!(serde_json::from_value::<ReportedState>(older).unwrap().known_end, None);
    }
}
