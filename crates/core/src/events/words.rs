//! The sentence of an event, in either language, from its type and its fields: of an event that happens now, and of one
//! that was stored.

use crate::subscription::{
    Cause, DeviceStatus, LimitLevel, Phase, Reason, RefusalCode, Resource, Role, VendorState, Why,
};
use crate::words::events::{self as texts, Agent, Changed, LifeCycle};
use crate::words::{
    Language, Noun, causes, count, labels::Phrase, permits, phases, reasons, refusals, times,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The fields of an event, as JSON has them.
#[derive(Clone, Copy)]
struct Fields<'a> {
    fields: &'a Value,
    language: Language,
}

impl<'a> Fields<'a> {
    fn text(self, name: &str) -> Option<&'a str> {
        self.fields.get(name)?.as_str()
    }

    fn number(self, name: &str) -> Option<u64> {
        self.fields.get(name)?.as_u64()
    }

    fn flag(self, name: &str) -> bool {
        self.fields.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    fn read<T: DeserializeOwned>(self, name: &str) -> Option<T> {
        T::deserialize(self.fields.get(name)?).ok()
    }

    fn at(self, name: &str) -> Option<Timestamp> {
        self.read(name)
    }

    /// An instant, as a person reads it.
    fn when(self, name: &str) -> Option<String> {
        Some(times::instant(self.at(name)?, self.language))
    }

    fn count(self, number: u64, noun: Noun) -> String {
        count(number, noun, self.language)
    }

    fn role(self) -> Option<&'static str> {
        let role = match self.read("role")? {
            Role::Active => Phrase::RoleActive,
            Role::Reserve => Phrase::RoleReserve,
        };
        Some(role.get(self.language))
    }

    fn because(self) -> &'static str {
        let cause = self.read::<Cause>("cause");
        cause
            .map(|cause| causes::because(cause, self.read("lapse_cause")).get(self.language))
            .unwrap_or_default()
    }
}

/// The sentence of an event that happened at `now`. `fields` are its own, with the `device_status` and the `phase` of the
/// SVM for a report. `None` for a type or a form that only another version knows.
pub fn sentence(type_name: &str, fields: &Value, now: Timestamp, language: Language) -> Option<String> {
    let f = Fields { fields, language };
    // A permit that is carried out by nothing is not enforced.
    if type_name == "enforcement.changed"
        && f.read::<Vec<String>>("enforced_by").unwrap_or_default().is_empty()
    {
        return Some(permits::should(f.read("resource")?, f.read("to")?).get(language).to_owned());
    }
    foreseen(type_name, fields, now, language)
}

/// The sentence of an event in a forecast, where nothing is enforced yet.
pub(super) fn foreseen(
    type_name: &str,
    fields: &Value,
    now: Timestamp,
    language: Language,
) -> Option<String> {
    let f = Fields { fields, language };
    let key = f.text("key").unwrap_or_default();
    life_cycle(type_name, f, key, now).or_else(|| agent(type_name, f))
}

