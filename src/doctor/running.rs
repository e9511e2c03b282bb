//! What the running agent says of itself.

use super::context::{DoctorContext, ONE, wait};
use super::finding::{Area, Finding, Findings, Grade};
use crate::control::SocketKind;
use crate::control::client::{AskError, ask_within};
use crate::remedy;
use crate::status::Status;
use reqwest::Method;
use serde_json::Value;
use svm_core::error_chain::Chain;
use svm_core::subscription::{DeviceStatus, Permit, Phase};

const START: &str = "systemctl start svm-agent; if it does not stay: journalctl -u svm-agent -n 20";

pub(super) fn check(context: &DoctorContext) -> Vec<Finding> {
    let dir = &context.settings.runtime_dir;
    let mut service = Findings::of(Area::Service);
    if context.asleep {
        let text = "does not run; systemd starts it once somebody asks it something";
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
                AskError::Answer(_) => "the running agent is of another version: systemctl restart svm-agent",
                _ => START,
            };
            service.fail("agent", Chain(&error).to_string(), remedy);
            return service.found;
        }
        Err(error) => {
            service.fail("agent", error.to_string(), "try again with more memory and open files");
            return service.found;
        }
    };
    match status.agent_version == env!("CARGO_PKG_VERSION") {
        true => service.ok("agent", format!("runs, version {}", status.agent_version)),
        false => service.warn(
            "agent",
            format!("runs version {}; this program is {}", status.agent_version, env!("CARGO_PKG_VERSION")),
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
    let left = status.left().map(|left| format!(", {left}")).unwrap_or_default();
    let grade = match status.phase {
        Phase::Active => Grade::Ok,
        Phase::Grace => Grade::Warning,
        Phase::NotActivated | Phase::Restricted => Grade::Failure,
    };
    found.add(grade, "phase", format!("{}{left}", status.phase_words()), remedy::of_phase(status));
    let grade = match status.device_status {
        DeviceStatus::Ok => Grade::Ok,
        DeviceStatus::Warning => Grade::Warning,
        DeviceStatus::Critical => Grade::Failure,
    };
    let covered =
        ["not_activated", "restricted", "grace", "clock_suspect", "not_enforced", "databases_outdated"];
    for reason in status.reasons.iter().filter(|reason| !covered.contains(&reason.as_str())) {
        found.add(
            grade.min(Grade::Warning),
            "device status",
            reason,
            Some(remedy::of_reason(reason, status)),
        );
    }
    if let Some(problem) = &status.reserve_problem {
        found.warn(
            "reserve key",
            format!("would be of no use: {problem}"),
            "replace it: svm-agent key remove KEY",
        );
    }
    for pending in &status.activations {
        found.warn(
            format!("activation of the {} key", pending.role.as_str()),
            format!("is pending since {}, {} tries failed: {}", pending.since, pending.tries, pending.message),
            "see `source` here; svm-agent key add FILE works without a network, svm-agent activate --cancel drops it",
        );
    }
    if let Some(problem) = &status.store_problem {
        found.fail(
            "store",
            format!("nothing can be kept: {problem}"),
            "make room on the disk, or see what is wrong with it (dmesg)",
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
            let text = format!("fails since {} ({} times): {}", outage.since, outage.times, outage.message);
            found.warn("agent's last look", text, "see the lines of `source` here, then: svm-agent refresh");
        }
        (None, Some(at)) => found.ok("agent's last look", format!("heard the vendor at {at}")),
        (None, None) => found.note("agent's last look", "it looks once a key is held"),
    }
    if let Some(refused) = &source.refused {
        found.warn(
            "published document",
            format!("is refused: {refused}"),
            "tell the vendor; what is held stays in force",
        );
    }
    found.found
}

fn delivery(status: &Status) -> Vec<Finding> {
    let mut found = Findings::of(Area::Delivery);
    for (name, d) in &status.destinations {
        let waiting = match (&d.oldest, d.waiting) {
            (_, 0) => "nothing waits".to_owned(),
            (Some(oldest), n) => format!("{n} events wait, the oldest since {oldest}"),
            (None, n) => format!("{n} events wait"),
        };
        match &d.health.outage {
            Some(outage) => found.warn(
                name,
                format!(
                    "fails since {} ({} times): {}; {waiting}",
                    outage.since, outage.times, outage.message
                ),
                "nothing is lost while outbox.max_megabytes lasts; see its other lines here",
            ),
            None => found.ok(name, waiting),
        }
        if d.quarantined > 0 {
            found.warn(
                name,
                format!("refused {} events, which stay here in quarantine", d.quarantined),
                "svm-agent events list --quarantined; once the receiver takes them: svm-agent events retry --all",
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
        let until = until.map(|until| format!(" until {until} at least")).unwrap_or_default();
        match (permit.enforced_by.as_slice(), &permit.outage) {
            ([], _) if !permit.governed => {
                found.note(name, "this SVM has none, say the settings (enforcement.governs)");
            }
            ([], _) => found.warn(
                name,
                format!("{verdict}{until}, but nobody holds it to that"),
                "sudo svm-agent gate install UNIT, with the unit that uses it",
            ),
            (_, Some(outage)) => found.warn(
                name,
                format!("{verdict}, but that fails since {}: {}", outage.since, outage.message),
                "svm-agent status --explain; svm-agent gate list",
            ),
            (by, None) => found.ok(name, format!("{verdict}{until}, held to it by {}", by.join(", "))),
        }
    }
    if let Some(gateway) = &status.gateway {
        match &gateway.problem {
            Some(problem) => {
                found.fail("gateway", problem, "see who has the port (ss -ltnp), or set gateway.listen")
            }
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
        let text = format!("failed at {}: {}", failed.at, failed.message);
        found.warn("last run", text, format!("journalctl -u {}; then: svm-agent updates run", updates.unit));
    } else if let Some(at) = updates.last_succeeded_at {
        found.ok("last run", format!("went through at {at}"));
    }
    if status.reasons.iter().any(|reason| reason == "databases_outdated") {
        let of = updates.databases_of.map(|of| of.to_string()).unwrap_or_default();
        found.warn(
            "databases",
            format!("are of {of}: old"),
            "svm-agent updates status; svm-agent updates run",
        );
    } else if let Some(of) = updates.databases_of {
        found.ok("databases", format!("of {of}"));
    }
    found.found
}

fn clock(status: &Status) -> Vec<Finding> {
    let mut found = Findings::of(Area::Clock);
    match &status.clock.suspicion {
        Some(suspicion) => found.warn(
            "clock",
            format!(
                "shows {}, which is {} of what is known: it is not gone by",
                status.clock.wall,
                if suspicion.ahead { "ahead" } else { "behind" }
            ),
            "set it right (timedatectl); if it is right as it is: sudo svm-agent clock reset",
        ),
        None => found.ok("clock", "the agent goes by it"),
    }
    found.found
}

fn identity_of(status: &Status, identity: Option<&Value>) -> Vec<Finding> {
    let mut found = Findings::of(Area::Identity);
    match identity.and_then(|shown| shown.get("differs")?.as_str()) {
        Some(what) => found.warn(
            "id",
            format!("{} is bound to a machine with another {}", status.id, what.replace('_', "-")),
            "nothing, on a copy: the next start takes a new id (systemctl restart svm-agent)",
        ),
        None => found.ok("id", format!("{} is this machine's", status.id)),
    }
    found.found
}
