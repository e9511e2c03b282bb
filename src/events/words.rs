//! What events are called and say, for people. KSC shows the name in a list and the sentence beside it.

use super::{DropCount, Operational};
use crate::subscription::{Cause, KeyId, Kind, LimitLevel, Permit, Phase, RemovalCause, Resource, View, Why};

fn days(count: u64) -> String {
    if count == 1 { "1 day".to_owned() } else { format!("{count} days") }
}

/// Some of a list, and how many more there are.
fn some(names: &[String]) -> String {
    let shown = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(3) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn resource(resource: Resource) -> &'static str {
    match resource {
        Resource::DatabaseUpdates => "database updates",
        Resource::Ksn => "the use of KSN",
    }
}

/// Why an SVM has a new id, for a sentence.
pub fn new_id_because(why: &str) -> &'static str {
    match why {
        "machine_id" => "its machine-id is another one, as on a copy",
        "product_uuid" => "its product UUID is another one, as on a copy",
        _ => "its identity was reset",
    }
}

fn cause(cause: Option<Cause>) -> &'static str {
    match cause {
        None => "in its term",
        Some(Cause::Ended) => "its end date has passed",
        Some(Cause::Paused) => "the vendor paused it",
        Some(Cause::Unpaid) => "the vendor was not prepaid in time",
        Some(Cause::GraceOver) => "the grace period is over",
        Some(Cause::NotGranted) => "it ended and no grace period is granted",
        Some(Cause::Cancelled) => "the vendor cancelled it",
        Some(Cause::Blocked) => "the vendor blocked the key",
        Some(Cause::Expired) => "its period is used up",
    }
}

fn status(key: Option<&KeyId>, to: Phase, why: Option<Cause>) -> String {
    let key = key.map_or_else(|| "the key".to_owned(), |k| format!("key {k}"));
    match to {
        Phase::NotActivated => "the SVM is not activated: it holds no active key".to_owned(),
        Phase::Active => format!("{key} is active"),
        Phase::Grace => format!("{key} is in its grace period, with everything working: {}", cause(why)),
        Phase::Restricted => format!("{key} is restricted: {}; protection itself goes on", cause(why)),
    }
}

