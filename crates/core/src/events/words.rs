//! What events are called and say, for people. KSC shows the name in a list and the sentence beside it.

use crate::events::operational::{DropCount, Operational};
use crate::subscription::{
    Cause, Change, KeyId, Kind, LimitLevel, Permit, Phase, Reason, RemovalCause, Resource, VendorState, View,
    WayOut, Why, bounded_message, read_instant,
};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

fn days(count: u64) -> String {
    if count == 1 { "1 day".to_owned() } else { format!("{count} days") }
}

/// An instant for a sentence: a day where it is the midnight of UTC, else to the minute, or to the second where it has one.
pub fn when(at: Timestamp) -> String {
    let text = at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    match text.strip_suffix(" 00:00:00") {
        Some(day) => day.to_owned(),
        None => format!("{} UTC", text.strip_suffix(":00").unwrap_or(&text)),
    }
}

/// So many days ahead, rounded up, and when: the last of them is less than a day.
pub fn in_days(left: u64, at: Timestamp) -> String {
    let time = |format| at.strftime(format).to_string().replace(":00 UTC", " UTC");
    match left {
        0 | 1 => format!("in less than a day, at {}", time("%H:%M:%S UTC")),
        left => format!("in {left} days, at {}", time("%Y-%m-%d %H:%M:%S UTC")),
    }
}

/// The vendor's word about a key, and since when it counts. One that counts only from later is announced.
pub fn vendor_state(state: VendorState, since: Option<Timestamp>, now: Timestamp) -> String {
    let word = match state {
        VendorState::Active => "active",
        VendorState::Paused => "paused by the vendor",
        VendorState::SoftCancelled => "renewal cancelled by the vendor",
        VendorState::HardCancelled => "cancelled by the vendor",
        VendorState::Blocked => "blocked by the vendor",
    };
    match since {
        Some(at) if at > now => format!("{word} from {}", when(at)),
        Some(at) => format!("{word} since {}", when(at)),
        None => word.to_owned(),
    }
}

