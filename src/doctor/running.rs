//! What the running agent reports about itself.

use super::context::{DoctorContext, ONE, instant, wait};
use super::finding::{Area, Finding, Findings, Grade, REFUSED_DOCUMENT};
use crate::control::SocketKind;
use crate::control::client::{AskError, ask_within};
use crate::remedy;
use crate::status::Status;
use reqwest::Method;
use serde_json::Value;
use svm_core::error_chain::Chain;
use svm_core::subscription::{DeviceStatus, Permit, Phase};
use svm_core::words::Language::English;
use svm_core::words::permits::should;

const UNGATED: &str =
    "allowed, but nothing on this SVM would enforce a stop: no service asks for this permit";

const START: &str = "systemctl start svm-agent; if it stops again: journalctl -u svm-agent -n 20";

pub(super) fn check(context: &DoctorContext) -> Vec<Finding> {
    let dir = &context.settings.runtime_dir;
    let mut service = Findings::of(Area::Service);
    if context.asleep {
        let text = "is not running, so permits run out; systemd starts it at the next request to its sockets";
        service.fail("agent", text, START);
        return service.found;
    }
    let asked = wait(async {
        tokio::join!(
            ask_within::<Status>(dir, SocketKind::Query, Method::GET, "v1/status", None, ONE),
            ask_within::<Value>(dir, SocketKind::Query, Method::GET, "v1/identity", None, ONE)
        )
    });
    let (status, identity) = match asked {
        Ok((Ok(status), identity)) => (status, identity.ok()),
        Ok((Err(error), _)) => {
            let remedy = match &error {
                AskError::Answer(_) => {
                    "the running agent has another version; run: systemctl restart svm-agent"
                }
                _ => START,
            };
            service.fail("agent", format!("{}; meanwhile permits run out", Chain(&error)), remedy);
            return service.found;
        }
        Err(error) => {
            service.fail(
                "agent",
                error.to_string(),
                "free memory or open files of this machine, then try again",
            );
            return service.found;
        }
    };
    match status.agent_version == env!("CARGO_PKG_VERSION") {
        true => service.ok("agent", format!("is running, version {}", status.agent_version)),
        false => service.warn(
            "agent",
            format!(
                "is running version {}, but this program is version {}",
                status.agent_version,
                env!("CARGO_PKG_VERSION")
            ),
            "systemctl restart svm-agent",
        ),
    }
    let mut found = service.found;
    for part in [subscription, source, delivery, enforcement, updates, clock] {
        found.extend(part(&status));
    }
    found.extend(identity_of(&status, identity.as_ref()));
    found
}

fn subscription(status: &Status) -> Vec<Finding> {
    let mut found = Findings::of(Area::Subscription);
    let grade = match status.phase {
        Phase::Active => Grade::Ok,
        Phase::Grace => Grade::Warning,
        Phase::NotActivated | Phase::Restricted => Grade::Failure,
    };
    let steps = |steps: Vec<String>| (!steps.is_empty()).then(|| steps.join(". "));
    found.add(grade, "phase", status.stands(English), steps(remedy::of_phase(status, English)));
    let grade = match status.device_status {
        DeviceStatus::Ok => Grade::Ok,
        DeviceStatus::Warning => Grade::Warning,
        DeviceStatus::Critical => Grade::Failure,
    };
    let covered =
        ["not_activated", "restricted", "grace", "clock_suspect", "not_enforced", "databases_outdated"];
    let reasons = status.reasons.iter().zip(status.reasons_in_short(English));
    for (reason, short) in reasons.filter(|(reason, _)| !covered.contains(&reason.as_str())) {
        found.add(
            grade.min(Grade::Warning),
            "device status",
            short,
            steps(remedy::of_reason(reason, status, English)),
        );
    }
    if let Some(problem) = &status.reserve_problem {
        found.warn(
            "reserve key",
            format!("could not take over: {problem}"),
            "replace it: svm-agent key remove KEY, then svm-agent activate - --reserve",
        );
    }
    for pending in &status.activations {
        found.warn(
            format!("activation of the {} key", pending.role.as_str()),
            format!(
                "has been pending since {}, tries: {}; {}",
                instant(pending.since),
                pending.tries,
                pending.message
            ),
            "see the part Source; without a network: svm-agent key add FILE; to give up: svm-agent activate --cancel",
        );
    }
    if let Some(problem) = &status.store_problem {
        found.fail(
            "store",
            format!("the agent cannot write to its database: {problem}; no events are sent, and no permits are restored"),
            "free space on the disk, or find out what is wrong with it: dmesg",
        );
    }
    found.found
}

fn source(status: &Status) -> Vec<Finding> {
    let mut found = Findings::of(Area::Source);
    let source = &status.source;
    match (&source.outage, source.last_heard_at) {
        _ if !source.configured => {}
        (Some(outage), _) => {
            let text = format!(
                "has failed since {} ({} times): {}; renewals are not noticed",
                instant(outage.since),
                outage.times,
                outage.message
            );
            found.warn(
                "agent's last poll",
                text,
                "see the other lines of this part, then: svm-agent refresh",
            );
        }
        (None, Some(at)) => {
            found.ok("agent's last poll", format!("the provider answered at {}", instant(at)))
        }
        (None, None) => found.note("agent's last poll", "none yet: there is no key"),
    }
    if let Some(refused) = &source.refused {
        found.warn("published document", format!("is refused: {refused}"), REFUSED_DOCUMENT);
    }
    found.found
}

