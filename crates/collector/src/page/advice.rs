//! Why the status of an SVM is not OK and what to do: for each reason its sentence and its next step, in the words of the
//! agent itself.
//!
//! Promises: what a newer agent reports and this collector does not know stands as it came, without advice; no advice is
//! guessed.

use super::words::{LANGUAGE, named, reason, relative};
use crate::fleet::{NOT_CONNECTED, STATUS_UNKNOWN, Svm, TWO_MACHINES};
use crate::reported::{ReportedState, Seller};
use jiff::Timestamp;
use svm_core::subscription::{KeyFacts, KnownEnd, Reason, Situation, Vendor};
use svm_core::words::{causes, phases, reasons, remedies};

/// One reason.
pub(super) struct Advice {
    /// What is wrong.
    pub(super) sentence: String,
    /// What to do; several steps, if all are needed.
    pub(super) steps: Vec<String>,
}

/// The reasons of an SVM, as `Svm::reasons` lists them. Steps that several in a row have in common stand with the last.
pub(super) fn advice(svm: &Svm, silent_before: Timestamp, now: Timestamp) -> Vec<Advice> {
    let mut all: Vec<Advice> = svm.reasons(silent_before).iter().map(|name| of(name, svm, now)).collect();
    let mut below: &[String] = &[];
    for advice in all.iter_mut().rev() {
        match advice.steps == below {
            true => advice.steps.clear(),
            false => below = &advice.steps,
        }
    }
    all
}

fn of(name: &str, svm: &Svm, now: Timestamp) -> Advice {
    let advice = |sentence: String, step: &str| Advice { sentence, steps: vec![step.to_owned()] };
    match (name, Reason::from_name(name), &svm.reported) {
        (NOT_CONNECTED, ..) => advice(
            format!("This SVM last contacted the console {}.", relative(now, svm.last_contact)),
            "Check that the SVM runs and reaches this console: svm-agent doctor",
        ),
        (TWO_MACHINES, ..) => advice(
            format!(
                "Several machines use the id of this SVM: {}.",
                super::fleet::names(svm).unwrap_or_default()
            ),
            "One of them is a copy. On each copy stop the agent, run svm-agent identity reset and start the agent",
        ),
        (STATUS_UNKNOWN, ..) => advice(
            "This SVM has not reported its status yet.".to_owned(),
            "Wait for its next report, or see the status on the SVM: svm-agent status",
        ),
        (_, Some(known), Some(reported)) => of_reported(known, reported, now),
        _ => Advice { sentence: reason(name), steps: Vec::new() },
    }
}

fn of_reported(known: Reason, reported: &ReportedState, now: Timestamp) -> Advice {
    let vendor = reported.vendor.as_ref().map(vendor);
    let provider = remedies::provider(vendor.as_ref(), LANGUAGE);
    let situation = situation(reported, now);
    let because = situation.and_then(|s| Some(causes::because(s.cause?, s.lapse_cause).get(LANGUAGE)));
    let sentence = match (known, because) {
        // Without a cause that is known here the sentence would be cut short.
        (Reason::Grace | Reason::Restricted, None) => reason(known.as_str()),
        (_, because) => reasons::sentence(known).fill(LANGUAGE, &[("because", because.unwrap_or_default())]),
    };
    let steps = match (reasons::step(known), situation) {
        (Some(step), _) => vec![step.fill(LANGUAGE, &[("provider", &provider)])],
        (None, None) => Vec::new(),
        (None, Some(situation)) => {
            let remedies = match known {
                Reason::Expiring => situation.before_known_end().into_iter().collect(),
                _ => situation.remedies(),
            };
            let sentence = |remedy| remedies::sentence(remedy, &situation, vendor.as_ref(), LANGUAGE);
            remedies.into_iter().map(sentence).collect()
        }
    };
    Advice { sentence, steps }
}

/// Where the subscription stood when it was reported.
fn situation(reported: &ReportedState, now: Timestamp) -> Option<Situation> {
    let key = reported.kind.as_deref().and_then(named).map(|kind| KeyFacts {
        kind,
        state: reported.state.as_deref().and_then(named).unwrap_or_default(),
        state_since: reported.state_since,
        ends_at: reported.ends_at,
        paid_until: reported.paid_until,
        grace_ends_at: reported.grace_ends_at,
        auto_renew: reported.auto_renew.unwrap_or(false),
    });
    let known_end = reported.known_end.as_ref();
    let known_end = known_end.and_then(|end| Some(KnownEnd { ends_at: end.ends_at, why: named(&end.why)? }));
    Some(Situation {
        now,
        phase: named(reported.phase.as_deref()?)?,
        cause: reported.cause.as_deref().and_then(named),
        lapse_cause: reported.lapse_cause.as_deref().and_then(named),
        key,
        known_end,
        has_reserve: reported.reserve.is_some(),
        // No event says these two; they are so unless somebody arranged it otherwise.
        is_activating: false,
        has_source: true,
    })
}

