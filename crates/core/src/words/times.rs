//! Instants, dates and durations, as people read them. Never with fractions of a second.

use crate::words::{Language, Noun, Text, count};
use jiff::{Timestamp, civil::Date};

const DAY: i64 = 86_400;

/// An instant to the minute, or to the second if it has one: "2027-01-19 14:00 UTC", "19.01.2027 14:00 UTC".
pub fn instant(at: Timestamp, language: Language) -> String {
    format!("{} {}", day_of(at, language), clock(at))
}

/// As [`instant`], but a midnight (UTC) is only its day.
pub fn day_or_instant(at: Timestamp, language: Language) -> String {
    if at.as_second().rem_euclid(DAY) == 0 { day_of(at, language) } else { instant(at, language) }
}

/// A calendar day: "2027-01-19", "19.01.2027".
pub fn day(day: Date, language: Language) -> String {
    day.strftime(form(language)).to_string()
}

/// The day of an instant, in UTC.
fn day_of(at: Timestamp, language: Language) -> String {
    at.strftime(form(language)).to_string()
}

fn form(language: Language) -> &'static str {
    match language {
        Language::English => "%Y-%m-%d",
        Language::Russian => "%d.%m.%Y",
    }
}

/// The time of day: "14:00 UTC", "14:00:05 UTC".
pub fn clock(at: Timestamp) -> String {
    let form = if at.as_second().rem_euclid(60) == 0 { "%H:%M UTC" } else { "%H:%M:%S UTC" };
    at.strftime(form).to_string()
}

const IN: Text = Text::new("in {span}", "через {span}");
const AGO: Text = Text::new("{span} ago", "{span} назад");
const SOON: Text = Text::new("in less than a day, at {time}", "меньше чем через день, в {time}");
const IN_DAYS: Text = Text::new("in {span}, on {time}", "через {span}, {time}");

/// A span of `seconds` in its largest unit. A part of a unit counts as a whole one if `up`, else as none.
fn span(seconds: u64, up: bool, language: Language) -> String {
    let units = [(60, 1, Noun::Second), (60, 60, Noun::Minute), (24, 3_600, Noun::Hour)];
    let of = |unit: u64| if up { seconds.div_ceil(unit) } else { seconds / unit };
    let fitting = units.into_iter().map(|(most, unit, noun)| (most, of(unit), noun));
    let fitting = fitting.into_iter().find(|(most, number, _)| number < most);
    let (number, noun) = fitting.map_or((of(86_400), Noun::Day), |(_, number, noun)| (number, noun));
    count(number, noun, language)
}

fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    let millis = to.duration_since(from).as_millis().max(0);
    u64::try_from(millis).unwrap_or(u64::MAX).div_ceil(1000)
}

/// How long until `at`: "in 12 seconds", "in 1 day". Parts of a unit are rounded up, as days left are.
pub fn until(now: Timestamp, at: Timestamp, language: Language) -> String {
    IN.fill(language, &[("span", &span(seconds(now, at), true, language))])
}

/// How long ago `at` was: "3 minutes ago". Parts of a unit are rounded down.
pub fn since(at: Timestamp, now: Timestamp, language: Language) -> String {
    AGO.fill(language, &[("span", &span(seconds(at, now), false, language))])
}

/// So many days ahead: "in 22 days".
pub fn in_days(days: u64, language: Language) -> String {
    IN.fill(language, &[("span", &count(days, Noun::Day, language))])
}

/// So many days ahead, rounded up, and when. The last of them is less than a day.
pub fn days_ahead(days_left: u64, at: Timestamp, language: Language) -> String {
    match days_left {
        0 | 1 => SOON.fill(language, &[("time", &clock(at))]),
        left => IN_DAYS
            .fill(language, &[("span", &count(left, Noun::Day, language)), ("time", &instant(at, language))]),
    }
}
