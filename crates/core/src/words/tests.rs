//! The catalogue is whole, and numbers and times follow the rules of both languages.

use super::*;
use crate::subscription::{
    Cause, Channel, DeviceStatus, Permit, Phase, Reason, RefusalCode, Remedy, Resource,
};
use jiff::Timestamp;

const CAUSES: [Cause; 8] = [
    Cause::Ended,
    Cause::Paused,
    Cause::Unpaid,
    Cause::GraceOver,
    Cause::NotGranted,
    Cause::Cancelled,
    Cause::Blocked,
    Cause::Expired,
];

/// Every text of the catalogue, each with where it stands.
fn all() -> Vec<(String, Text)> {
    let mut all = Vec::new();
    let mut add = |place: String, text: Text| all.push((place, text));
    for phase in [Phase::NotActivated, Phase::Active, Phase::Grace, Phase::Restricted] {
        add(format!("phase {phase:?}"), phases::phase(phase));
        add(format!("meaning of {phase:?}"), phases::meaning(phase));
    }
    for status in [DeviceStatus::Ok, DeviceStatus::Warning, DeviceStatus::Critical] {
        add(format!("{status:?}"), phases::device_status(status));
        add(format!("{status:?} in short"), phases::device_status_in_short(status));
    }
    let lapses = [None, Some(Cause::Ended), Some(Cause::Paused), Some(Cause::Unpaid)];
    for (cause, lapse) in CAUSES.into_iter().flat_map(|cause| lapses.map(|lapse| (cause, lapse))) {
        add(format!("because {cause:?} {lapse:?}"), causes::because(cause, lapse));
        add(format!("{cause:?} {lapse:?}"), causes::short(cause, lapse));
    }
    for (index, text) in vendor_states::all().into_iter().enumerate() {
        add(format!("state {index}"), text);
    }
    for reason in Reason::ALL {
        add(format!("{reason:?}"), reasons::sentence(reason));
        add(format!("{reason:?} in short"), reasons::short(reason));
        if let Some(step) = reasons::step(reason) {
            add(format!("step of {reason:?}"), step);
        }
    }
    for resource in Resource::ALL {
        for permit in [Permit::Full, Permit::Limited, Permit::Stopped] {
            add(format!("{resource:?} {permit:?}"), permits::became(resource, permit));
            add(format!("{resource:?} {permit:?} not enforced"), permits::should(resource, permit));
            add(format!("{permit:?}"), permits::word(permit));
        }
    }
    for remedy in Remedy::ALL {
        add(format!("{remedy:?}"), remedies::text(remedy));
    }
    for channel in [Channel::Website, Channel::Portal, Channel::Isp, Channel::Partner, Channel::Corporate] {
        add(format!("{channel:?}"), renewal::channel(channel));
    }
    for code in RefusalCode::ALL {
        add(format!("{code:?}"), refusals::sentence(code));
    }
    macro_rules! keys {
        ($($keys:ty),+) => {$(for key in <$keys>::ALL { add(format!("{key:?}"), key.text()) })+};
    }
    keys!(
        permits::Enforcement,
        remedies::Then,
        labels::Label,
        labels::Phrase,
        labels::Explain,
        labels::Forecast,
        notices::Notice
    );
    keys!(refusals::Remark, refusals::ReserveProblem, events::LifeCycle, events::Changed, events::Agent);
    keys!(renewal::Renewal);
    all
}

