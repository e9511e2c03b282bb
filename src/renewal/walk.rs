//! A walk over every phase, cause, lapse cause, provider's state and kind of term, in both languages. It asks the step and
//! the rules of `activate` and `key add` what would happen, and holds every sentence to it.

use super::{Known, KnownKey, Part, Purpose, advise};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use svm_core::subscription::{
    Cause, Input, Kind, Permit, Phase, Remedy, Settings, Situation, State, Statement, VendorState, View, step,
};
use svm_core::words::renewal::Renewal;
use svm_core::words::{Language, causes, phases, remedies, times};

const BEGIN: &str = "2027-01-01T00:00:00Z";
const NOW: &str = "2027-06-01T00:00:00Z";
const PAST: &str = "2027-05-31T00:00:00Z";
const LONG_PAST: &str = "2027-03-01T00:00:00Z";
const SOON: &str = "2027-06-02T00:00:00Z";
const LATER: &str = "2027-08-01T00:00:00Z";
const FAR: &str = "2090-01-01T00:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn settings() -> Settings {
    Settings::new("6.1".parse().unwrap())
}

fn claims(id: &str, rev: u64, part: &str, terms: &Value) -> Option<Statement> {
    let kind = if part == "licence" { "commercial" } else { "subscription" };
    Statement::read(&json!({"rev": rev, "key": {"id": id, "kind": kind}, part: terms})).ok()
}

/// The terms of each kind of key: a subscription with and without an end, or a commercial key.
fn all_terms() -> Vec<(&'static str, Value)> {
    let instants = [LONG_PAST, PAST, SOON, LATER];
    let mut terms: Vec<Value> = instants.map(|end| json!({"type": "limited", "ends_at": end})).into();
    terms.extend(instants.map(|paid| json!({"type": "unlimited", "paid_until": paid})));
    terms.push(json!({"type": "unlimited"}));
    let states = ["active", "paused", "soft_cancelled", "hard_cancelled", "blocked"];
    let mut all = Vec::new();
    for term in &terms {
        for (state, since) in states.iter().flat_map(|state| instants.map(|since| (state, since))) {
            for (grace_days, auto_renew) in [(0, false), (3, false), (3, true), (40, true)] {
                all.push((
                    "subscription",
                    json!({"term": term, "state": state, "state_since": since, "grace_days": grace_days,
                        "auto_renew": auto_renew}),
                ));
            }
        }
    }
    for period_days in [10, 152, 400] {
        all.push(("licence", json!({"period_days": period_days})));
        for since in instants {
            let blocked = json!({"period_days": period_days, "state": "blocked", "state_since": since});
            all.push(("licence", blocked));
        }
    }
    all
}

fn look(state: &State, now: Timestamp) -> State {
    step(state.clone(), &settings(), now, Input::Tick).0
}

/// Whether the step takes this input at an instant.
fn is_taken(state: &State, now: Timestamp, input: Input) -> bool {
    let (_, events) = step(look(state, now), &settings(), now, input);
    !events.iter().any(|event| matches!(event.kind, Kind::KeyRejected { .. }))
}

fn takes_new_code(state: &State, now: Timestamp) -> bool {
    let other = json!({"term": {"type": "limited", "ends_at": FAR}});
    is_taken(state, now, Input::Activate(Ok(claims("OTHER", 1, "subscription", &other).unwrap())))
}

fn takes_reserve(state: &State, now: Timestamp) -> bool {
    let reserve = json!({"period_days": 365});
    is_taken(state, now, Input::AddReserve(Ok(claims("RESERVE", 1, "licence", &reserve).unwrap())))
}

