//! The certificates with which this SVM shows itself to destinations: that one expires is told days before.

use super::{Engine, Step};
use crate::events::Operational;
use crate::subscription::{DeviceStatus, Input, days_left};
use crate::tls;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Days before the end at which it is told; 0 is the end.
const MARKS: [u64; 6] = [30, 14, 7, 3, 1, 0];

/// From so many days before the end the device status is Warning.
const WARNING_DAYS: u64 = 7;

/// Name of the reason in the device status.
const REASON: &str = "certificate_expiring";

pub(super) use crate::agent::store::CERTIFICATES_NOTE as NOTE;

/// What was told of each destination's certificate: its end and the nearest mark.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told(BTreeMap<String, (Timestamp, u64)>);

impl Told {
    /// Whether it is to be told now that a certificate ends: each mark once, of several that were passed the
    /// nearest. Another end begins anew.
    pub(crate) fn is_due(&mut self, destination: &str, ends_at: Timestamp, now: Timestamp) -> bool {
        let left = days_left(now, ends_at);
        let Some(mark) = MARKS.iter().copied().filter(|mark| left <= *mark).min() else {
            self.0.remove(destination);
            return false;
        };
        match self.0.insert(destination.to_owned(), (ends_at, mark)) {
            Some((end, told)) => end != ends_at || mark < told,
            None => true,
        }
    }
}

fn ends_at(file: &Path) -> Option<Timestamp> {
    // One that cannot be read is delivery's to tell: it cannot connect.
    tls::file_ends_at(file).ok()
}

impl Engine {
    /// Tells which certificates end soon.
    pub(super) async fn look_at_certificates(&mut self) {
        let (now, mut told, mut also) = (self.now(), self.certificates.clone(), Vec::new());
        let mut soon = false;
        for (destination, settings) in &self.settings.destinations {
            let Some(file) = settings.certificate_file() else { continue };
            let Some(ends_at) = ends_at(file) else { continue };
            let days_left = days_left(now, ends_at);
            soon |= days_left <= WARNING_DAYS;
            if told.is_due(destination, ends_at, now) {
                let (destination, file) = (destination.clone(), file.display().to_string());
                also.push(Operational::CertificateExpiring { destination, file, ends_at, days_left });
            }
        }
        told.0.retain(|destination, _| self.settings.destinations.contains_key(destination));
        if also.is_empty() && soon == self.state.conditions.contains_key(REASON) {
            return;
        }
        let condition = Input::Condition(REASON.to_owned(), soon.then_some(DeviceStatus::Warning));
        let note = serde_json::to_string(&told).unwrap_or_default();
        let step = Step { also, notes: vec![(NOTE, note)], ..Step::new(condition) };
        if self.turn(step).await.is_ok() {
            self.certificates = told;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn each_mark_is_told_once_and_a_new_certificate_begins_anew() {
        let end: Timestamp = "2027-01-31T00:00:00Z".parse().unwrap();
        let mut told = Told::default();
        let mut at =
            |days: i64, end: Timestamp| told.is_due("a", end, end - SignedDuration::from_hours(24 * days));
        assert!(!at(40, end));
        assert!(at(30, end) && !at(29, end) && !at(15, end));
        assert!(at(5, end), "of several that were passed the nearest");
        assert!(!at(4, end) && at(1, end) && at(0, end) && !at(-1, end));
        let renewed = end + SignedDuration::from_hours(24 * 365);
        assert!(!at(300, renewed) && at(20, renewed));
    }
}
