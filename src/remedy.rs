//! What to do: for each reason of a device status, and for the whole. One sentence, with the command.
//!
//! Promises: whoever reads it needs no other page for the first step. Pure.

use super::status::Status;
use svm_core::subscription::{Cause, Phase, Reason};

/// Whom to turn to, with the address where one is known.
fn vendor(status: &Status) -> String {
    let vendor = status.active().and_then(|key| key.vendor.as_ref());
    let name = vendor.and_then(|v| v.name.clone()).unwrap_or_else(|| "the vendor".to_owned());
    match vendor.and_then(|v| v.renewal_url.clone().or_else(|| v.support_url.clone())) {
        Some(url) => format!("{name} ({url})"),
        None => name,
    }
}

/// What is done about the subscription as it stands; nothing while it is in its term.
pub fn of_phase(status: &Status) -> Option<String> {
    let vendor = vendor(status);
    let then = "then: svm-agent refresh";
    Some(match (status.phase, status.root_cause()) {
        (Phase::Active, _) => return None,
        (Phase::NotActivated, _) if !status.activations.is_empty() => {
            "wait: the activation is tried again by itself; or svm-agent key add FILE".to_owned()
        }
        (Phase::NotActivated, _) => "activate it: svm-agent activate CODE".to_owned(),
        (_, Some(Cause::Paused)) => format!("ask {vendor} to resume it; {then}"),
        (_, Some(Cause::Unpaid)) => {
            format!("ask {vendor} to pay for it: it is prepaid by who sells it; {then}")
        }
        (_, Some(Cause::Blocked)) => format!("ask {vendor} why the key was blocked; {then}"),
        (_, Some(Cause::Expired)) => format!("get a new key from {vendor}: svm-agent activate CODE"),
        _ => format!("renew it with {vendor} (svm-agent renewal says how); {then}"),
    })
}

/// What is done about one reason of the device status.
pub fn of_reason(reason: &str, status: &Status) -> String {
    let Some(known) = Reason::from_name(reason) else { return "svm-agent status --explain".to_owned() };
    let text = match known {
        Reason::NotActivated | Reason::Restricted | Reason::Expired | Reason::Grace => {
            return of_phase(status).unwrap_or_else(|| "svm-agent status --explain".to_owned());
        }
        Reason::Expiring => {
            let vendor = vendor(status);
            return match status.known_end.map(|end| end.why) {
                Some(Cause::Cancelled) => format!("ask {vendor} why it will be cancelled, or for a new code"),
                Some(Cause::Blocked) => format!("ask {vendor} why the key will be blocked"),
                Some(Cause::Paused) => format!("ask {vendor} why it will be paused"),
                Some(Cause::Unpaid) => {
                    format!("ask {vendor} to pay for it in time: it is prepaid by who sells it")
                }
                _ => format!("renew it with {vendor} (svm-agent renewal says how)"),
            };
        }
        Reason::DevicesOver100 | Reason::DevicesOver110 => {
            return format!("ask {} for more devices, or protect fewer", vendor(status));
        }
        Reason::ProductVersionTooOld => "upgrade the protection product, then set product.version",
        Reason::SourceStale => "see why the vendor is not heard: svm-agent doctor",
        Reason::ReserveUnusable => "see why (svm-agent status), and replace it: svm-agent key remove KEY",
        Reason::NotEnforced => "give the unit that uses it a gate: sudo svm-agent gate install UNIT",
        Reason::EnforcementFailed => "see what fails: svm-agent status --explain",
        Reason::StateLost => {
            "activate it again (svm-agent activate CODE), and look at the disk: what this SVM held is lost"
        }
        Reason::ClockSuspect => "set the clock right (timedatectl); see svm-agent clock show",
        Reason::DatabasesOutdated => "see why they are old: svm-agent updates status",
        Reason::CertificateExpiring => "svm-agent status --explain",
    };
    text.to_owned()
}

/// What is done first; nothing where all is well.
pub fn first(status: &Status) -> Option<String> {
    if status.store_problem.is_some() {
        return Some("make room on the disk, or see what is wrong with it: svm-agent doctor".to_owned());
    }
    let reason = || status.reasons.first().map(|reason| of_reason(reason, status));
    let ill = || {
        let failing = status.source.outage.is_some()
            || status.source.refused.is_some()
            || status.destinations.values().any(|d| d.health.outage.is_some() || d.quarantined > 0);
        failing.then(|| "see what fails: svm-agent doctor".to_owned())
    };
    of_phase(status).or_else(reason).or_else(ill)
}
