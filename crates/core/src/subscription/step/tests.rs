use super::*;
use crate::subscription::{Cause, add_days};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A revision of one subscription that ends on 1 February, or as told.
fn revision(rev: u64, state: &str, since: &str, ends_at: &str, auto_renew: bool) -> Input {
    let claims = json!({"rev": rev, "key": {"id": "S", "kind": "subscription"}, "subscription": {
        "state": state, "state_since": since, "grace_days": 3, "auto_renew": auto_renew,
        "term": {"type": "limited", "ends_at": ends_at}}});
    Input::Publish(Statement::read(&claims))
}

#[test]
fn the_vendor_s_word_dates_back_what_it_brought_about() {
    let settings = Settings::new("6.1".parse().unwrap());
    let (january, end) = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    let Input::Publish(first) = revision(1, "active", january, end, true) else { unreachable!() };
    let (state, _) = step(State::default(), &settings, at(january), Input::Activate(first));
    let dated = |input: Input, now: &str, kind: &str| {
        let state = step(state.clone(), &settings, at(now), Input::Tick).0;
        let events = step(state, &settings, at(now), input).1;
        events.iter().find(|e| e.kind.type_name() == kind).unwrap().effective_at
    };
    let pause = revision(2, "paused", "2026-01-19T00:00:00Z", end, true);
    let learnt = "2026-01-20T00:00:00Z";
    assert_eq!(dated(pause, learnt, "subscription.status_changed"), Some(at("2026-01-19T00:00:00Z")));
    // Without auto-renewal only since then, though the end has been near for longer.
    let cancelled = revision(2, "soft_cancelled", "2026-01-29T00:00:00Z", end, false);
    let learnt = "2026-01-30T00:00:00Z";
    assert_eq!(dated(cancelled, learnt, "device.status_changed"), Some(at("2026-01-29T00:00:00Z")));
    // It is the new term that brings the key back, not the word that came with it.
    let renewed = revision(2, "soft_cancelled", "2026-01-15T00:00:00Z", "2026-08-01T00:00:00Z", false);
    let learnt = "2026-02-20T00:00:00Z";
    assert_eq!(dated(renewed, learnt, "subscription.status_changed"), None);
}

/// A commercial key of 30 days that was activated on 1 January, with a reserve, looked at while the clock stood far
/// ahead.
#[test]
fn what_was_noted_under_a_clock_ahead_has_not_happened_yet() {
    let settings = Settings::new("6.1".parse().unwrap());
    let (january, end) = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    let Input::Publish(first) = revision(1, "active", january, end, false) else { unreachable!() };
    let play = |state, now: &str, input| step(state, &settings, at(now), input);
    let types = |events: &[Event]| events.iter().map(|e| e.kind.type_name()).collect::<Vec<_>>();
    let (state, _) = play(State::default(), january, Input::Activate(first));
    let (_, due) = play(state.clone(), "2026-01-25T00:00:00Z", Input::Tick);
    // Far ahead: expired and restricted. Taken back: as it would have been, and nothing that is due is lost.
    let (ahead, events) = play(state.clone(), "2027-01-01T00:00:00Z", Input::Tick);
    assert!(types(&events).contains(&"subscription.expired"));
    let (back, events) = play(ahead, "2026-01-02T00:00:00Z", Input::Tick);
    assert!(types(&events).contains(&"subscription.status_changed"), "{events:?}");
    assert!(!types(&events).contains(&"subscription.expiring"), "a reminder of 30 days was sent: {events:?}");
    assert_eq!((back.reported.phase, back.reported.ksn), (Phase::Active, Permit::Full));
    let (back, again) = play(back, "2026-01-25T00:00:00Z", Input::Tick);
    assert_eq!(types(&again), types(&due));
    let (_, events) = play(back, end, Input::Tick);
    assert_eq!(types(&events).iter().filter(|t| **t == "subscription.expired").count(), 1);

    let licence = |id: &str| {
        Statement::read(
            &json!({"rev": 1, "key": {"id": id, "kind": "commercial"}, "licence": {"period_days": 30}}),
        )
    };
    let (state, _) = play(State::default(), "2040-01-01T00:00:00Z", Input::Activate(licence("C")));
    let (state, _) = play(state, "2026-01-01T00:00:00Z", Input::Tick);
    assert_eq!(state.timeline().unwrap().ends_at, Some(at("2026-01-31T00:00:00Z")), "no period of years");
    // A reduced rate may be ahead by at most one period.
    let spent = Input::Spent(Resource::Ksn, at("2040-01-01T00:00:00Z"));
    let (state, _) = play(state, "2026-01-01T00:00:00Z", spent);
    let (state, _) = play(state, "2026-01-01T00:00:00Z", Input::Tick);
    assert_eq!(state.enforcement.spent[&Resource::Ksn], at("2026-01-01T00:01:00Z"));
}