fn life_cycle(type_name: &str, f: Fields<'_>, key: &str, now: Timestamp) -> Option<String> {
    let language = f.language;
    Some(match type_name {
        "key.added" => {
            let text = match f.read("role")? {
                Role::Active => LifeCycle::ActiveKeyAdded,
                Role::Reserve => LifeCycle::ReserveKeyAdded,
            };
            text.fill(language, &[("key", key)])
        }
        "key.removed" => {
            let replaced = f.text("why")? == "replaced";
            let text = if replaced { LifeCycle::KeyReplaced } else { LifeCycle::KeyRemoved };
            text.fill(language, &[("key", key), ("role", f.role()?)])
        }
        "key.reserve_applied" => {
            let why = texts::take_over(f.read::<Why>("why")?).get(language);
            let replaced = f.text("replaced")?;
            LifeCycle::ReserveApplied.fill(language, &[("key", key), ("replaced", replaced), ("why", why)])
        }
        "key.rejected" | "documents.rejected" => rejected(f)?,
        "subscription.status_changed" => {
            let key = refusals::key(f.text("key"), language);
            let text = texts::phase(f.read::<Phase>("to")?);
            text.fill(language, &[("key", &key), ("because", f.because())])
        }
        "subscription.expired" => {
            LifeCycle::SubscriptionExpired.fill(language, &[("key", key), ("when", &f.when("ends_at")?)])
        }
        "licence.expired" => {
            LifeCycle::LicenceExpired.fill(language, &[("key", key), ("when", &f.when("ends_at")?)])
        }
        "subscription.renewed" => LifeCycle::Renewed
            .fill(language, &[("key", key), ("from", &f.when("from")?), ("to", &f.when("to")?)]),
        "subscription.parameters_changed" => changed(key, f, now)?,
        "subscription.expiring" => {
            let when = times::days_ahead(f.number("days_left")?, f.at("ends_at")?, language);
            let text = texts::expiring(f.read("why")?, f.flag("auto_renew"));
            text.fill(language, &[("key", key), ("when", &when)])
        }
        "subscription.grace_ending" => {
            let when = times::days_ahead(f.number("days_left")?, f.at("grace_ends_at")?, language);
            LifeCycle::GraceEnding.fill(language, &[("key", key), ("when", &when)])
        }
        "source.stale" => {
            LifeCycle::SourceStale.fill(language, &[("key", key), ("when", &f.when("fresh_until")?)])
        }
        "enforcement.changed" => {
            let what = permits::became(f.read("resource")?, f.read("to")?).get(language);
            match f.read::<Vec<String>>("enforced_by").unwrap_or_default().as_slice() {
                [] => what.to_owned(),
                by => LifeCycle::EnforcedBy.fill(language, &[("what", what), ("names", &by.join(", "))]),
            }
        }
        "devices.limit" => devices(f)?,
        "device.status_changed" => {
            let status = phases::device_status(f.read::<DeviceStatus>("to")?).get(language);
            let all: Vec<String> = f.read("reasons").unwrap_or_default();
            let all = all.iter().filter_map(|name| Reason::from_name(name));
            // What the phase comes from is in an event of its own.
            let all: Vec<&str> = all.map(|reason| reasons::short(reason).get(language)).collect();
            let text = if all.is_empty() { LifeCycle::DeviceStatus } else { LifeCycle::DeviceStatusBecause };
            text.fill(language, &[("status", status), ("reasons", &all.join(", "))])
        }
        _ => return None,
    })
}

/// Of a refusal in English the message names all details. In other languages its code says what it is.
fn rejected(f: Fields<'_>) -> Option<String> {
    let message = f.text("message")?;
    let code = f.text("code").and_then(RefusalCode::from_name);
    match (f.language, code) {
        (Language::English, _) | (_, None) => Some(message.to_owned()),
        (language, Some(code)) => {
            let key = refusals::key(f.text("key"), language);
            let message = refusals::sentence(code).fill(language, &[("key", &key)]);
            Some(LifeCycle::KeyRejected.fill(language, &[("message", &message)]))
        }
    }
}

fn devices(f: Fields<'_>) -> Option<String> {
    let over = texts::over(f.read::<LimitLevel>("to")?).get(f.language);
    Some(match (f.number("count"), f.number("limit")) {
        (Some(number), Some(limit)) => {
            let (devices, limit) = (f.count(number, Noun::Device), limit.to_string());
            LifeCycle::DevicesOf.fill(f.language, &[("devices", &devices), ("limit", &limit), ("over", over)])
        }
        (Some(number), None) => {
            LifeCycle::DevicesNoLimit.fill(f.language, &[("devices", &f.count(number, Noun::Device))])
        }
        (None, _) => LifeCycle::DevicesUnknown.get(f.language).to_owned(),
    })
}