/// Display name and sentence of an event of the life cycle.
pub(super) fn of(kind: &Kind) -> (&'static str, String) {
    match kind {
        Kind::KeyAdded { key, role } => {
            ("Key added", format!("key {key} was added as the {} key", role.as_str()))
        }
        Kind::KeyRemoved { key, role, why } => (
            "Key removed",
            match why {
                RemovalCause::Removed => format!("the {} key {key} was removed", role.as_str()),
                RemovalCause::Replaced => {
                    format!("the {} key {key} was replaced by a new one", role.as_str())
                }
            },
        ),
        Kind::KeyReserveApplied { key, replaced, why } => {
            let why = match why {
                Why::Removed => "was removed",
                Why::Cancelled => "was cancelled",
                Why::Blocked => "was blocked",
                Why::Ended => "ended",
                Why::Lapsed => "lapsed",
            };
            ("Reserve key applied", format!("the reserve key {key} took over, because key {replaced} {why}"))
        }
        Kind::KeyRejected { message, .. } => ("Key rejected", message.clone()),
        Kind::DocumentsRejected { message, .. } => ("Published document rejected", message.clone()),
        Kind::StatusChanged { key, to, cause, .. } => {
            ("Subscription status changed", status(key.as_ref(), *to, *cause))
        }
        Kind::SubscriptionExpired { key, ends_at } => (
            "Subscription expired",
            format!("the subscription of key {key} ended at {ends_at} and was not renewed"),
        ),
        Kind::LicenceExpired { key, ends_at } => {
            ("Licence expired", format!("the period of the commercial key {key} was used up at {ends_at}"))
        }
        Kind::Renewed { key, from, to } => {
            ("Subscription renewed", format!("the subscription of key {key} was renewed from {from} to {to}"))
        }
        Kind::ParametersChanged { key, fields, .. } => (
            "Subscription parameters changed",
            format!("the vendor changed the terms of key {key}: {}", fields.join(", ")),
        ),
        Kind::Expiring { key, days_left, ends_at, auto_renew } => (
            "Subscription expires soon",
            format!(
                "key {key} ends in {}, at {ends_at}{}",
                days(*days_left),
                if *auto_renew { "; it is set to renew by itself" } else { "" }
            ),
        ),
        Kind::GraceEnding { key, days_left, grace_ends_at } => (
            "Grace period ends soon",
            format!(
                "the grace period of key {key} is over in {}, at {grace_ends_at}; then database updates and KSN are cut",
                days(*days_left)
            ),
        ),
        Kind::SourceStale { key, fresh_until } => (
            "No fresh word from the vendor",
            format!(
                "the vendor's word on key {key} was fresh until {fresh_until}, and no newer one was received"
            ),
        ),
        Kind::EnforcementChanged { resource: r, to, enforced_by, .. } => {
            let by = match enforced_by.as_slice() {
                [] => String::new(),
                by => format!("; held to it by {}", by.join(", ")),
            };
            let is = match r {
                Resource::DatabaseUpdates => "database updates are",
                Resource::Ksn => "the use of KSN is",
            };
            let what = match to {
                Permit::Full => "allowed without limit",
                Permit::Limited => "limited to what the vendor allows after the grace",
                Permit::Stopped => "stopped",
            };
            ("Enforcement changed", format!("{is} {what}{by}"))
        }
        Kind::DevicesLimit { to, count, limit, .. } => {
            let over = match to {
                LimitLevel::None => "",
                LimitLevel::Over90 => ": more than 90 %",
                LimitLevel::Over100 => ": too many",
                LimitLevel::Over110 => ": too many, by more than 10 %",
            };
            let sentence = match (count, limit) {
                (Some(count), Some(limit)) => {
                    format!("{count} devices are protected, of {limit} allowed{over}")
                }
                (Some(count), None) => format!("{count} devices are protected, and there is no limit"),
                (None, _) => "how many devices are protected is not known any more".to_owned(),
            };
            ("Protected devices against the limit", sentence)
        }
        Kind::DeviceStatusChanged { to, reasons, .. } => (
            "Device status changed",
            if reasons.is_empty() {
                format!("the status of this SVM is {}", to.as_str())
            } else {
                format!("the status of this SVM is {}: {}", to.as_str(), reasons.join(", "))
            },
        ),
    }
}