#[test]
fn a_cancellation_that_was_only_announced_dates_nothing_back() {
    let settings = Settings::new("6.1".parse().unwrap());
    let (january, end) = ("2026-01-01T00:00:00Z", "2026-12-01T00:00:00Z");
    let mut state = State::default();
    let mut play = |input: Input, now: &str| {
        let events;
        (state, events) = step(std::mem::take(&mut state), &settings, at(now), input);
        events
    };
    let Input::Publish(first) = revision(1, "active", january, end, false) else { unreachable!() };
    play(Input::Activate(first), january);
    play(revision(2, "hard_cancelled", "2026-01-20T00:00:00Z", end, false), "2026-01-14T00:00:00Z");
    let events = play(revision(3, "active", january, end, false), "2026-01-15T00:00:00Z");
    let types: Vec<_> = events.iter().map(|e| (e.kind.type_name(), e.effective_at)).collect();
    assert_eq!(types, [("subscription.parameters_changed", None), ("device.status_changed", None)]);
}

/// Block, remove, and the older revision again, through every door.
#[test]
fn a_blocked_key_does_not_come_back_by_a_removal() {
    let settings = Settings::new("6.1".parse().unwrap());
    let now = at("2026-01-10T00:00:00Z");
    let licence = |issuer: &str, id: &str, rev: u64, blocked: bool| {
        let mut claims = json!({"iss": issuer, "rev": rev, "key": {"id": id, "kind": "commercial"},
            "licence": {"period_days": 30}});
        if blocked {
            claims["licence"]["state"] = "blocked".into();
            claims["licence"]["state_since"] = "2026-01-01T00:00:00Z".into();
        }
        Statement::read(&claims)
    };
    let code = |events: &[Event]| {
        events.iter().find_map(|event| match &event.kind {
            Kind::KeyRejected { code, .. } => Some(*code),
            _ => None,
        })
    };
    let play = |state: &State, input: Input| step(state.clone(), &settings, now, input);
    let (state, _) = play(&State::default(), Input::Activate(licence("a", "K", 3, false)));
    // Another issuer's document is not of the key that is held.
    let other = play(&state, Input::Activate(licence("b", "K", 9, false))).1;
    assert_eq!(code(&other), Some(RefusalCode::UntrustedSigner));
    let (state, _) = play(&state, Input::Publish(licence("a", "K", 5, true)));
    assert_eq!(state.reported.cause, Some(Cause::Blocked));
    for way in ["removed", "replaced", "taken over"] {
        let (state, _) = match way {
            "removed" => play(&state, Input::RemoveKey("K".to_owned())),
            "replaced" => play(&state, Input::Activate(licence("a", "L", 1, false))),
            _ => play(&state, Input::AddReserve(licence("a", "L", 1, false))),
        };
        assert!(state.held(&KeyId::try_from("K".to_owned()).unwrap()).is_none(), "{way}");
        let text = serde_json::to_string(&state).unwrap();
        let state: State = serde_json::from_str(&text).unwrap();
        let (state, _) = play(&state, Input::RemoveKey("L".to_owned()));
        let older = play(&state, Input::Activate(licence("a", "K", 4, false)));
        assert_eq!(code(&older.1), Some(RefusalCode::OlderRevision), "{way}");
        let (with_key, _) = play(&state, Input::Activate(licence("a", "M", 1, false)));
        let reserve = play(&with_key, Input::AddReserve(licence("a", "K", 4, false)));
        assert_eq!(code(&reserve.1), Some(RefusalCode::OlderRevision), "{way}");
        // The newest is what it is.
        assert_eq!(
            play(&state, Input::Activate(licence("a", "K", 5, true))).0.reported.cause,
            Some(Cause::Blocked)
        );
        // The same id by another issuer is another key: its revisions and its period are its own.
        let later = at("2026-03-01T00:00:00Z");
        let (other, events) =
            step(state.clone(), &settings, later, Input::Activate(licence("b", "K", 1, false)));
        assert_eq!((code(&events), other.reported.phase), (None, Phase::Active), "{way}");
        let again = step(state, &settings, later, Input::Activate(licence("a", "K", 6, false))).0;
        assert_eq!(again.reported.cause, Some(Cause::Expired), "its period was used up: {way}");
    }
}

