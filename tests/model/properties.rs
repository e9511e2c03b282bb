//! What must hold of every life, not only of those that someone thought of.

use jiff::{SignedDuration, Timestamp};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value, json};
use std::collections::HashSet;
use svm_core::subscription::{
    Cause, Event, Input, Kind, Offer, Permit, Phase, RefusalCode, Resource, Settings, State, Statement, View,
    next_due, permit_until, step, sub_days,
};

/// `half_days` half days after the beginning of all stories: few instants, so that many coincide.
fn instant(half_days: i64) -> Timestamp {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    start + SignedDuration::from_hours(12 * half_days)
}

fn any_instant() -> impl Strategy<Value = Timestamp> {
    (-20..160i64).prop_map(instant)
}

fn any_state(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    option::of((select(names), any_instant())).prop_map(|state| match state {
        Some((state, since)) => json!({"state": state, "state_since": since}),
        None => json!({}),
    })
}

fn any_subscription() -> impl Strategy<Value = Value> {
    let term = prop_oneof![
        2 => any_instant().prop_map(|at| json!({"type": "limited", "ends_at": at})),
        1 => option::of(any_instant()).prop_map(|at| json!({"type": "unlimited", "paid_until": at})),
    ];
    let after_grace = select(vec![
        json!({}),
        json!({"database_updates": {"per_day": 1}}),
        json!({"ksn": {"per_minute": 30}}),
    ]);
    let grace = select(vec![0, 0, 1, 3, 7, 10, 30]);
    let state = any_state(&["active", "active", "paused", "soft_cancelled", "hard_cancelled", "blocked"]);
    (state, term, grace, any::<bool>(), after_grace).prop_map(
        |(mut claims, term, grace_days, auto_renew, after_grace)| {
            claims["auto_renew"] = json!(auto_renew && claims["state"] != "soft_cancelled");
            if claims["state"] == "soft_cancelled" && term["type"] != "limited" {
                claims["state"] = json!("active");
            }
            claims["term"] = term;
            claims["grace_days"] = json!(grace_days);
            claims["after_grace"] = after_grace;
            claims
        },
    )
}

fn any_licence() -> impl Strategy<Value = Value> {
    (any_state(&["active", "blocked"]), select(vec![1, 3, 8, 14, 31])).prop_map(|(mut claims, days)| {
        claims["period_days"] = json!(days);
        claims
    })
}

/// The claims of a document that makes sense.
fn any_claims() -> impl Strategy<Value = Value> {
    let terms = prop_oneof![
        3 => (select(vec!["S-1", "S-2"]), any_subscription()).prop_map(|(id, terms)| {
            json!({"key": {"id": id, "kind": "subscription"}, "subscription": terms})
        }),
        2 => (select(vec!["C-1", "C-2"]), any_licence()).prop_map(|(id, terms)| {
            json!({"key": {"id": id, "kind": "commercial"}, "licence": terms})
        }),
    ];
    let version = option::weighted(0.1, select(vec!["6.1", "6.2"]));
    (terms, 1..6u64, option::of(select(vec![10, 100])), version, option::weighted(0.2, any_instant()))
        .prop_map(|(mut claims, rev, devices, version, fresh_until)| {
            claims["rev"] = json!(rev);
            claims["devices"] = json!(devices);
            claims["min_product_version"] = json!(version);
            claims["fresh_until"] = json!(fresh_until);
            claims
        })
}

fn any_offer() -> impl Strategy<Value = Offer> {
    any_claims().prop_map(|claims| Ok(Statement::read(&claims).unwrap()))
}

fn any_input() -> impl Strategy<Value = Input> {
    prop_oneof![
        4 => any_offer().prop_map(Input::Activate),
        3 => any_offer().prop_map(Input::AddReserve),
        5 => any_offer().prop_map(Input::Publish),
        1 => select(vec!["S-1", "S-2", "C-1", "C-2"]).prop_map(|key| Input::RemoveKey(key.to_owned())),
        1 => (0..120u64).prop_map(|count| Input::ProtectedDevices(Some(count))),
        2 => Just(Input::Tick),
    ]
}