fn delivery(status: &Status) -> Vec<Finding> {
    let mut found = Findings::of(Area::Delivery);
    for (name, d) in &status.destinations {
        let since = d.oldest.as_ref().and_then(|oldest| oldest.parse().ok());
        let since = since.map(|oldest| format!(", the oldest since {}", instant(oldest))).unwrap_or_default();
        let waiting = match d.waiting {
            0 => "no events are waiting".to_owned(),
            1 => format!("1 event is waiting{since}"),
            n => format!("{n} events are waiting{since}"),
        };
        match &d.health.outage {
            Some(outage) => found.warn(
                name,
                format!(
                    "delivery has failed since {} ({} times): {}; {waiting}",
                    instant(outage.since),
                    outage.times,
                    outage.message
                ),
                "see the other lines of this destination; no event is lost until outbox.max_megabytes is used up",
            ),
            None => found.ok(name, waiting),
        }
        if d.quarantined > 0 {
            found.warn(
                name,
                format!("the receiver refused {} events; they stay on this SVM, in quarantine", d.quarantined),
                "svm-agent events list --quarantined; after the receiver is repaired: svm-agent events retry --all",
            );
        }
    }
    found.found
}

fn enforcement(status: &Status) -> Vec<Finding> {
    let mut found = Findings::of(Area::Enforcement);
    for permit in &status.permits {
        let name = permit.resource.file_name();
        let verdict = match permit.verdict {
            Permit::Full => "full",
            Permit::Limited => "limited",
            Permit::Stopped => "stopped",
        };
        let until = permit.until.filter(|_| permit.verdict != Permit::Stopped);
        let until = until.map(|until| format!(" until at least {}", instant(until))).unwrap_or_default();
        match (permit.enforced_by.as_slice(), &permit.outage) {
            ([], _) if !permit.governed => {
                found.note(name, "not used on this SVM (enforcement.governs)");
            }
            ([], _) => found.warn(
                name,
                match permit.verdict {
                    Permit::Full => UNGATED.to_owned(),
                    verdict => should(permit.resource, verdict).english.to_owned(),
                },
                "find the service that uses it, then: sudo svm-agent gate install UNIT",
            ),
            (_, Some(outage)) => found.warn(
                name,
                format!(
                    "the permit is {verdict}, but enforcing it has failed since {}: {}",
                    instant(outage.since),
                    outage.message
                ),
                "svm-agent status --explain; svm-agent gate list",
            ),
            (by, None) => found.ok(name, format!("{verdict}{until}, enforced by {}", by.join(", "))),
        }
    }
    if let Some(gateway) = &status.gateway {
        match &gateway.problem {
            Some(problem) => found.fail(
                "gateway",
                problem,
                "find the program that uses the port (ss -ltnp), or change gateway.listen",
            ),
            None => found.ok("gateway", format!("listens on {}", gateway.listen)),
        }
    }
    found.found
}

fn updates(status: &Status) -> Vec<Finding> {
    let mut found = Findings::of(Area::Updates);
    let updates = &status.updates;
    let failed = updates.last_failed.as_ref().filter(|failed| Some(failed.at) > updates.last_succeeded_at);
    if let Some(failed) = failed {
        let text =
            format!("failed at {}: {}; the databases are not updated", instant(failed.at), failed.message);
        found.warn("last run", text, format!("journalctl -u {}; then: svm-agent updates run", updates.unit));
    } else if let Some(at) = updates.last_succeeded_at {
        found.ok("last run", format!("succeeded at {}", instant(at)));
    }
    if status.reasons.iter().any(|reason| reason == "databases_outdated") {
        let of = updates.databases_of.map(instant).unwrap_or_default();
        found.warn(
            "databases",
            format!("are old: of {of}"),
            "svm-agent updates status; svm-agent updates run",
        );
    } else if let Some(of) = updates.databases_of {
        found.ok("databases", format!("of {}", instant(of)));
    }
    found.found
}

fn clock(status: &Status) -> Vec<Finding> {
    let mut found = Findings::of(Area::Clock);
    match &status.clock.suspicion {
        Some(suspicion) => found.warn(
            "clock",
            format!(
                "shows {}, far {} the trusted time {}: the agent does not trust it",
                instant(status.clock.wall),
                if suspicion.ahead { "ahead of" } else { "behind" },
                instant(status.clock.time)
            ),
            "correct it with timedatectl; if it is correct as it is: sudo svm-agent clock reset",
        ),
        None => found.ok("clock", "the agent trusts it"),
    }
    found.found
}

fn identity_of(status: &Status, identity: Option<&Value>) -> Vec<Finding> {
    let mut found = Findings::of(Area::Identity);
    match identity.and_then(|shown| shown.get("differs")?.as_str()) {
        Some(what) => found.warn(
            "id",
            format!(
                "{} is bound to a machine with another {}: this may be a copy",
                status.id,
                what.replace('_', "-")
            ),
            "if this is a copy, run: systemctl restart svm-agent, which takes a new id",
        ),
        None => found.ok("id", format!("{} belongs to this machine", status.id)),
    }
    found.found
}