/// Some of a list, and how many more there are.
fn some(names: &[String]) -> String {
    let shown = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(3) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The sentence of a refusal, with the command that is the way out of it; at most 500 characters.
pub fn refusal(message: &str, way_out: Option<&WayOut>) -> String {
    bounded_message(match way_out {
        None => message.to_owned(),
        Some(WayOut::RemoveKey(key)) => format!("{message}: svm-agent key remove {key}"),
        Some(WayOut::ListKeys) => format!("{message}; `svm-agent key list` shows those that are"),
    })
}

fn join(reasons: &[Reason]) -> String {
    reasons.iter().map(|reason| reason.as_str()).collect::<Vec<_>>().join(", ")
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

/// Why a key is in grace or restricted, for a sentence. A lapse says what it came from: that is what has to be mended.
pub fn because(cause: Cause, lapse_cause: Option<Cause>) -> &'static str {
    match (cause, lapse_cause) {
        (Cause::Ended, _) => "its end date has passed",
        (Cause::Paused, _) => "the vendor paused it",
        (Cause::Unpaid, _) => "the vendor was not prepaid in time",
        (Cause::GraceOver, Some(Cause::Paused)) => "the vendor paused it and the grace period is over",
        (Cause::GraceOver, Some(Cause::Unpaid)) => {
            "the vendor was not prepaid in time and the grace period is over"
        }
        (Cause::GraceOver, _) => "its term ended and the grace period is over",
        (Cause::NotGranted, Some(Cause::Paused)) => "the vendor paused it and no grace period is granted",
        (Cause::NotGranted, Some(Cause::Unpaid)) => {
            "the vendor was not prepaid in time and no grace period is granted"
        }
        (Cause::NotGranted, _) => "its term ended and no grace period is granted",
        (Cause::Cancelled, _) => "the vendor cancelled it",
        (Cause::Blocked, _) => "the vendor blocked the key",
        (Cause::Expired, _) => "its period is used up",
    }
}

fn status(key: Option<&KeyId>, to: Phase, why: &str) -> String {
    let key = key.map_or_else(|| "the key".to_owned(), |k| format!("key {k}"));
    match to {
        Phase::NotActivated => "the SVM is not activated: it holds no active key".to_owned(),
        Phase::Active => format!("{key} is active"),
        Phase::Grace => format!("{key} is in its grace period, with everything working: {why}"),
        Phase::Restricted => format!("{key} is restricted: {why}; protection itself goes on"),
    }
}

/// What the vendor changed, with the values.
fn changed(key: &KeyId, changes: &BTreeMap<&'static str, Change>, now: Timestamp) -> String {
    let mut sentences = Vec::new();
    sentences.extend(changes.get("state").map(|change| state_changed(key, change, now)));
    sentences.extend(changes.get("term").and_then(|change| term_changed(key, change)));
    let mut values = Vec::new();
    for (name, Change { old, new }) in changes {
        let (name, value): (_, fn(&Value) -> String) = match *name {
            "after_grace" => ("after the grace period", trickle),
            "auto_renew" => ("automatic renewal", |v| if v == true { "on" } else { "off" }.to_owned()),
            "devices" => ("devices", |v| number(v, "without limit")),
            "grace_days" => ("grace period", |v| days(v.as_u64().unwrap_or(0))),
            "min_product_version" => ("lowest product version", |v| number(v, "any")),
            "term" if new.get("period_days").is_some() => {
                ("period", |v| days(v.get("period_days").and_then(Value::as_u64).unwrap_or(0)))
            }
            _ => continue,
        };
        // "3 → 10 days" says all that "3 days → 10 days" does.
        let (old, new) = (value(old), value(new));
        let old = match (old.strip_suffix(" days"), new.ends_with(" days")) {
            (Some(number), true) => number.to_owned(),
            _ => old,
        };
        values.push(format!("{name}: {old} → {new}"));
    }
    let values = values.join(", ");
    match (sentences.is_empty(), values.is_empty()) {
        (true, _) => format!("the vendor changed the terms of {key}: {values}"),
        (false, true) => sentences.join("; "),
        (false, false) => format!("{}; {values}", sentences.join("; ")),
    }
}

fn number(value: &Value, absent: &str) -> String {
    match value {
        Value::Null => absent.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn trickle(after_grace: &Value) -> String {
    let of = |resource: Resource| {
        let rule = after_grace.get(resource.as_str());
        let rate = rule.and_then(|rule| rule.get(resource.unit())).and_then(Value::as_u64);
        let rate = rate.map(|rate| format!("{rate} {}", resource.unit().replace('_', " ")));
        let name = match resource {
            Resource::DatabaseUpdates => "updates",
            Resource::Ksn => "KSN",
        };
        format!("{name} {}", rate.unwrap_or_else(|| "stopped".to_owned()))
    };
    Resource::ALL.map(of).join(" and ")
}

fn instant(value: &Value, name: &str) -> Option<Timestamp> {
    read_instant(value.get(name)?.as_str()?).ok()
}

fn state_changed(key: &KeyId, Change { old, new }: &Change, now: Timestamp) -> String {
    let state = |value: &Value| value.get("state").and_then(Value::as_str).unwrap_or_default().to_owned();
    // What it is that is done, and that will be done.
    let deed = |state: &str| match state {
        "paused" => Some(("paused", "pause", "pause")),
        "soft_cancelled" => {
            Some(("switched off the renewal of", "switch off the renewal of", "end of the renewal"))
        }
        "hard_cancelled" => Some(("cancelled", "cancel", "cancellation")),
        "blocked" => Some(("blocked", "block", "blocking")),
        _ => None,
    };
    let since = instant(new, "state_since");
    let on = |at: Option<Timestamp>| at.map_or_else(String::new, |at| format!(" on {}", when(at)));
    match (deed(&state(new)), deed(&state(old)), instant(old, "state_since")) {
        (Some((_, will, _)), ..) if since.is_some_and(|since| since > now) => {
            format!("the vendor will {will} {key}{}", on(since))
        }
        (Some((did, ..)), ..) => format!("the vendor {did} {key}{}", on(since)),
        (None, Some((.., noun)), Some(announced)) if announced > now => {
            format!("the vendor took back the {noun} of {key} that was announced for {}", when(announced))
        }
        (None, Some((_, _, "end of the renewal")), _) => format!("the vendor lets {key} be renewed again"),
        (None, ..) => format!("the vendor made {key} active again{}", on(since)),
    }
}

/// How a term changed that was not renewed; the period of a commercial key is a value like others.
fn term_changed(key: &KeyId, Change { old, new }: &Change) -> Option<String> {
    let date = |value: &Value| instant(value, "ends_at").or_else(|| instant(value, "paid_until"));
    let is = |value: &Value, kind: &str| value.get("type").and_then(Value::as_str) == Some(kind);
    let what = if is(new, "limited") { "the end" } else { "the paid date" };
    Some(match (date(old), date(new)) {
        _ if old.get("type").is_none() => return None,
        (_, Some(end)) if is(old, "unlimited") && is(new, "limited") => {
            format!("the vendor made {key} limited: it ends on {}", when(end))
        }
        (_, Some(paid)) if is(old, "limited") && is(new, "unlimited") => {
            format!("the vendor made {key} unlimited: it is paid until {}", when(paid))
        }
        (_, None) if is(old, "limited") => format!("the vendor made {key} unlimited"),
        (Some(from), Some(to)) => {
            format!("the vendor moved {what} of {key} from {} to {}", when(from), when(to))
        }
        (None, Some(paid)) => format!("the vendor counts {key} as paid until {}", when(paid)),
        (Some(from), None) => format!("the vendor took away the paid date of {key}, {}", when(from)),
        (None, None) => format!("the vendor changed the term of {key}"),
    })
}

/// Display name and sentence of an event of the life cycle.
pub(super) fn of(kind: &Kind, now: Timestamp) -> (&'static str, String) {
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
        Kind::StatusChanged { key, to, cause, lapse_cause, .. } => (
            "Subscription status changed",
            status(key.as_ref(), *to, cause.map(|cause| because(cause, *lapse_cause)).unwrap_or_default()),
        ),
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
        Kind::ParametersChanged { key, changes, .. } => {
            ("Subscription parameters changed", changed(key, changes, now))
        }
        Kind::Expiring { key, days_left, ends_at, why, auto_renew } => {
            let when = in_days(*days_left, *ends_at);
            let sentence = match why {
                Cause::Cancelled => format!("the vendor cancels key {key} {when}"),
                Cause::Blocked => format!("the vendor blocks key {key} {when}"),
                Cause::Paused => {
                    format!("the vendor pauses key {key} {when}, and no grace period is granted")
                }
                Cause::Unpaid => {
                    format!("key {key} is no longer paid for {when}, and no grace period is granted")
                }
                _ if *auto_renew => format!("key {key} ends {when}; it is set to renew automatically"),
                _ => format!("key {key} ends {when}"),
            };
            ("Subscription expires soon", sentence)
        }
        Kind::GraceEnding { key, days_left, grace_ends_at } => (
            "Grace period ends soon",
            format!(
                "the grace period of key {key} is over {}; then database updates and KSN are cut",
                in_days(*days_left, *grace_ends_at)
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
                format!("the status of this SVM is {}: {}", to.as_str(), join(reasons))
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
    use crate::subscription::{Input, Settings, State, Statement, step};
    use serde_json::json;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// What is said of a change of one subscription, or of a commercial key.
    fn said(old: Value, new: Value) -> String {
        let settings = Settings::new("6.1".parse().unwrap());
        let now = at("2027-01-05T12:00:00Z");
        let read = |mut more: Value, rev: u64| {
            let devices = more.as_object_mut().unwrap().remove("devices");
            let (kind, part) = match more.get("period_days") {
                Some(_) => ("commercial", "licence"),
                None => ("subscription", "subscription"),
            };
            let mut claims =
                json!({"rev": rev, "key": {"id": "SUB-1", "kind": kind}, part: more, "devices": devices});
            if kind == "subscription" && claims[part]["term"].is_null() {
                claims[part]["term"] = json!({"type": "limited", "ends_at": "2027-03-10T00:00:00Z"});
            }
            Statement::read(&claims).unwrap()
        };
        let (state, _) = step(State::default(), &settings, now, Input::Activate(Ok(read(old, 1))));
        let (_, events) = step(state, &settings, now, Input::Publish(Ok(read(new, 2))));
        let kind = events.into_iter().map(|event| event.kind);
        let changed = kind.into_iter().find(|kind| matches!(kind, Kind::ParametersChanged { .. }));
        changed.map(|kind| of(&kind, now).1).unwrap_or_default()
    }

    #[test]
    fn a_change_is_told_with_its_values() {
        let state = |state: &str, since: &str| json!({"state": state, "state_since": since});
        let limited = |ends_at: &str| json!({"term": {"type": "limited", "ends_at": ends_at}});
        let paid = |until: &str| json!({"term": {"type": "unlimited", "paid_until": until}});
        let (past, soon) = ("2027-01-01T00:00:00Z", "2027-01-09T00:00:00Z");
        for (old, new, sentence) in [
            (
                json!({}),
                limited("2027-01-19T00:00:00Z"),
                "the vendor moved the end of SUB-1 from 2027-03-10 to 2027-01-19",
            ),
            (
                json!({"grace_days": 3}),
                json!({"grace_days": 10}),
                "the vendor changed the terms of SUB-1: grace period: 3 → 10 days",
            ),
            (
                json!({"grace_days": 1}),
                json!({}),
                "the vendor changed the terms of SUB-1: grace period: 1 day → 0 days",
            ),
            (json!({}), state("hard_cancelled", soon), "the vendor will cancel SUB-1 on 2027-01-09"),
            (
                json!({}),
                state("paused", "2027-01-09T14:30:00Z"),
                "the vendor will pause SUB-1 on 2027-01-09 14:30 UTC",
            ),
            (
                json!({}),
                state("blocked", "2027-01-09T14:30:05Z"),
                "the vendor will block SUB-1 on 2027-01-09 14:30:05 UTC",
            ),
            (
                state("hard_cancelled", soon),
                state("active", past),
                "the vendor took back the cancellation of SUB-1 that was announced for 2027-01-09",
            ),
            (
                json!({}),
                state("soft_cancelled", past),
                "the vendor switched off the renewal of SUB-1 on 2027-01-01",
            ),
            (state("soft_cancelled", past), state("active", past), "the vendor lets SUB-1 be renewed again"),
            (
                json!({"auto_renew": true, "devices": 100}),
                json!({"state": "soft_cancelled", "state_since": past}),
                "the vendor switched off the renewal of SUB-1 on 2027-01-01; automatic renewal: on → off, devices: 100 → without limit",
            ),
            (
                json!({}),
                paid("2027-02-01T00:00:00Z"),
                "the vendor made SUB-1 unlimited: it is paid until 2027-02-01",
            ),
            (
                paid("2027-02-01T00:00:00Z"),
                paid("2027-01-20T00:00:00Z"),
                "the vendor moved the paid date of SUB-1 from 2027-02-01 to 2027-01-20",
            ),
            (
                paid("2027-02-01T00:00:00Z"),
                json!({"term": {"type": "unlimited"}}),
                "the vendor took away the paid date of SUB-1, 2027-02-01",
            ),
            (paid("2027-02-01T00:00:00Z"), json!({}), "the vendor made SUB-1 limited: it ends on 2027-03-10"),
            (
                json!({"period_days": 30}),
                json!({"period_days": 60}),
                "the vendor changed the terms of SUB-1: period: 30 → 60 days",
            ),
            (
                json!({"after_grace": {"ksn": {"per_minute": 30}}}),
                json!({}),
                "the vendor changed the terms of SUB-1: after the grace period: updates stopped and KSN 30 per minute → updates stopped and KSN stopped",
            ),
            (json!({}), json!({}), ""),
        ] {
            assert_eq!(said(old.clone(), new.clone()), sentence, "{old} {new}");
        }
    }

    #[test]
    fn the_last_day_is_less_than_a_day() {
        let end = at("2027-01-19T14:00:00.123456Z");
        assert_eq!(in_days(1, end), "in less than a day, at 14:00 UTC");
        assert_eq!(in_days(3, end), "in 3 days, at 2027-01-19 14:00 UTC");
        let (state, now) = (VendorState::HardCancelled, at("2027-01-01T00:00:00Z"));
        assert_eq!(vendor_state(state, Some(end), now), "cancelled by the vendor from 2027-01-19 14:00 UTC");
        assert_eq!(vendor_state(state, Some(now), now), "cancelled by the vendor since 2027-01-01");
        assert_eq!(vendor_state(VendorState::Active, None, now), "active");
    }

    #[test]
    fn a_lapse_says_what_it_came_from() {
        let key = KeyId::try_from("K".to_owned()).unwrap();
        let told = |cause, lapse_cause| {
            let (from, to) = (Phase::Active, Phase::Restricted);
            let (ends_at, grace_ends_at) = (None, None);
            let key = Some(key.clone());
            of(
                &Kind::StatusChanged { key, from, to, cause, lapse_cause, ends_at, grace_ends_at },
                Timestamp::MIN,
            )
            .1
        };
        for cause in [Cause::GraceOver, Cause::NotGranted] {
            assert!(told(Some(cause), Some(Cause::Paused)).contains("the vendor paused it"));
            assert!(told(Some(cause), Some(Cause::Unpaid)).contains("not prepaid in time"));
            assert!(told(Some(cause), Some(Cause::Ended)).contains("its term ended"));
        }
    }

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
            let kind = Kind::DevicesLimit { from, to, count, limit };
            assert_eq!(of(&kind, Timestamp::UNIX_EPOCH).1, said);
        }
    }
}