/// A state as an agent wrote it that knew neither issuers nor lapses.
#[test]
fn the_state_of_an_older_agent_is_read() {
    let settings = Settings::new("6.1".parse().unwrap());
    let statement = json!({"rev": 2, "key": {"id": "S", "kind": "subscription"}, "subscription": {
        "term": {"type": "limited", "ends_at": "2026-02-01T00:00:00Z"}, "grace_days": 0}});
    let older = json!({
        "active": {"statement": statement, "added_at": "2026-01-01T00:00:00Z", "role_since": "2026-01-01T00:00:00Z"},
        "first_active": {"C": "2025-01-01T00:00:00Z"},
        "marks": [{"key": "S", "deadline": "end", "at": "2026-02-01T00:00:00Z", "days": 0}],
        "told": {"phase": "restricted", "cause": "not_granted", "key": "S", "device_status": "critical",
            "reasons": ["expired", "restricted"], "database_updates": "stopped", "ksn": "stopped", "limit": "none"},
    });
    let mut state: State = serde_json::from_value(older).unwrap();
    state.learn_issuers(|_| Some("a".to_owned()));
    let now = at("2026-02-02T00:00:00Z");
    let (state, events) = step(state, &settings, now, Input::Tick);
    assert_eq!(events, [], "nothing is reported twice");
    assert_eq!(state.reported.lapse_cause, Some(Cause::Ended));
    assert_eq!(state.active.as_ref().unwrap().statement.issuer.as_deref(), Some("a"));
    let used = json!({"iss": "a", "rev": 1, "key": {"id": "C", "kind": "commercial"},
        "licence": {"period_days": 30}});
    let (state, _) = step(state, &settings, now, Input::Activate(Statement::read(&used)));
    assert_eq!(state.reported.cause, Some(Cause::Expired), "the period is not given twice");
    let older = json!({"iss": "a", "rev": 1, "key": {"id": "S", "kind": "subscription"}, "subscription": {
        "term": {"type": "unlimited"}}});
    let (_, events) = step(state, &settings, now, Input::Activate(Statement::read(&older)));
    assert!(
        matches!(events[0].kind, Kind::KeyRejected { code: RefusalCode::OlderRevision, .. }),
        "{events:?}"
    );
}

#[test]
fn the_next_due_instant_is_after_now() {
    let settings = Settings::new("6.1".parse().unwrap());
    let statement = Statement::read(&json!({"rev": 1, "key": {"id": "S", "kind": "subscription"},
        "subscription": {"term": {"type": "limited", "ends_at": "2026-02-01T00:00:00Z"}, "grace_days": 8}}))
    .unwrap();
    let start = at("2026-01-01T00:00:00Z");
    let (mut state, _) = step(State::default(), &settings, start, Input::Activate(Ok(statement)));
    let mut seen = Vec::new();
    let mut now = start;
    while let Some(due) = next_due(&state, &settings, now) {
        assert!(due > now);
        now = due;
        state = step(state, &settings, now, Input::Tick).0;
        seen.push(due.to_string().chars().take(10).collect::<String>());
    }
    let days = ["01-02", "01-18", "01-25", "01-29", "01-31", "02-01", "02-02", "02-06", "02-08", "02-09"];
    assert_eq!(seen, days.map(|d| format!("2026-{d}")));
    assert_eq!(state.reported.phase, Phase::Restricted);
    assert_eq!(add_days(at("2026-02-01T00:00:00Z"), 8), at("2026-02-09T00:00:00Z"));
}
