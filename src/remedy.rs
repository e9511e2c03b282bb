//! What to do: for each reason of a device status, and for the whole. Each is one sentence with the command, and stands in
//! the catalogue; here the state chooses. Pure.

use super::status::Status;
use svm_core::subscription::Reason;
use svm_core::words::Language;
use svm_core::words::reasons::step;
use svm_core::words::remedies::{Then, provider, sentence};

/// What leads back to an active subscription; nothing while it is active.
pub fn of_phase(status: &Status, language: Language) -> Vec<String> {
    let (situation, vendor) = (status.situation(), status.active().and_then(|key| key.vendor.as_ref()));
    let remedies = situation.remedies().into_iter();
    remedies.map(|remedy| sentence(remedy, &situation, vendor, language)).collect()
}

/// What is done about one reason of the device status.
pub fn of_reason(reason: &str, status: &Status, language: Language) -> Vec<String> {
    let vendor = status.active().and_then(|key| key.vendor.as_ref());
    match Reason::from_name(reason) {
        None => vec![Then::Explain.get(language).to_owned()],
        Some(Reason::Expiring) => {
            let situation = status.situation();
            let remedy = situation.before_known_end();
            remedy.map(|remedy| sentence(remedy, &situation, vendor, language)).into_iter().collect()
        }
        Some(reason) => match step(reason) {
            None => of_phase(status, language),
            Some(text) => vec![text.fill(language, &[("provider", &provider(vendor, language))])],
        },
    }
}

/// Everything that is to be done, the most urgent first; nothing if all is well.
pub fn all(status: &Status, language: Language) -> Vec<String> {
    let mut all = Vec::new();
    if status.store_problem.is_some() {
        all.push(Then::Store.get(language).to_owned());
    }
    all.extend(of_phase(status, language));
    all.extend(status.reasons.iter().flat_map(|reason| of_reason(reason, status, language)));
    let is_failing = status.source.outage.is_some()
        || status.source.refused.is_some()
        || status.destinations.values().any(|d| d.health.outage.is_some() || d.quarantined > 0);
    if is_failing {
        all.push(Then::Doctor.get(language).to_owned());
    }
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|step| seen.insert(step.clone()));
    all
}