fn holes(text: &str) -> Vec<&str> {
    let mut names: Vec<&str> = text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Words that both languages write alike, so that their texts may be equal.
const ALIKE: [&str; 2] = ["KSN", "SVM"];

#[test]
fn no_text_is_empty_or_untranslated() {
    let all = all();
    assert!(all.len() > 200, "{}", all.len());
    for (place, Text { english, russian }) in all {
        assert!(!english.is_empty() && english.is_ascii(), "{place}: {english}");
        assert!(!russian.is_empty(), "{place}");
        assert!(english != russian || ALIKE.contains(&english), "{place} is not translated: {english}");
        assert_eq!(holes(english), holes(russian), "{place}");
        // The other language's letters must not slip into a word.
        for word in russian.split(|c: char| !c.is_alphabetic()) {
            let cyrillic = word.chars().filter(|c| ('\u{400}'..='\u{4ff}').contains(c)).count();
            assert!(cyrillic == 0 || cyrillic == word.chars().count(), "{place}: {word}");
        }
    }
}

#[test]
fn no_sentence_contains_an_identifier_of_the_wire() {
    let identifiers = CAUSES.map(Cause::as_str).into_iter().chain(Reason::ALL.map(Reason::as_str));
    let identifiers: Vec<&str> = identifiers.filter(|name| name.contains('_')).collect();
    for (place, Text { english, russian }) in all() {
        for text in [english, russian] {
            let found = identifiers.iter().find(|name| text.contains(**name));
            assert_eq!(found, None, "{place}: {text}");
        }
    }
}

#[test]
fn labels_fit_their_column() {
    for label in labels::Label::ALL {
        for language in Language::ALL {
            assert!(label.get(language).chars().count() <= 15, "{label:?}");
        }
    }
    let lapses = [None, Some(Cause::Ended), Some(Cause::Paused), Some(Cause::Unpaid)];
    for (cause, lapse) in CAUSES.into_iter().flat_map(|cause| lapses.map(|lapse| (cause, lapse))) {
        for language in Language::ALL {
            let cell = phases::in_short(Phase::Restricted, Some(cause), lapse, language);
            assert!(cell.chars().count() <= 25, "{cell}");
        }
    }
}

#[test]
fn numbers_take_their_form() {
    for (number, english, russian) in [
        (0, "0 days", "0 дней"),
        (1, "1 day", "1 день"),
        (2, "2 days", "2 дня"),
        (5, "5 days", "5 дней"),
        (11, "11 days", "11 дней"),
        (21, "21 days", "21 день"),
        (22, "22 days", "22 дня"),
        (101, "101 days", "101 день"),
        (112, "112 days", "112 дней"),
    ] {
        assert_eq!(count(number, Noun::Day, Language::English), english);
        assert_eq!(count(number, Noun::Day, Language::Russian), russian);
    }
    for noun in Noun::ALL {
        let forms = [1, 2, 5].map(|number| noun.after(number, Language::Russian));
        assert!(forms[0] != forms[1] && forms[1] != forms[2], "{forms:?}");
        assert_ne!(noun.after(1, Language::English), noun.after(2, Language::English));
    }
}

#[test]
fn a_span_has_its_largest_unit() {
    let now: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
    let after = |seconds: i64| now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap();
    for (seconds, english, russian) in [
        (0, "in 0 seconds", "через 0 секунд"),
        (12, "in 12 seconds", "через 12 секунд"),
        (61, "in 2 minutes", "через 2 минуты"),
        (3_600, "in 1 hour", "через 1 час"),
        (86_399, "in 1 day", "через 1 день"),
        (86_400, "in 1 day", "через 1 день"),
        (21 * 86_400, "in 21 days", "через 21 день"),
    ] {
        assert_eq!(times::until(now, after(seconds), Language::English), english);
        assert_eq!(times::until(now, after(seconds), Language::Russian), russian);
    }
    assert_eq!(times::since(now, after(119), Language::English), "1 minute ago");
    assert_eq!(times::since(now, after(119), Language::Russian), "1 минуту назад");
    assert_eq!(times::since(after(9), now, Language::English), "0 seconds ago");
}

#[test]
fn instants_have_no_fractions() {
    let at: Timestamp = "2027-01-19T14:00:00.123456Z".parse().unwrap();
    assert_eq!(times::instant(at, Language::English), "2027-01-19 14:00 UTC");
    assert_eq!(times::instant(at, Language::Russian), "19.01.2027 14:00 UTC");
    let midnight: Timestamp = "2027-01-19T00:00:00Z".parse().unwrap();
    assert_eq!(times::day_or_instant(midnight, Language::English), "2027-01-19");
    assert_eq!(times::days_ahead(1, at, Language::English), "in less than a day, at 14:00 UTC");
    assert_eq!(times::days_ahead(1, at, Language::Russian), "меньше чем через день, в 14:00 UTC");
    assert_eq!(times::days_ahead(3, at, Language::English), "in 3 days, on 2027-01-19 14:00 UTC");
}

#[test]
fn the_language_is_that_of_messages() {
    let of = |set: &[(&str, &str)]| {
        Language::of_locale(|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    };
    assert_eq!(of(&[]), Language::English);
    assert_eq!(of(&[("LANG", "ru_RU.UTF-8")]), Language::Russian);
    assert_eq!(of(&[("LANG", "ru_RU.UTF-8"), ("LC_MESSAGES", "C")]), Language::English);
    assert_eq!(of(&[("LANG", "C"), ("LC_ALL", "ru")]), Language::Russian);
    assert_eq!(of(&[("LC_ALL", ""), ("LANG", "RU_ru@x")]), Language::Russian);
    assert_eq!(of(&[("LANG", "run_XX")]), Language::English);
}

#[test]
fn what_is_filled_in_is_not_searched_for_holes() {
    let text = Text::new("{a} and {b}", "{a} и {b}");
    assert_eq!(text.fill(Language::English, &[("a", "{b}"), ("b", "c")]), "{b} and c");
}