fn any_settings() -> impl Strategy<Value = Settings> {
    let days = || vec(1..40u32, 0..5);
    (days(), days(), days(), 0..20u32, any::<bool>()).prop_map(
        |(reminders, grace, paid, expiring, promote)| Settings {
            reminder_days: Settings::reminder_list(reminders).unwrap(),
            grace_reminder_days: Settings::reminder_list(grace).unwrap(),
            paid_reminder_days: Settings::reminder_list(paid).unwrap(),
            expiring_status_days: expiring,
            promote_reserve_on_lapse: promote,
            ..Settings::new("6.1".parse().unwrap())
        },
    )
}

/// What is done, each with the half days since what was done before.
fn any_story() -> impl Strategy<Value = Vec<(i64, Input)>> {
    vec((0..24i64, any_input()), 1..12)
}

/// Plays a story; `each` sees every step.
fn play(
    story: Vec<(i64, Input)>,
    settings: &Settings,
    mut each: impl FnMut(Timestamp, &State, &[Event]),
) -> (State, i64) {
    let (mut state, mut at) = (State::default(), 0);
    for (gap, input) in story {
        at += gap;
        let events;
        (state, events) = step(state, settings, instant(at), input);
        each(instant(at), &state, &events);
    }
    (state, at)
}

fn restarted(state: &State) -> State {
    serde_json::from_str(&serde_json::to_string(state).unwrap()).unwrap()
}

/// The key, the deadline and the mark that a reminder is about.
fn reminder(
    event: &Event,
    settings: &Settings,
    now: Timestamp,
) -> Option<(String, Timestamp, &'static str, u32)> {
    let (key, at, days) = match &event.kind {
        Kind::Expiring { key, ends_at, why, .. } => (key, *ends_at, settings.reminders_before(*why)),
        Kind::GraceEnding { key, grace_ends_at, .. } => {
            (key, *grace_ends_at, settings.grace_reminder_days.as_slice())
        }
        _ => return None,
    };
    let mark = days.iter().copied().filter(|d| sub_days(at, u64::from(*d)) <= now).min().unwrap();
    Some((key.to_string(), at, event.kind.type_name(), mark))
}