/// The phase after the provider has done all of these.
fn phase_after(state: &State, part: &str, terms: &Value, remedies: &[Remedy]) -> Phase {
    let mut terms = terms.clone();
    for remedy in remedies {
        match remedy {
            Remedy::Resume => (terms["state"], terms["state_since"]) = (json!("active"), json!(NOW)),
            Remedy::Pay => terms["term"]["paid_until"] = json!(FAR),
            Remedy::Renew => terms["term"]["ends_at"] = json!(FAR),
            other => panic!("{other:?} is not the provider's to do"),
        }
    }
    let published = claims("SUB-1", 2, part, &terms).unwrap();
    let (state, _) = step(state.clone(), &settings(), at(NOW), Input::Publish(Ok(published)));
    View::of(&state, &settings(), at(NOW)).phase
}

fn just_before(instant: Timestamp) -> Timestamp {
    instant.checked_sub(SignedDuration::from_secs(1)).unwrap()
}

struct Case<'a> {
    state: &'a State,
    view: View,
    situation: Situation,
    context: String,
}

impl Case<'_> {
    fn phase_at(&self, instant: Timestamp) -> (Phase, Option<Cause>) {
        let view = View::of(self.state, &settings(), instant);
        (view.phase, view.lapse_cause.or(view.cause))
    }

    /// The instants of the outlook are those at which the phase changes.
    fn outlook_is_right(&self) {
        let (context, outlook) = (&self.context, self.situation.outlook());
        if let Some((end, cause)) = outlook.active_until {
            assert_eq!(self.phase_at(just_before(end)).0, Phase::Active, "{context}");
            let (phase, why) = self.phase_at(end);
            let why = if why == Some(Cause::Expired) { Some(Cause::Ended) } else { why };
            assert_eq!(why, Some(cause), "{context}");
            let expected = if outlook.grace_until.is_some() { Phase::Grace } else { Phase::Restricted };
            assert_eq!(phase, expected, "{context}");
        } else if self.view.phase == Phase::Active {
            assert_eq!(self.phase_at(at(FAR)).0, Phase::Active, "{context}");
        }
        if let Some(end) = outlook.grace_until {
            assert_eq!(self.phase_at(just_before(end)).0, Phase::Grace, "{context}");
            assert_eq!(self.phase_at(end).0, Phase::Restricted, "{context}");
        }
        assert!(outlook.grace_until.is_some() || self.view.phase != Phase::Grace, "{context}");
    }

    /// What is said of new codes and reserve keys is what the step does.
    fn codes_are_right(&self, text: &str, language: Language) {
        let (context, now) = (&self.context, at(NOW));
        let command = match language {
            Language::English => "svm-agent activate CODE",
            Language::Russian => "svm-agent activate КОД",
        };
        if text.contains(&format!("{command} --reserve")) {
            assert!(takes_reserve(self.state, now), "{context}: {text}");
        } else if text.contains(command) && text != Renewal::StopEffectUnknown.get(language) {
            assert!(takes_new_code(self.state, now), "{context}: {text}");
        }
        if text == Renewal::CodeIsRefused.get(language) {
            assert!(!takes_new_code(self.state, now), "{context}: {text}");
            assert!(!takes_new_code(self.state, at("2089-01-01T00:00:00Z")), "{context}: {text}");
        }
    }

    /// "from X on" is the first instant at which a new code is taken.
    fn code_is_taken_from(&self, steps: &[String], language: Language) {
        let (before, after) = Renewal::CodeIsTakenFrom.get(language).split_once("{when}").unwrap_or_default();
        let said = steps.iter().find_map(|step| step.strip_prefix(before)?.strip_suffix(after));
        let Some(said) = said else { return };
        let candidates = [LONG_PAST, PAST, SOON, LATER].map(at).into_iter();
        let days = candidates
            .flat_map(|from| (0..=400).map(move |days| from + SignedDuration::from_hours(24 * days)));
        let instant = days.into_iter().find(|instant| times::instant(*instant, language) == said);
        let instant = instant.unwrap_or_else(|| panic!("{}: {said}", self.context));
        assert!(!takes_new_code(self.state, at(NOW)), "{}: {said}", self.context);
        assert!(!takes_new_code(self.state, just_before(instant)), "{}: {said}", self.context);
        assert!(takes_new_code(self.state, instant), "{}: {said}", self.context);
    }

    /// Everything that is said of this state, in one language.
    fn sentences_are_right(&self, language: Language) {
        let (context, situation) = (&self.context, &self.situation);
        let known_key = KnownKey { key: "SUB-1".to_owned(), situation: *situation, vendor: None };
        let key = situation.key.map(|_| known_key);
        let advice = advise(&Known { key, ..Known::default() }, language);
        let mut now: Vec<Remedy> = situation.remedies();
        now.extend(situation.before_known_end());
        let mut texts: Vec<String> =
            now.iter().map(|remedy| remedies::sentence(*remedy, situation, None, language)).collect();
        let [first, _] = advice.parts.as_slice() else { panic!("{context}: {:?}", advice.parts) };
        if self.view.phase != Phase::Active {
            assert_eq!(first.purpose, Purpose::Renew, "{context}");
        }
        for Part { purpose, title, steps, letter } in &advice.parts {
            self.code_is_taken_from(steps, language);
            texts.push((*title).to_owned());
            texts.extend(steps.iter().cloned());
            let letter = letter.as_ref().map(|letter| format!("{}\n{}", letter.subject, letter.body));
            let letter = letter.unwrap_or_default();
            if *purpose == Purpose::Renew {
                self.letter_asks_for_what_helps(&letter, language);
            } else if letter.contains(Renewal::KnowItEnds.get(language)) {
                // It stays usable to the end of the term only if nothing comes before it.
                let until = situation.outlook().active_until;
                let to_its_end = until.is_none_or(|(_, cause)| matches!(cause, Cause::Ended | Cause::Unpaid));
                assert!(self.view.phase == Phase::Active && to_its_end, "{context}: {letter}");
            }
        }
        texts.extend(advice.standing.iter().cloned());
        for text in &texts {
            self.codes_are_right(text, language);
        }
        // What works, by the sentences of the phase, works.
        let is_full = self.view.database_updates == Permit::Full && self.view.ksn == Permit::Full;
        let because =
            self.view.cause.map(|cause| causes::because(cause, self.view.lapse_cause).get(language));
        let in_grace = Renewal::InGrace.get(language).split("{because}").last().unwrap_or_default();
        if texts.iter().any(|text| text.ends_with(in_grace)) {
            assert!(is_full, "{context}");
        }
        assert_eq!(is_full, matches!(self.view.phase, Phase::Active | Phase::Grace), "{context}");
        let stands = phases::with_cause(self.view.phase, self.view.cause, self.view.lapse_cause, language);
        assert!(because.is_none_or(|because| stands.contains(because)), "{context}: {stands}");
        // No text says that it renews automatically if it does not.
        let renews = Renewal::RenewsAutomatically.get(language);
        let auto_renew = situation.key.is_some_and(|key| key.auto_renew);
        assert!(!texts.iter().any(|text| text == renews) || auto_renew, "{context}");
    }

    /// A letter asks to resume only what is paused, and so on; and it asks for all that is needed.
    fn letter_asks_for_what_helps(&self, letter: &str, language: Language) {
        let needed = self.situation.remedies();
        for (remedy, please) in [
            (Remedy::Resume, Renewal::PleaseResume),
            (Remedy::Pay, Renewal::PleasePay),
            (Remedy::Renew, Renewal::PleaseRenew),
            (Remedy::Reinstate, Renewal::WhyCancelled),
            (Remedy::Unblock, Renewal::WhyBlocked),
        ] {
            let is_asked = letter.contains(please.get(language));
            let is_early = self.view.phase == Phase::Active && matches!(remedy, Remedy::Renew | Remedy::Pay);
            assert_eq!(is_asked && !is_early, needed.contains(&remedy), "{}: {letter}", self.context);
        }
    }
}