/// Display name and sentence of an event of the agent itself.
pub(super) fn of_operational(event: &Operational, view: &View) -> (&'static str, String) {
    match event {
        Operational::AgentStarted { version } => ("Agent started", format!("svm-agent {version} started")),
        Operational::SettingsReloaded { keys } => {
            ("Settings changed", format!("the settings of svm-agent were reloaded; changed: {}", some(keys)))
        }
        Operational::AgentReport { .. } => (
            "Agent report",
            format!(
                "the SVM is {}; its subscription is {}",
                view.device_status.as_str(),
                view.phase.as_str()
            ),
        ),
        Operational::StoreRebuilt { problem, set_aside, lost } => (
            if *lost { "State lost" } else { "Database rebuilt" },
            match (set_aside, lost) {
                (Some(name), false) => format!("the database was set aside as {name} and rebuilt: {problem}"),
                (None, false) => format!("the database was rebuilt: {problem}"),
                (Some(name), true) => format!("the database was set aside as {name}: {problem}"),
                (None, true) => problem.clone(),
            },
        ),
        Operational::IdentityChanged { old_id, new_id, why } => (
            "New identity",
            format!("this SVM, until now {old_id}, has the new id {new_id}: {}", new_id_because(why)),
        ),
        Operational::SequenceReverted { destination, from, to } => (
            "Sequence numbers reverted",
            format!(
                "{destination} has another event as number {}, so this machine was reverted to an earlier state or copied; the numbers go on from {}",
                from.trim_start_matches('0'),
                to.trim_start_matches('0')
            ),
        ),
        Operational::EventsDropped(drops) => {
            let (mut total, mut counts) = (0, Vec::new());
            for DropCount { r#type, reason, count } in &drops.dropped {
                total += count;
                counts.push(format!("{count} {type} ({reason})"));
            }
            let names: Vec<&str> = drops.destinations.keys().map(String::as_str).collect();
            let sentence = format!(
                "{total} events that waited for {} were dropped: {}",
                names.join(", "),
                counts.join(", ")
            );
            ("Events dropped", sentence)
        }
        Operational::CertificateExpiring { destination, file, ends_at, days_left } => (
            "Client certificate expires",
            match days_left {
                0 => format!("the certificate for {destination} expired on {ends_at}: renew {file}"),
                left => format!(
                    "the certificate for {destination} expires in {}, on {ends_at}: renew {file}",
                    days(*left)
                ),
            },
        ),
        Operational::EventsQuarantined { destination, events } => {
            let first = events.first().map(|e| format!(": {}: {}", e.code, e.answer)).unwrap_or_default();
            let what =
                if events.len() == 1 { "1 event".to_owned() } else { format!("{} events", events.len()) };
            ("Events in quarantine", format!("{destination} refuses {what}, which stay here{first}"))
        }
        Operational::EnforcementFailed { resource: r, to, problems } => (
            "Enforcement failed",
            format!("{} could not be made {}: {}", resource(*r), to.as_str(), problems.join("; ")),
        ),
        Operational::EnforcementRepaired { resource: r, action } => (
            "Enforcement repaired",
            format!("{}: somebody undid what the action {action} sets, and it was set again", resource(*r)),
        ),
        Operational::UpdatesSucceeded { unit, took_seconds } => {
            ("Database update succeeded", format!("{unit} updated the databases in {took_seconds} s"))
        }
        Operational::UpdatesFailed { unit, message, .. } => {
            ("Database update failed", format!("{unit}: {message}"))
        }
        Operational::ReserveUnusable { key, message, .. } => (
            "Reserve key of no use",
            format!("the reserve key {key} would be of no use if it took over now: {message}"),
        ),
        Operational::ReserveUsable { key } => {
            ("Reserve key good again", format!("the reserve key {key} could take over now"))
        }
        Operational::ActivationPending { role, message, replaces, .. } => {
            let instead = if *replaces { "; the one that was pending before is dropped" } else { "" };
            (
                "Activation pending",
                format!("the activation of the {} key is pending: {message}{instead}", role.as_str()),
            )
        }
        Operational::ActivationCancelled { role, since, why } => {
            let why = if *why == "cancelled" { "by command" } else { "another key was added instead" };
            let role = role.as_str();
            (
                "Activation cancelled",
                format!("the activation of the {role} key, pending since {since}, was dropped: {why}"),
            )
        }
        Operational::ActivationFailed { role, since, message, .. } => (
            "Activation failed",
            format!(
                "the activation of the {} key, pending since {since}, is tried no more: {message}; activate it again by its code",
                role.as_str()
            ),
        ),
        Operational::DatabasesOutdated { since, days: old, .. } => {
            ("Databases are old", format!("the databases are of {since}, {} old", days(*old)))
        }
        Operational::ClockSuspect { wall, used, stands } => (
            "Clock is doubtful",
            format!(
                "the clock of this machine shows {wall} and stands {stands} of what is known: {used} is gone by until that is explained"
            ),
        ),
        Operational::ClockTrusted { used } => {
            ("Clock is trusted again", format!("the clock of this machine is gone by again: it is {used}"))
        }
        Operational::ClockReset { from, to } => {
            ("Clock was reset", format!("root had this machine's clock gone by: from {from} to {to}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_devices_is_told_in_words() {
        let (from, to) = (LimitLevel::None, LimitLevel::Over90);
        for (to, count, limit, said) in [
            (to, Some(95), Some(100), "95 devices are protected, of 100 allowed: more than 90 %"),
            (
                LimitLevel::Over100,
                Some(101),
                Some(100),
                "101 devices are protected, of 100 allowed: too many",
            ),
            (from, Some(50), Some(100), "50 devices are protected, of 100 allowed"),
            (from, Some(95), None, "95 devices are protected, and there is no limit"),
            (from, None, Some(100), "how many devices are protected is not known any more"),
        ] {
            assert_eq!(of(&Kind::DevicesLimit { from, to, count, limit }).1, said);
        }
    }
}