/// The phase and why, in one line, if both are known here.
pub(super) fn phase_and_cause(reported: &ReportedState, now: Timestamp) -> Option<String> {
    let situation = situation(reported, now)?;
    if reported.cause.is_some() && situation.cause.is_none() {
        return None;
    }
    Some(phases::with_cause(situation.phase, situation.cause, situation.lapse_cause, LANGUAGE))
}

fn vendor(seller: &Seller) -> Vendor {
    let Seller { name, support_url, phone, renewal_url } = seller.clone();
    Vendor { name, support_url, phone, renewal_url }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn reported(reasons: &Value, snapshot: Value) -> ReportedState {
        let data = json!({"device_status": "critical", "device_status_reasons": reasons, "phase": snapshot["phase"],
            "phase_cause": snapshot["cause"], "snapshot": snapshot});
        ReportedState::read("svm.x", data.as_object().unwrap()).unwrap()
    }

    fn said(reasons: Value, snapshot: Value) -> Vec<(String, Vec<String>)> {
        let reported = reported(&reasons, snapshot);
        let svm = Svm {
            id: "a".to_owned(),
            first_contact: Timestamp::UNIX_EPOCH,
            last_contact: Timestamp::UNIX_EPOCH,
            state_sequence: None,
            reported: Some(reported),
            gaps: Default::default(),
            machines: Default::default(),
            conflicts: 0,
            last_conflict: None,
        };
        let now = "2027-01-20T00:00:00Z".parse().unwrap();
        let advice = advice(&svm, Timestamp::UNIX_EPOCH, now);
        advice.into_iter().map(|Advice { sentence, steps }| (sentence, steps)).collect()
    }

    #[test]
    fn each_reason_has_its_sentence_and_its_next_step() {
        let key = |more: Value| {
            let mut snapshot = json!({"key": "SUB-1", "kind": "subscription", "state": "active",
                "ends_at": "2027-01-10T00:00:00Z", "vendor": {"name": "Acme", "renewal_url": "https://acme.example/"}});
            for (name, value) in more.as_object().unwrap() {
                snapshot[name] = value.clone();
            }
            snapshot
        };
        let lapsed = key(json!({"phase": "restricted", "cause": "grace_over", "lapse_cause": "ended"}));
        assert_eq!(
            said(json!(["expired", "restricted", "not_enforced"]), lapsed),
            [
                (
                    "The term or the period of the active key has ended.".to_owned(),
                    // The step below is for both.
                    vec![]
                ),
                (
                    "The subscription is restricted: its term ended and its grace period is over.".to_owned(),
                    vec!["Renew the subscription with Acme (https://acme.example/); svm-agent renewal has a letter for it. Then run: svm-agent refresh".to_owned()]
                ),
                (
                    "Nothing on this SVM enforces the permit for database updates or for KSN.".to_owned(),
                    vec!["Gate the service that uses it, never the scanner: sudo svm-agent gate install UNIT".to_owned()]
                ),
            ]
        );
        let paused = key(
            json!({"phase": "grace", "cause": "paused", "state": "paused", "ends_at": "2028-01-01T00:00:00Z"}),
        );
        let (sentence, steps) = said(json!(["grace"]), paused).remove(0);
        assert_eq!(sentence, "The subscription is in its grace period: the provider paused it.");
        assert!(steps[0].starts_with("Ask Acme (https://acme.example/) to resume"), "{steps:?}");
    }

    #[test]
    fn what_a_newer_agent_reports_stands_as_it_came() {
        let newer = json!({"phase": "frozen", "cause": "melted"});
        assert_eq!(
            said(json!(["too_cold", "restricted"]), newer),
            [("too cold".to_owned(), Vec::new()), ("the subscription is restricted".to_owned(), Vec::new())]
        );
        let now = Timestamp::UNIX_EPOCH;
        let phase = |phase, cause| {
            phase_and_cause(&reported(&json!([]), json!({"phase": phase, "cause": cause})), now)
        };
        assert_eq!(
            phase("restricted", "cancelled").as_deref(),
            Some("restricted: the provider cancelled it")
        );
        assert_eq!(phase("restricted", "melted"), None);
    }
}
