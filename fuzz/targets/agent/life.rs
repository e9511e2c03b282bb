//! The step under any sequence of inputs.

use super::bytes::Bytes;
use crate::permits::budget;
use crate::source::schedule::Facts;
use jiff::Timestamp;
use serde_json::{Value, json};
use svm_core::events::shown;
use svm_core::subscription::{
    DeviceStatus, Input, Offer, Permit, Phase, Reason, Refusal, Resource, Settings, State, Statement,
    next_due, permit_until, step,
};

/// Claims that often make sense, with values at their ends.
fn offer(bytes: &mut Bytes<'_>) -> Offer {
    if bytes.byte() == 255 {
        return Err(Refusal::invalid("signed by nobody"));
    }
    let commercial = bytes.flag();
    let key = json!({
        "id": bytes.one_of(&["A", "B", "C"]),
        "kind": if commercial { "commercial" } else { "subscription" },
    });
    let mut claims = json!({"rev": bytes.number().max(1), "key": key});
    if let Some(issuer) = bytes.maybe(|b| b.one_of(&["a", "b"])) {
        claims["iss"] = issuer.into();
    }
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            claims[name] = value;
        }
    };
    put("devices", bytes.maybe(|b| b.number().into()));
    put("fresh_until", bytes.maybe(|b| json!(b.instant())));
    put("min_product_version", bytes.maybe(|b| b.one_of(&["6.0", "6.1", "7"]).into()));
    let state = bytes.one_of(&["active", "paused", "soft_cancelled", "hard_cancelled", "blocked"]);
    let since = bytes.instant();
    if commercial {
        let mut licence = json!({"period_days": bytes.number()});
        if matches!(state, "active" | "blocked") {
            licence["state"] = state.into();
            licence["state_since"] = json!(since);
        }
        put("licence", Some(licence));
    } else {
        let term = match bytes.byte() % 3 {
            0 => json!({"type": "unlimited"}),
            1 => json!({"type": "unlimited", "paid_until": bytes.instant()}),
            _ => json!({"type": "limited", "ends_at": bytes.instant()}),
        };
        let rate = |b: &mut Bytes<'_>, unit: &str| match b.number() {
            0 => json!("stop"),
            n => json!({unit: n}),
        };
        let after = json!({"database_updates": rate(bytes, "per_day"), "ksn": rate(bytes, "per_minute")});
        put(
            "subscription",
            Some(json!({"state": state, "state_since": since, "term": term, "grace_days": bytes.number(),
                "auto_renew": bytes.flag(), "after_grace": after})),
        );
    }
    Statement::read(&claims)
}

fn input(bytes: &mut Bytes<'_>) -> Input {
    let resource = bytes.one_of(&Resource::ALL);
    match bytes.byte() % 12 {
        0 | 1 => Input::Tick,
        2 => Input::Activate(offer(bytes)),
        3 | 4 => Input::AddReserve(offer(bytes)),
        5 => Input::Publish(offer(bytes)),
        6 => Input::RemoveKey(bytes.one_of(&["A", "B", "", "none"]).to_owned()),
        7 => Input::ProtectedDevices(bytes.maybe(Bytes::number)),
        8 => Input::Condition(
            Reason::ClockSuspect,
            bytes.maybe(|b| b.one_of(&[DeviceStatus::Warning, DeviceStatus::Critical])),
        ),
        9 => Input::Enforced(
            resource,
            bytes.one_of(&[Permit::Full, Permit::Limited, Permit::Stopped]),
            Vec::new(),
        ),
        10 => Input::Spent(resource, bytes.instant()),
        _ => match bytes.flag() {
            true => Input::StartPending(format!("u{}.service", bytes.byte())),
            false => Input::StartSettled(vec![format!("u{}.service", bytes.byte())]),
        },
    }
}

fn settings(bytes: &mut Bytes<'_>) -> Settings {
    let mut settings = Settings::new("6.1".parse().unwrap());
    settings.expiring_status_days = u32::try_from(bytes.number()).unwrap_or(u32::MAX);
    settings.promote_reserve_on_lapse = bytes.flag();
    settings.enforcement_is_proved = bytes.flag();
    settings
}

/// What holds of each state, whatever led to it.
pub(super) fn holds(state: &State, settings: &Settings, now: Timestamp) {
    let reported = &state.reported;
    if matches!(reported.phase, Phase::Restricted | Phase::NotActivated) {
        for resource in Resource::ALL {
            assert_ne!(reported.permit(resource), Permit::Full, "{reported:?}");
        }
    }
    if let (Some(active), Some(reserve)) = (&state.active, &state.reserve) {
        assert_ne!(active.statement.key, reserve.statement.key);
    }
    let due = next_due(state, settings, now);
    assert!(due.is_none_or(|due| due > now));
}

/// A restart changes nothing.
pub(super) fn outlasts(state: &State) {
    let text = serde_json::to_string(state).unwrap();
    assert_eq!(serde_json::from_str::<State>(&text).unwrap(), *state, "{text}");
}

pub(super) fn life(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let settings = settings(&mut bytes);
    let (mut state, mut now) = (State::default(), bytes.instant());
    for _ in 0..64 {
        if bytes.is_empty() {
            break;
        }
        now = match bytes.byte() % 4 {
            0 => bytes.instant(),
            1 => next_due(&state, &settings, now).unwrap_or(now),
            2 => now.checked_add(bytes.span()).unwrap_or(now),
            _ => now,
        };
        let (next, events) = step(state, &settings, now, input(&mut bytes));
        state = next;
        for event in &events {
            let shown = shown(event, now);
            assert!(shown["description"].as_str().is_some_and(|sentence| !sentence.is_empty()), "{shown}");
            assert!(event.effective_at.is_none_or(|at| at < now));
        }
        holds(&state, &settings, now);
        let (_, again) = step(state.clone(), &settings, now, Input::Tick);
        assert_eq!(again, [], "a second look at one instant tells something");
    }
    outlasts(&state);
    for resource in Resource::ALL {
        let until = permit_until(&state, &settings, now, resource, Timestamp::MAX);
        assert!(until > now || until == Timestamp::MAX);
        let rate = bytes.number();
        let spent = state.enforcement.spent.get(&resource).copied();
        match budget::take(spent, rate, resource.period(), now) {
            Ok(next) => assert!(next > now || now == Timestamp::MAX),
            Err(next) => assert!(next > now || now == Timestamp::MAX),
        }
    }
    Facts::of(&state, now, 0.5);
}