proptest! {
    #[test]
    fn time_alone_never_leads_back_from_restricted(
        story in any_story(), settings in any_settings(), gaps in vec(0..30i64, 1..10),
    ) {
        let (mut state, mut at) = play(story, &settings, |_, _, _| ());
        for gap in gaps {
            at += gap;
            let was = state.reported.phase;
            let events;
            (state, events) = step(state, &settings, instant(at), Input::Tick);
            let relieved = events.iter().any(|e| matches!(e.kind, Kind::KeyReserveApplied { .. }));
            prop_assert!(was != Phase::Restricted || state.reported.phase == Phase::Restricted || relieved);
            prop_assert!((was == Phase::NotActivated) == (state.reported.phase == Phase::NotActivated));
        }
    }

    #[test]
    fn no_reminder_is_told_twice(story in any_story(), settings in any_settings(), restarts in vec(any::<bool>(), 400)) {
        let mut reported = HashSet::new();
        let (mut state, mut now) = (State::default(), instant(0));
        let mut restarts = restarts.into_iter().cycle();
        let mut steps: Vec<(Timestamp, Input)> = Vec::new();
        let mut at = 0;
        for (gap, input) in story {
            at += gap;
            steps.push((instant(at), input));
        }
        steps.push((instant(at + 200), Input::Tick));
        for (until, input) in steps {
            // Every second stretch is slept through; the others are looked at whenever something is due.
            while restarts.next().unwrap()
                && let Some(due) = next_due(&state, &settings, now).filter(|due| *due <= until)
            {
                let events;
                (state, events) = step(state, &settings, due, Input::Tick);
                for reminder in events.iter().filter_map(|e| reminder(e, &settings, due)) {
                    prop_assert!(reported.insert(reminder.clone()), "{reminder:?}");
                }
                now = due;
            }
            if restarts.next().unwrap() {
                state = restarted(&state);
            }
            let events;
            (state, events) = step(state, &settings, until, input);
            for reminder in events.iter().filter_map(|e| reminder(e, &settings, until)) {
                prop_assert!(reported.insert(reminder.clone()), "{reminder:?}");
            }
            now = until;
        }
    }

    /// What the vendor does to a key is told exactly once: by what follows from it, or else among the changes.
    #[test]
    fn what_the_vendor_does_is_told_once(story in any_story(), settings in any_settings()) {
        let (mut state, mut at) = (State::default(), 0);
        for (gap, input) in story {
            at += gap;
            // Time passes before: what is told then is not the revision's doing.
            state = step(state, &settings, instant(at), Input::Tick).0;
            let before = state.active.as_ref().map(|held| held.statement.clone());
            let revised = match &input {
                Input::Publish(Ok(new)) | Input::Activate(Ok(new)) => {
                    before.filter(|old| old.key == new.key && old.rev < new.rev).map(|old| (old, new.clone()))
                }
                _ => None,
            };
            let events;
            (state, events) = step(state, &settings, instant(at), input);
            let Some((old, new)) = revised.filter(|_| !events.iter().any(|e| e.kind.is_refusal())) else { continue };
            let ((was, was_since), (is, since)) = (old.vendor_state(), new.vendor_state());
            let changed = was != is || (is != svm_core::subscription::VendorState::Active && was_since != since);
            let named = events.iter().filter(
                |e| matches!(&e.kind, Kind::ParametersChanged { fields, .. } if fields.contains(&"state")),
            ).count();
            let follows = events.iter().any(
                |e| matches!(&e.kind, Kind::StatusChanged { .. } | Kind::KeyReserveApplied { .. }),
            );
            prop_assert_eq!(named, usize::from(changed && !follows), "{:?}", events);
        }
    }

    /// Every end of a term that is known beforehand is announced, where there is a list to announce it by.
    #[test]
    fn every_known_end_is_announced(claims in any_claims(), settings in any_settings()) {
        let settings = Settings { reminder_days: vec![1], paid_reminder_days: vec![1], ..settings };
        let (state, first) = step(State::default(), &settings, instant(0), Input::Activate(Ok(Statement::read(&claims).unwrap())));
        let (mut state, mut now, mut announced) = (state, instant(0), None);
        let note = |events: &[Event], announced: &mut Option<(Timestamp, Cause)>| {
            for event in events {
                if let Kind::Expiring { ends_at, why, .. } = &event.kind {
                    *announced = Some((*ends_at, *why));
                }
            }
        };
        note(&first, &mut announced);
        while state.reported.phase == Phase::Active {
            let Some(due) = next_due(&state, &settings, now) else { break };
            let (phase, events);
            phase = state.reported.phase;
            (state, events) = step(state, &settings, due, Input::Tick);
            if state.reported.phase != phase {
                let reported = state.reported.lapse_cause.or(state.reported.cause);
                match (state.reported.phase, reported) {
                    // A grace for a pause or an unpaid date is itself the warning.
                    (Phase::Grace, Some(Cause::Paused | Cause::Unpaid)) => {}
                    (_, why) => {
                        let why = if why == Some(Cause::Expired) { Some(Cause::Ended) } else { why };
                        prop_assert_eq!(announced, why.map(|why| (due, why)), "{:?}", state.reported);
                    }
                }
            }
            note(&events, &mut announced);
            now = due;
        }
    }

    /// No way leads back to a revision below the highest that was held: not a removal, not another role, not a restart.
    #[test]
    fn an_older_revision_never_comes_back(story in any_story(), settings in any_settings(), restarts in vec(any::<bool>(), 12)) {
        let mut highest: std::collections::HashMap<String, u64> = std::collections::HashMap::new();
        let (mut state, mut at) = (State::default(), 0);
        for ((gap, input), restart) in story.into_iter().zip(restarts) {
            at += gap;
            let offered = match &input {
                Input::Activate(Ok(new)) | Input::AddReserve(Ok(new)) => Some(new.clone()),
                _ => None,
            };
            let was_held = offered.as_ref().is_some_and(|new| state.held(&new.key).is_some());
            let events;
            (state, events) = step(state, &settings, instant(at), input);
            let older = offered.filter(|new| !was_held && highest.get(new.key.as_str()).is_some_and(|rev| *rev > new.rev));
            if let Some(older) = older {
                prop_assert!(state.held(&older.key).is_none(), "{events:?}");
                let code = events.iter().find_map(|e| match &e.kind {
                    Kind::KeyRejected { code, .. } => Some(*code),
                    _ => None,
                });
                prop_assert!(matches!(code, Some(RefusalCode::OlderRevision | RefusalCode::ProductVersionTooOld)), "{:?}", code);
            }
            for held in state.active.iter().chain(&state.reserve) {
                let known = highest.entry(held.statement.key.to_string()).or_default();
                prop_assert!(held.statement.rev >= *known);
                *known = held.statement.rev;
            }
            if restart {
                state = restarted(&state);
            }
        }
    }

    /// A reserve that is let in by a changed setting takes over then, and its period counts from then; one that was let in
    /// all the time takes over at the lapse.
    #[test]
    fn a_changed_setting_counts_from_the_step_that_brings_it(
        grace in 0..5i64, lapse in 1..40i64, later in 0..40i64, restart in any::<bool>(), off_again in any::<bool>(),
    ) {
        let settings = |on| Settings { promote_reserve_on_lapse: on, ..Settings::new("6.1".parse().unwrap()) };
        let days = |days: i64| instant(2 * days);
        let paid = days(lapse);
        let subscription = json!({"rev": 1, "key": {"id": "S", "kind": "subscription"}, "subscription": {
            "term": {"type": "unlimited", "paid_until": paid}, "grace_days": grace}});
        let reserve = json!({"rev": 1, "key": {"id": "R", "kind": "commercial"}, "licence": {"period_days": 10}});
        let read = |claims: &Value| Ok(Statement::read(claims).unwrap());
        for on_before in [true, false] {
            let before = settings(on_before);
            let mut state = step(State::default(), &before, instant(0), Input::Activate(read(&subscription))).0;
            state = step(state, &before, instant(0), Input::AddReserve(read(&reserve))).0;
            let (lapses, switched) = (days(lapse + grace), days(lapse + grace + later));
            if off_again && !on_before {
                // On for a while, and off before the lapse: that counts for nothing.
                state = step(state, &settings(true), instant(1), Input::Tick).0;
                state = step(state, &before, instant(1), Input::Tick).0;
            }
            state = step(state, &before, lapses, Input::Tick).0;
            if restart {
                state = restarted(&state);
            }
            let (state, events) = step(state, &settings(true), switched, Input::Tick);
            let since = if on_before { lapses } else { switched };
            prop_assert_eq!(state.active.as_ref().unwrap().statement.key.as_str(), "R");
            let ends_at = state.timeline().unwrap().ends_at.unwrap();
            prop_assert_eq!(ends_at, since + SignedDuration::from_hours(240));
            prop_assert_eq!(events.iter().any(|e| matches!(e.kind, Kind::KeyReserveApplied { .. })), !on_before);
        }
    }

    /// All but the marks: who looks often is reminded of more, and those reminders were told.
    #[test]
    fn many_looks_end_where_one_look_ends(
        story in any_story(), settings in any_settings(), gaps in vec(0..20i64, 1..12),
    ) {
        let (state, mut at) = play(story, &settings, |_, _, _| ());
        let mut often = state.clone();
        for gap in gaps {
            at += gap;
            often = step(often, &settings, instant(at), Input::Tick).0;
        }
        let (mut once, _) = step(state, &settings, instant(at), Input::Tick);
        for mark in &once.marks {
            let same = |m: &&svm_core::subscription::Mark| {
                m.key == mark.key && m.deadline == mark.deadline && m.at == mark.at
            };
            prop_assert!(often.marks.iter().find(same).is_some_and(|m| m.days <= mark.days), "{mark:?}");
        }
        once.marks = often.marks.clone();
        prop_assert_eq!(once, often);
    }

    /// Nothing at all changes or is told between two due instants.
    #[test]
    fn nothing_happens_before_it_is_due(story in any_story(), settings in any_settings(), gap in 1..60i64) {
        let (state, at) = play(story, &settings, |_, _, _| ());
        let now = instant(at);
        let due = next_due(&state, &settings, now);
        let last = due.map_or(instant(at + gap), |due| due - SignedDuration::from_nanos(1));
        for tick in [last, instant(at + gap).min(last)].into_iter().filter(|tick| *tick >= now) {
            let (then, events) = step(state.clone(), &settings, tick, Input::Tick);
            prop_assert!(events.is_empty(), "{events:?} at {tick}, due {due:?}");
            prop_assert_eq!(&then, &state);
        }
    }

    /// The engine keeps the state and the events of a step, or neither: then the step is done again.
    #[test]
    fn a_crash_between_two_steps_changes_nothing(story in any_story(), settings in any_settings()) {
        let (mut state, mut at) = (State::default(), 0);
        for (gap, input) in story {
            at += gap;
            let stored = restarted(&state);
            prop_assert_eq!(&stored, &state);
            let lost = step(state, &settings, instant(at), input.clone());
            let again = step(stored, &settings, instant(at), input);
            prop_assert_eq!(&lost, &again);
            state = again.0;
        }
    }

    #[test]
    fn what_is_told_is_what_holds(story in any_story(), settings in any_settings()) {
        let mut was = State::default().reported;
        play(story, &settings, |now, state, events| {
            assert_eq!(state.reported, View::of(state, &settings, now));
            let reported = |word: &str| events.iter().any(|e| e.kind.type_name() == word);
            let (mut phase, mut status, mut permits) = (was.phase, was.device_status, Resource::ALL.map(|r| was.permit(r)));
            for event in events {
                match &event.kind {
                    Kind::StatusChanged { from, to, .. } => {
                        assert_eq!(*from, phase);
                        phase = *to;
                    }
                    Kind::DeviceStatusChanged { from, to, .. } => {
                        assert!(*from == status && from != to);
                        status = *to;
                    }
                    Kind::EnforcementChanged { resource, from, to, .. } => {
                        let permit = &mut permits[*resource as usize];
                        assert!(from == permit && from != to);
                        *permit = *to;
                    }
                    _ => {}
                }
            }
            assert_eq!((phase, status), (state.reported.phase, state.reported.device_status));
            assert_eq!(permits, Resource::ALL.map(|r| state.reported.permit(r)));
            assert!(was.cause == state.reported.cause || reported("subscription.status_changed"));
            assert!(events.iter().all(|e| e.effective_at.is_none_or(|at| at < now)), "{events:?}");
            was = state.reported.clone();
        });
    }

    /// Where enforcement is proved, a permit's change is told once it is carried out, from what was told before.
    #[test]
    fn what_is_enforced_is_told_when_it_is_done(
        story in any_story(), settings in any_settings(), done in vec(any::<bool>(), 12),
    ) {
        let settings = Settings { enforcement_is_proved: true, ..settings };
        let (mut state, mut at) = (State::default(), 0);
        let mut reported = Resource::ALL.map(|r| state.reported.permit(r));
        for ((gap, input), done) in story.into_iter().zip(done) {
            at += gap;
            let events;
            (state, events) = step(state, &settings, instant(at), input);
            prop_assert!(events.iter().all(|e| e.kind.type_name() != "enforcement.changed"), "{events:?}");
            state = restarted(&state);
            for resource in Resource::ALL.into_iter().filter(|_| done) {
                let permit = state.reported.permit(resource);
                for other in [Permit::Full, Permit::Limited, Permit::Stopped] {
                    let before = state.clone();
                    let by = vec!["a.service".to_owned()];
                    let (then, events) =
                        step(state, &settings, instant(at), Input::Enforced(resource, other, by.clone()));
                    let from = reported[resource as usize];
                    match events.as_slice() {
                        [] => prop_assert!((other != permit || from == permit) && then == before),
                        [Event { kind, effective_at }] => {
                            let to = permit;
                            let kind_is = Kind::EnforcementChanged { resource, from, to, enforced_by: by };
                            prop_assert_eq!(kind, &kind_is);
                            prop_assert!(other == permit && from != permit);
                            let since = then.enforcement.progress[&resource].since;
                            prop_assert_eq!(*effective_at, Some(since).filter(|since| *since < instant(at)));
                            reported[resource as usize] = permit;
                        }
                        more => prop_assert!(false, "{more:?}"),
                    }
                    state = then;
                }
                prop_assert_eq!(reported[resource as usize], permit);
            }
        }
    }

    #[test]
    fn a_permit_holds_until_it_says(
        story in any_story(), settings in any_settings(), horizon in 1..120i64, ticks in vec(0.0..1.0f64, 8),
    ) {
        let (state, at) = play(story, &settings, |_, _, _| ());
        let (now, horizon) = (instant(at), instant(at + horizon));
        for resource in Resource::ALL {
            let permit = state.reported.permit(resource);
            let until = permit_until(&state, &settings, now, resource, horizon);
            prop_assert!(now < until && until <= horizon);
            let span = until.duration_since(now).as_secs();
            #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any instant will do")]
            let inside = ticks.iter().map(|part| now + SignedDuration::from_secs((span as f64 * part) as i64));
            for tick in inside.chain([until - SignedDuration::from_nanos(1)]) {
                let (then, _) = step(state.clone(), &settings, tick, Input::Tick);
                prop_assert_eq!(then.reported.permit(resource), permit, "at {}, until {}", tick, until);
            }
            if until < horizon {
                let (then, _) = step(state.clone(), &settings, until, Input::Tick);
                prop_assert_ne!(then.reported.permit(resource), permit);
            }
        }
    }

    #[test]
    fn any_json_is_read_or_refused(document in any_json()) {
        let offer = Statement::read(&document);
        if let Ok(statement) = &offer {
            prop_assert_eq!(&Statement::read(&Value::Object(statement.to_claims())).unwrap(), statement);
        }
        let settings = Settings::new("6.1".parse().unwrap());
        for input in [Input::Activate(offer.clone()), Input::AddReserve(offer.clone()), Input::Publish(offer)] {
            step(State::default(), &settings, instant(0), input);
        }
    }

    #[test]
    fn the_ends_of_time_are_survived(
        claims in any_claims(), days in select(vec![1, 4_000_000, i64::MAX]), ends in select(WRITTEN_ENDS.to_vec()),
        since in select(WRITTEN_ENDS.to_vec()), times in vec(select(ENDS.to_vec()), 2..6), settings in any_settings(),
    ) {
        let mut claims = claims;
        for (part, name) in [("subscription", "grace_days"), ("licence", "period_days")] {
            if let Some(terms) = claims.get_mut(part) {
                terms[name] = json!(days);
                if terms.get("state").is_some() {
                    terms["state_since"] = json!(since);
                }
            }
        }
        for date in ["ends_at", "paid_until"] {
            if claims["subscription"]["term"].get(date).is_some_and(|at| !at.is_null()) {
                claims["subscription"]["term"][date] = json!(ends);
            }
        }
        if claims["subscription"].is_null() {
            claims.as_object_mut().unwrap().remove("subscription");
        }
        let offer = Ok(Statement::read(&claims).unwrap());
        let reserve = Statement::read(&json!({"rev": 1, "key": {"id": "R", "kind": "commercial"},
            "licence": {"period_days": days}})).unwrap();
        let mut state = State::default();
        // Also backwards: nobody promises that the clock does not.
        for now in times {
            let inputs = [Input::Activate(offer.clone()), Input::AddReserve(Ok(reserve.clone())), Input::Tick];
            for input in inputs {
                state = step(restarted(&state), &settings, now, input).0;
                for resource in Resource::ALL {
                    permit_until(&state, &settings, now, resource, Timestamp::MAX);
                }
            }
        }
    }
}

