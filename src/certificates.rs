//! Expiry of the certificates with which this SVM identifies itself to destinations: reported days before.

use super::engine::{AgentReport, Command};
use crate::config::Destination;
use crate::context::{CheckRequest, Context};
use crate::storage::{NoteName, read_note};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use svm_core::events::Operational;
use svm_core::subscription::{DeviceStatus, Reason, days_left};
use svm_core::tls;
use tokio::sync::mpsc;

/// Days before the end at which it is reported; 0 is the end.
const MARKS: [u64; 6] = [30, 14, 7, 3, 1, 0];

/// From so many days before the end the device status is Warning.
const WARNING_DAYS: u64 = 7;

/// The last report about each destination's certificate: its end and the nearest mark.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReportedMarks(BTreeMap<String, (Timestamp, u64)>);

impl ReportedMarks {
    /// Whether to report now that a certificate ends: each mark once, of several that were passed the
    /// nearest. Another end begins anew.
    pub(crate) fn is_due(&mut self, destination: &str, ends_at: Timestamp, now: Timestamp) -> bool {
        let left = days_left(now, ends_at);
        let Some(mark) = MARKS.iter().copied().filter(|mark| left <= *mark).min() else {
            self.0.remove(destination);
            return false;
        };
        match self.0.insert(destination.to_owned(), (ends_at, mark)) {
            Some((end, reported)) => end != ends_at || mark < reported,
            None => true,
        }
    }
}

fn ends_at(file: &Path) -> Option<Timestamp> {
    // One that cannot be read is delivery's to tell: it cannot connect.
    tls::file_ends_at(file).ok()
}

/// The task that checks the certificates when it is asked to, and has the engine report each that ends soon.
pub struct Certificates {
    destinations: BTreeMap<String, Destination>,
    context: Context,
    reported: ReportedMarks,
}

impl Certificates {
    /// Goes on from the store's note of what was reported.
    pub async fn new(destinations: BTreeMap<String, Destination>, context: Context) -> Self {
        let note = context.store.note(NoteName::Certificates).await.ok().flatten();
        let reported = read_note(NoteName::Certificates, note).unwrap_or_default();
        Self { destinations, context, reported }
    }

    /// Checks the certificates for each request; the answer comes once the engine has what was found.
    pub async fn run(mut self, mut requests: mpsc::Receiver<CheckRequest>) {
        while let Some(reply) = requests.recv().await {
            self.check().await;
            reply.send(()).ok();
        }
    }

    /// Reads all certificates. What cannot be stored is reported at the next check.
    pub async fn check(&mut self) {
        let (now, mut reported, mut events) = (self.context.clock.now(), self.reported.clone(), Vec::new());
        let mut soon = false;
        for (destination, settings) in &self.destinations {
            let Some(file) = settings.certificate_file() else { continue };
            let Some(ends_at) = ends_at(file) else { continue };
            let days_left = days_left(now, ends_at);
            soon |= days_left <= WARNING_DAYS;
            if reported.is_due(destination, ends_at, now) {
                let (destination, file) = (destination.clone(), file.display().to_string());
                events.push(Operational::CertificateExpiring { destination, file, ends_at, days_left });
            }
        }
        reported.0.retain(|destination, _| self.destinations.contains_key(destination));
        let warned =
            self.context.engine.snapshot.borrow().state.conditions.contains_key(&Reason::CertificateExpiring);
        if events.is_empty() && soon == warned {
            return;
        }
        let condition = Some((Reason::CertificateExpiring, soon.then_some(DeviceStatus::Warning)));
        let notes = vec![(NoteName::Certificates, serde_json::to_string(&reported).unwrap_or_default())];
        let report = AgentReport { events, condition, notes };
        if self.context.engine.command(Command::AgentReport(Box::new(report))).await.is_ok() {
            self.reported = reported;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn each_mark_is_reported_once_and_a_new_certificate_begins_anew() {
        let end: Timestamp = "2027-01-31T00:00:00Z".parse().unwrap();
        let mut reported = ReportedMarks::default();
        let mut at = |days: i64, end: Timestamp| {
            reported.is_due("a", end, end - SignedDuration::from_hours(24 * days))
        };
        assert!(!at(40, end));
        assert!(at(30, end) && !at(29, end) && !at(15, end));
        assert!(at(5, end), "of several that were passed the nearest");
        assert!(!at(4, end) && at(1, end) && at(0, end) && !at(-1, end));
        let renewed = end + SignedDuration::from_hours(24 * 365);
        assert!(!at(300, renewed) && at(20, renewed));
    }
}