/// What the provider changed, with the values.
fn changed(key: &str, f: Fields<'_>, now: Timestamp) -> Option<String> {
    let language = f.language;
    let changes = f.fields.get("changes")?.as_object()?;
    let old_and_new = |name: &str| {
        let change = changes.get(name)?;
        Some((change.get("old")?, change.get("new")?))
    };
    let mut sentences = Vec::new();
    sentences.extend(old_and_new("state").and_then(|(old, new)| state_changed(key, old, new, now, language)));
    sentences.extend(old_and_new("term").and_then(|(old, new)| term_changed(key, old, new, language)));
    let values: Vec<String> =
        changes.keys().filter_map(|name| value_changed(name, old_and_new(name)?, language)).collect();
    let values = values.join(", ");
    Some(match (sentences.is_empty(), values.is_empty()) {
        (true, _) => Changed::Parameters.fill(language, &[("key", key), ("values", &values)]),
        (false, true) => sentences.join("; "),
        (false, false) => format!("{}; {values}", sentences.join("; ")),
    })
}

/// "grace period: 3 → 10 days"; nothing for what is said in a sentence.
fn value_changed(name: &str, (old, new): (&Value, &Value), language: Language) -> Option<String> {
    let get = |text: Changed| text.get(language).to_owned();
    let number = |value: &Value, absent: Changed| match value {
        Value::Null => get(absent),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let days = |value: &Value| value.as_u64().unwrap_or(0);
    let period = |value: &Value| value.get("period_days").map_or(0, days);
    let spans = |old: u64, new: u64| {
        // "3 → 10 days" says all that "3 days → 10 days" does.
        let same = Noun::Day.after(old, language) == Noun::Day.after(new, language);
        let old = if same { old.to_string() } else { count(old, Noun::Day, language) };
        (old, count(new, Noun::Day, language))
    };
    let (name, (old, new)) = match name {
        "after_grace" => (Changed::AfterGrace, (rates(old, language), rates(new, language))),
        "auto_renew" => {
            let word = |value: &Value| get(if value == true { Changed::On_ } else { Changed::Off });
            (Changed::AutoRenew, (word(old), word(new)))
        }
        "devices" => (Changed::Devices, (number(old, Changed::NoLimit), number(new, Changed::NoLimit))),
        "grace_days" => (Changed::GraceDays, spans(days(old), days(new))),
        "min_product_version" => {
            (Changed::MinProductVersion, (number(old, Changed::Any), number(new, Changed::Any)))
        }
        "term" if new.get("period_days").is_some() => (Changed::Period, spans(period(old), period(new))),
        _ => return None,
    };
    Some(format!("{}: {old} → {new}", name.get(language)))
}

/// What the provider leaves after the grace period.
fn rates(after_grace: &Value, language: Language) -> String {
    let of = |resource: Resource| {
        let rate = after_grace.get(resource.as_str()).and_then(|rule| rule.get(resource.unit()));
        let rate = rate.and_then(Value::as_u64);
        let text = match (resource, rate) {
            (Resource::DatabaseUpdates, None) => Changed::NoUpdates,
            (Resource::DatabaseUpdates, Some(_)) => Changed::UpdatesPerDay,
            (Resource::Ksn, None) => Changed::NoKsn,
            (Resource::Ksn, Some(_)) => Changed::KsnPerMinute,
        };
        text.fill(language, &[("rate", &rate.unwrap_or_default().to_string())])
    };
    Resource::ALL.map(of).join(Phrase::And.get(language))
}

fn instant(value: &Value, name: &str) -> Option<Timestamp> {
    Timestamp::deserialize(value.get(name)?).ok()
}

fn state_changed(key: &str, old: &Value, new: &Value, now: Timestamp, language: Language) -> Option<String> {
    let state = |value: &Value| {
        let name = value.get("state").cloned().unwrap_or_default();
        serde_json::from_value::<VendorState>(name).ok()
    };
    let when = |at: Timestamp| times::day_or_instant(at, language);
    let since = instant(new, "state_since");
    let on = since.map(|at| Changed::On.fill(language, &[("when", &when(at))])).unwrap_or_default();
    let values = |text: crate::words::Text| text.fill(language, &[("key", key), ("on", &on)]);
    let (old_state, announced) = (state(old)?, instant(old, "state_since").filter(|at| *at > now));
    Some(match (texts::deed(state(new)?), texts::deed(old_state), announced) {
        (Some([_, will, _]), ..) if since.is_some_and(|since| since > now) => values(will),
        (Some([did, ..]), ..) => values(did),
        (None, Some([.., withdrew]), Some(at)) => {
            withdrew.fill(language, &[("key", key), ("when", &when(at))])
        }
        (None, ..) if old_state == VendorState::SoftCancelled => values(Changed::RenewedAgain.text()),
        (None, ..) => values(Changed::Back.text()),
    })
}

/// How a term changed that was not renewed; the period of a commercial key is a value like others.
fn term_changed(key: &str, old: &Value, new: &Value, language: Language) -> Option<String> {
    let date = |value: &Value| instant(value, "ends_at").or_else(|| instant(value, "paid_until"));
    let is = |value: &Value, kind: &str| value.get("type").and_then(Value::as_str) == Some(kind);
    let text = match (date(old), date(new)) {
        _ if old.get("type").is_none() => return None,
        (_, Some(_)) if is(old, "unlimited") && is(new, "limited") => Changed::MadeLimited,
        (_, Some(_)) if is(old, "limited") && is(new, "unlimited") => Changed::MadeUnlimitedPaid,
        (_, None) if is(old, "limited") => Changed::MadeUnlimited,
        (Some(_), Some(_)) if is(new, "limited") => Changed::MovedEnd,
        (Some(_), Some(_)) => Changed::MovedPaid,
        (None, Some(_)) => Changed::PaidUntil,
        (Some(_), None) => Changed::NoPaid,
        (None, None) => Changed::Term,
    };
    let shown = |value: &Value| date(value).map(|at| times::day_or_instant(at, language)).unwrap_or_default();
    Some(text.fill(language, &[("key", key), ("from", &shown(old)), ("to", &shown(new))]))
}

/// Some of a list, and how many more there are.
fn some(names: &[String], language: Language) -> String {
    let shown = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(3) {
        0 => shown,
        more => Agent::More.fill(language, &[("names", &shown), ("number", &more.to_string())]),
    }
}

/// An event of the agent itself.
fn agent(type_name: &str, f: Fields<'_>) -> Option<String> {
    let language = f.language;
    let problem = || f.text("message");
    Some(match type_name {
        "agent.started" => Agent::Started.fill(language, &[("version", f.text("version")?)]),
        "settings.reloaded" => {
            let names = some(&f.read::<Vec<String>>("keys")?, language);
            Agent::SettingsReloaded.fill(language, &[("names", &names)])
        }
        "agent.report" => {
            let status = phases::device_status(f.read("device_status")?).get(language);
            let phase = phases::phase(f.read("phase")?).get(language);
            Agent::Report.fill(language, &[("status", status), ("phase", phase)])
        }
        "store.rebuilt" => {
            let text = match (f.text("set_aside"), f.flag("lost")) {
                (Some(_), false) => Agent::StoreRebuiltBeside,
                (None, false) => Agent::StoreRebuilt,
                (Some(_), true) => Agent::StoreLostBeside,
                (None, true) => Agent::StoreLost,
            };
            let file = f.text("set_aside").unwrap_or_default();
            text.fill(language, &[("problem", f.text("problem")?), ("file", file)])
        }
        "identity.changed" => {
            let why = texts::new_id_because(f.text("why")?).get(language);
            let (old, new) = (f.text("old_id")?, f.text("new_id")?);
            Agent::IdentityChanged.fill(language, &[("old", old), ("new", new), ("why", why)])
        }
        "sequence.reverted" => {
            let number = |name: &str| Some(f.text(name)?.trim_start_matches('0'));
            Agent::SequenceReverted.fill(
                language,
                &[("destination", f.text("destination")?), ("from", number("from")?), ("to", number("to")?)],
            )
        }
        "events.dropped" => dropped(f)?,
        "destination.certificate_expiring" => {
            let left = f.number("days_left")?;
            let text = if left == 0 { Agent::CertificateExpired } else { Agent::CertificateExpires };
            text.fill(
                language,
                &[
                    ("destination", f.text("destination")?),
                    ("when", &f.when("ends_at")?),
                    ("days", &f.count(left, Noun::Day)),
                    ("file", f.text("file")?),
                ],
            )
        }
        "events.quarantined" => {
            let events = f.fields.get("events")?.as_array()?;
            let first = events.first().and_then(|event| {
                Some(format!(": {}: {}", event.get("code")?.as_str()?, event.get("answer")?.as_str()?))
            });
            let number = f.count(u64::try_from(events.len()).unwrap_or(u64::MAX), Noun::Event);
            Agent::Quarantined.fill(
                language,
                &[
                    ("destination", f.text("destination")?),
                    ("events", &number),
                    ("first", &first.unwrap_or_default()),
                ],
            )
        }
        "enforcement.failed" => {
            let resource = permits::resource(f.read("resource")?).get(language);
            let permit = permits::word(f.read("to")?).get(language);
            let problems = f.read::<Vec<String>>("problems")?.join("; ");
            Agent::EnforcementFailed
                .fill(language, &[("resource", resource), ("permit", permit), ("problems", &problems)])
        }
        "enforcement.repaired" => {
            let resource = permits::resource(f.read("resource")?).get(language);
            Agent::EnforcementRepaired
                .fill(language, &[("resource", resource), ("action", f.text("action")?)])
        }
        "updates.succeeded" => {
            let seconds = f.count(f.number("took_seconds")?, Noun::Second);
            Agent::UpdatesSucceeded.fill(language, &[("unit", f.text("unit")?), ("seconds", &seconds)])
        }
        "updates.failed" => {
            Agent::UpdatesFailed.fill(language, &[("unit", f.text("unit")?), ("problem", problem()?)])
        }
        "reserve.unusable" => {
            Agent::ReserveUnusable.fill(language, &[("key", f.text("key")?), ("problem", problem()?)])
        }
        "reserve.usable" => Agent::ReserveUsable.fill(language, &[("key", f.text("key")?)]),
        "activation.pending" => {
            let instead = f.flag("replaces");
            let text = if instead { Agent::ActivationPendingInstead } else { Agent::ActivationPending };
            text.fill(language, &[("role", f.role()?), ("problem", problem()?)])
        }
        "activation.cancelled" => {
            let by_command = f.text("why")? == "cancelled";
            let text = if by_command { Agent::ActivationCancelled } else { Agent::ActivationReplaced };
            text.fill(language, &[("role", f.role()?), ("when", &f.when("since")?)])
        }
        "activation.failed" => Agent::ActivationFailed
            .fill(language, &[("role", f.role()?), ("when", &f.when("since")?), ("problem", problem()?)]),
        "databases.outdated" => {
            let days = f.count(f.number("days")?, Noun::Day);
            Agent::DatabasesOutdated.fill(language, &[("when", &f.when("since")?), ("days", &days)])
        }
        "clock.suspect" => {
            let text = if f.text("stands")? == "behind" { Agent::ClockBehind } else { Agent::ClockAhead };
            text.fill(language, &[("wall", &f.when("wall")?), ("used", &f.when("used")?)])
        }
        "clock.trusted" => Agent::ClockTrusted.fill(language, &[("used", &f.when("used")?)]),
        "clock.reset" => {
            Agent::ClockReset.fill(language, &[("from", &f.when("from")?), ("to", &f.when("to")?)])
        }
        _ => return None,
    })
}

fn dropped(f: Fields<'_>) -> Option<String> {
    let (mut total, mut counts) = (0, Vec::new());
    for drop in f.fields.get("dropped")?.as_array()? {
        let number = drop.get("count")?.as_u64()?;
        total += number;
        counts.push(format!("{number} {} ({})", drop.get("type")?.as_str()?, drop.get("reason")?.as_str()?));
    }
    let names: Vec<&str> = f.fields.get("destinations")?.as_object()?.keys().map(String::as_str).collect();
    Some(Agent::EventsDropped.fill(
        f.language,
        &[
            ("events", &f.count(total, Noun::Event)),
            ("names", &names.join(", ")),
            ("counts", &counts.join(", ")),
        ],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscription::{Input, KeyId, Kind, Settings, State, Statement, step};
    use serde_json::json;

    fn of(kind: &Kind, now: Timestamp) -> String {
        sentence(kind.type_name(), &json!(kind), now, Language::English).unwrap()
    }

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
        changed.map(|kind| of(&kind, now)).unwrap_or_default()
    }

    #[test]
    fn a_change_is_described_with_its_values() {
        let state = |state: &str, since: &str| json!({"state": state, "state_since": since});
        let limited = |ends_at: &str| json!({"term": {"type": "limited", "ends_at": ends_at}});
        let paid = |until: &str| json!({"term": {"type": "unlimited", "paid_until": until}});
        let (past, soon) = ("2027-01-01T00:00:00Z", "2027-01-09T00:00:00Z");
        for (old, new, sentence) in [
            (
                json!({}),
                limited("2027-01-19T00:00:00Z"),
                "the provider moved the end of SUB-1 from 2027-03-10 to 2027-01-19",
            ),
            (
                json!({"grace_days": 3}),
                json!({"grace_days": 10}),
                "the provider changed the terms of SUB-1: grace period: 3 → 10 days",
            ),
            (
                json!({"grace_days": 1}),
                json!({}),
                "the provider changed the terms of SUB-1: grace period: 1 day → 0 days",
            ),
            (json!({}), state("hard_cancelled", soon), "the provider will cancel SUB-1 on 2027-01-09"),
            (
                json!({}),
                state("paused", "2027-01-09T14:30:00Z"),
                "the provider will pause SUB-1 on 2027-01-09 14:30 UTC",
            ),
            (
                json!({}),
                state("blocked", "2027-01-09T14:30:05Z"),
                "the provider will block SUB-1 on 2027-01-09 14:30:05 UTC",
            ),
            (
                state("hard_cancelled", soon),
                state("active", past),
                "the provider withdrew the cancellation of SUB-1 that was announced for 2027-01-09",
            ),
            (
                json!({}),
                state("soft_cancelled", past),
                "the provider switched off the renewal of SUB-1 on 2027-01-01",
            ),
            (
                state("soft_cancelled", past),
                state("active", past),
                "the provider allows SUB-1 to be renewed again",
            ),
            (
                json!({"auto_renew": true, "devices": 100}),
                json!({"state": "soft_cancelled", "state_since": past}),
                "the provider switched off the renewal of SUB-1 on 2027-01-01; automatic renewal: on → off, devices: 100 → without limit",
            ),
            (
                json!({}),
                paid("2027-02-01T00:00:00Z"),
                "the provider made SUB-1 unlimited: it is paid until 2027-02-01",
            ),
            (
                paid("2027-02-01T00:00:00Z"),
                paid("2027-01-20T00:00:00Z"),
                "the provider moved the paid date of SUB-1 from 2027-02-01 to 2027-01-20",
            ),
            (
                paid("2027-02-01T00:00:00Z"),
                json!({"term": {"type": "unlimited"}}),
                "the provider removed the paid date of SUB-1, 2027-02-01",
            ),
            (
                paid("2027-02-01T00:00:00Z"),
                json!({}),
                "the provider made SUB-1 limited: it ends on 2027-03-10",
            ),
            (
                json!({"period_days": 30}),
                json!({"period_days": 60}),
                "the provider changed the terms of SUB-1: period: 30 → 60 days",
            ),
            (
                json!({"after_grace": {"ksn": {"per_minute": 30}}}),
                json!({}),
                "the provider changed the terms of SUB-1: after the grace period: no updates and KSN 30 per minute → no updates and no KSN",
            ),
            (json!({}), json!({}), ""),
        ] {
            assert_eq!(said(old.clone(), new.clone()), sentence, "{old} {new}");
        }
    }

    #[test]
    fn what_the_provider_says_of_a_key_is_dated() {
        use crate::words::vendor_states::state;
        let (since, now) = (at("2027-01-19T14:00:00.123456Z"), at("2027-01-01T00:00:00Z"));
        let english = |is, since| state(is, since, now, Language::English);
        assert_eq!(
            english(VendorState::HardCancelled, Some(since)),
            "cancelled by the provider from 2027-01-19 14:00 UTC"
        );
        assert_eq!(
            english(VendorState::HardCancelled, Some(now)),
            "cancelled by the provider since 2027-01-01"
        );
        assert_eq!(english(VendorState::Active, None), "active");
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
        };
        for cause in [Cause::GraceOver, Cause::NotGranted] {
            assert!(told(Some(cause), Some(Cause::Paused)).contains("the provider paused it"));
            assert!(told(Some(cause), Some(Cause::Unpaid)).contains("did not pay for it in time"));
            assert!(told(Some(cause), Some(Cause::Ended)).contains("its term ended"));
        }
    }

    #[test]
    fn the_number_of_devices_is_described_in_words() {
        let (from, to) = (LimitLevel::None, LimitLevel::Over90);
        for (to, count, limit, said) in [
            (to, Some(95), Some(100), "95 devices protected, 100 allowed: more than 90 %"),
            (LimitLevel::Over100, Some(101), Some(100), "101 devices protected, 100 allowed: too many"),
            (from, Some(50), Some(100), "50 devices protected, 100 allowed"),
            (from, Some(95), None, "95 devices protected; there is no limit"),
            (from, None, Some(100), "the number of protected devices is no longer known"),
        ] {
            let kind = Kind::DevicesLimit { from, to, count, limit };
            assert_eq!(of(&kind, Timestamp::UNIX_EPOCH), said);
        }
    }

    /// One event of each type, in a form that has all its fields.
    fn one_of_each() -> Vec<(&'static str, Value)> {
        let at = "2027-01-19T14:00:00.123456Z";
        vec![
            ("key.added", json!({"key": "K", "role": "active"})),
            ("key.removed", json!({"key": "K", "role": "reserve", "why": "removed"})),
            ("key.reserve_applied", json!({"key": "K", "replaced": "L", "why": "lapsed"})),
            ("key.rejected", json!({"key": "K", "code": "active_key_still_valid", "message": "m"})),
            ("documents.rejected", json!({"key": null, "code": "bad_signature", "message": "m"})),
            (
                "subscription.status_changed",
                json!({"key": "K", "to": "restricted", "cause": "not_granted", "lapse_cause": "paused"}),
            ),
            ("subscription.expired", json!({"key": "K", "ends_at": at})),
            ("licence.expired", json!({"key": "K", "ends_at": at})),
            ("subscription.renewed", json!({"key": "K", "from": at, "to": at})),
            (
                "subscription.parameters_changed",
                json!({"key": "K", "changes": {"grace_days": {"old": 3, "new": 10}}}),
            ),
            (
                "subscription.expiring",
                json!({"key": "K", "days_left": 7, "ends_at": at, "why": "ended", "auto_renew": true}),
            ),
            ("subscription.grace_ending", json!({"key": "K", "days_left": 1, "grace_ends_at": at})),
            ("source.stale", json!({"key": "K", "fresh_until": at})),
            (
                "enforcement.changed",
                json!({"resource": "ksn", "to": "stopped", "enforced_by": ["a.service"]}),
            ),
            ("devices.limit", json!({"to": "over_110", "count": 22, "limit": 10})),
            ("device.status_changed", json!({"to": "critical", "reasons": ["restricted", "of_tomorrow"]})),
            ("agent.started", json!({"version": "1"})),
            ("settings.reloaded", json!({"keys": ["a", "b", "c", "d"]})),
            ("agent.report", json!({"device_status": "warning", "phase": "grace"})),
            ("store.rebuilt", json!({"problem": "p", "set_aside": "f", "lost": false})),
            ("identity.changed", json!({"old_id": "a", "new_id": "b", "why": "machine_id"})),
            ("sequence.reverted", json!({"destination": "console", "from": "0007", "to": "0012"})),
            (
                "events.dropped",
                json!({"dropped": [{"type": "agent.report", "reason": "size", "count": 1}], "destinations": {"console": 1}}),
            ),
            (
                "destination.certificate_expiring",
                json!({"destination": "console", "file": "/f", "ends_at": at, "days_left": 3}),
            ),
            (
                "events.quarantined",
                json!({"destination": "console", "events": [{"code": "http_400", "answer": "no"}]}),
            ),
            ("enforcement.failed", json!({"resource": "ksn", "to": "stopped", "problems": ["p"]})),
            ("enforcement.repaired", json!({"resource": "ksn", "action": "a"})),
            ("updates.succeeded", json!({"unit": "u.service", "took_seconds": 12})),
            ("updates.failed", json!({"unit": "u.service", "message": "m"})),
            ("reserve.unusable", json!({"key": "K", "message": "m"})),
            ("reserve.usable", json!({"key": "K"})),
            ("activation.pending", json!({"role": "active", "message": "m", "replaces": true})),
            ("activation.cancelled", json!({"role": "active", "since": at, "why": "cancelled"})),
            ("activation.failed", json!({"role": "reserve", "since": at, "message": "m"})),
            ("databases.outdated", json!({"since": at, "days": 22})),
            ("clock.suspect", json!({"wall": at, "used": at, "stands": "ahead"})),
            ("clock.trusted", json!({"used": at})),
            ("clock.reset", json!({"from": at, "to": at})),
        ]
    }

    #[test]
    fn each_type_has_a_name_and_a_sentence_in_both_languages() {
        for (type_name, fields) in one_of_each() {
            assert!(!texts::display_name(type_name, false).is_empty(), "{type_name}");
            let [english, russian] = Language::ALL.map(|language| {
                sentence(type_name, &fields, at("2027-01-01T00:00:00Z"), language)
                    .unwrap_or_else(|| panic!("{type_name} in {language:?}"))
            });
            assert!(english != russian, "{type_name}: {english}");
            for text in [&english, &russian] {
                assert!(!text.contains(['{', '}', '_']) || text.contains("http_400"), "{type_name}: {text}");
                assert!(!text.contains(".123456") && !text.ends_with('.'), "{type_name}: {text}");
            }
            assert!(russian.chars().any(|c| ('а'..='я').contains(&c)), "{type_name}: {russian}");
        }
    }

    #[test]
    fn a_permit_that_nothing_enforces_is_called_so() {
        let fields = json!({"resource": "database_updates", "to": "stopped"});
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(
            sentence("enforcement.changed", &fields, now, Language::English).unwrap(),
            "database updates must stop, but nothing on this SVM enforces it"
        );
        let ahead = foreseen("enforcement.changed", &fields, now, Language::English).unwrap();
        assert_eq!(ahead, "database updates are stopped");
    }
}