/// Each of the remedies is needed, and together they lead back to `active`.
fn remedies_help(case: &Case<'_>, part: &str, terms: &Value) {
    let (needed, context) = (case.situation.remedies(), &case.context);
    let is_the_providers = |remedy: &Remedy| matches!(remedy, Remedy::Resume | Remedy::Pay | Remedy::Renew);
    if case.view.phase == Phase::Active {
        assert!(needed.is_empty(), "{context}");
    } else if needed.iter().all(is_the_providers) {
        assert_eq!(phase_after(case.state, part, terms, &needed), Phase::Active, "{context}: {needed:?}");
        for left_out in 0..needed.len() {
            let mut fewer = needed.clone();
            fewer.remove(left_out);
            assert_ne!(phase_after(case.state, part, terms, &fewer), Phase::Active, "{context}: {fewer:?}");
        }
    } else {
        // The other way is a new code.
        assert!(takes_new_code(case.state, at(NOW)), "{context}: {needed:?}");
    }
    assert_eq!(case.situation.takes_new_code(), takes_new_code(case.state, at(NOW)), "{context}");
}

#[test]
fn no_sentence_contradicts_what_the_step_does() {
    let mut seen = BTreeSet::new();
    for (part, terms) in all_terms() {
        // The parser refuses what makes no sense, such as a renewal that was cancelled and is automatic.
        let Some(statement) = claims("SUB-1", 1, part, &terms) else { continue };
        let word = statement.vendor_state().0;
        let (state, _) = step(State::default(), &settings(), at(BEGIN), Input::Activate(Ok(statement)));
        let state = look(&state, at(NOW));
        let view = View::of(&state, &settings(), at(NOW));
        let situation = Situation::of(&state, &settings(), at(NOW));
        let context = format!("{terms} is {:?} {:?} {:?}", view.phase, view.cause, view.lapse_cause);
        let case = Case { state: &state, view, situation, context };
        case.outlook_is_right();
        remedies_help(&case, part, &terms);
        Language::ALL.into_iter().for_each(|language| case.sentences_are_right(language));
        seen.insert(format!("{:?} {:?} {:?}", case.view.phase, case.view.cause, case.view.lapse_cause));
        seen.insert(format!("{:?} {word:?}", case.view.phase));
    }
    for phase_and_cause in [
        "Active None None",
        "Grace Some(Ended) None",
        "Grace Some(Paused) None",
        "Grace Some(Unpaid) None",
        "Restricted Some(GraceOver) Some(Ended)",
        "Restricted Some(GraceOver) Some(Paused)",
        "Restricted Some(GraceOver) Some(Unpaid)",
        "Restricted Some(NotGranted) Some(Ended)",
        "Restricted Some(NotGranted) Some(Paused)",
        "Restricted Some(NotGranted) Some(Unpaid)",
        "Restricted Some(Cancelled) None",
        "Restricted Some(Blocked) None",
        "Restricted Some(Expired) None",
    ] {
        assert!(seen.contains(phase_and_cause), "{phase_and_cause} is not among {seen:?}");
    }
    for phase in ["Active", "Grace", "Restricted"] {
        for word in [
            VendorState::Active,
            VendorState::Paused,
            VendorState::SoftCancelled,
            VendorState::HardCancelled,
            VendorState::Blocked,
        ] {
            assert!(seen.contains(&format!("{phase} {word:?}")), "{phase} {word:?}");
        }
    }
}

#[test]
fn an_svm_without_a_key_is_activated() {
    let state = State::default();
    let situation = Situation::of(&state, &settings(), at(NOW));
    assert_eq!(situation.remedies(), [Remedy::Activate]);
    assert!(situation.takes_new_code() && takes_new_code(&state, at(NOW)));
    let waiting = Situation { is_activating: true, ..situation };
    assert_eq!(waiting.remedies(), [Remedy::AwaitActivation]);
}