const ENDS: [Timestamp; 5] = [
    Timestamp::MIN,
    Timestamp::constant(-377_705_023_200, 0),
    Timestamp::UNIX_EPOCH,
    Timestamp::constant(253_402_207_199, 0),
    Timestamp::MAX,
];

/// The ends of what RFC 3339 can write: years have four digits without a sign.
const WRITTEN_ENDS: [Timestamp; 4] = [Timestamp::constant(-62_167_219_200, 0), ENDS[2], ENDS[3], ENDS[4]];

/// Any JSON: nothing like a document, or a document with something else in one place.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        select(vec!["active", "limited", "commercial", "stop", "6.1", "2026-01-01T00:00:00Z"])
            .prop_map(Value::from),
    ];
    let json = leaf.prop_recursive(3, 24, 4, |inner| {
        let name = prop_oneof![".{0,6}", select(NAMES.to_vec()).prop_map(str::to_owned)];
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map(name, inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    let spoiled =
        (any_claims(), select(NAMES.to_vec()), json.clone()).prop_map(|(mut claims, name, value)| {
            spoil(&mut claims, name, &value);
            claims
        });
    prop_oneof![json, spoiled]
}

const NAMES: [&str; 20] = [
    "rev",
    "key",
    "id",
    "kind",
    "subscription",
    "licence",
    "state",
    "state_since",
    "term",
    "type",
    "ends_at",
    "paid_until",
    "grace_days",
    "auto_renew",
    "after_grace",
    "ksn",
    "period_days",
    "devices",
    "vendor",
    "min_product_version",
];

/// Puts `value` wherever `name` stands.
fn spoil(document: &mut Value, name: &str, value: &Value) {
    if let Value::Object(fields) = document {
        for (found, inner) in fields {
            if found == name {
                *inner = value.clone();
            } else {
                spoil(inner, name, value);
            }
        }
    }
}
