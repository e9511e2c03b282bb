//! Words and small pieces that both pages use.
//!
//! Promises: text of events is shown as text, without the characters that would turn or hide its neighbours;
//! a status is never shown by colour alone.

use crate::fleet::{NOT_CONNECTED, STATUS_UNKNOWN, TWO_MACHINES};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::de::DeserializeOwned;
use svm_core::subscription::{Cause, DeviceStatus, Permit, Phase, Reason, VendorState};
use svm_core::text::{clean, clean_start};
use svm_core::words::{Language, causes, permits, phases, reasons, vendor_states};

/// The page is in English.
pub(super) const LANGUAGE: Language = Language::English;

/// Characters of a word of an event that is shown in a list.
const WORD: usize = 64;

pub(super) fn status_word(status: DeviceStatus) -> &'static str {
    phases::device_status(status).get(LANGUAGE)
}

/// Three shapes for three states.
pub(super) fn status_icon(status: DeviceStatus) -> Markup {
    html! {
        svg class="icon" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" focusable="false" {
            @match status {
                DeviceStatus::Ok => { path d="M2.5 8.5 6.2 12 13.5 4.5" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round" {} }
                DeviceStatus::Warning => { path d="M8 1.6 15.2 14.4H.8ZM7.1 6.2v4h1.8v-4ZM7.1 11.2v1.7h1.8v-1.7Z" fill="currentColor" fill-rule="evenodd" {} }
                DeviceStatus::Critical => { path d="M5 .9h6L15.100 5v6L11 15.100H5L.9 11V5ZM7.100 4v5h1.800V4ZM7.100 10.400v1.800h1.800v-1.800Z" fill="currentColor" fill-rule="evenodd" {} }
            }
        }
    }
}

pub(super) fn status_chip(status: DeviceStatus) -> Markup {
    html! { span class={ "chip " (status.as_str()) } { (status_icon(status)) (status_word(status)) } }
}

/// A reason of a status in a few words, for lists; the page of the SVM has its sentence. One that is not known here stands
/// as it came.
pub(super) fn reason(name: &str) -> String {
    match (name, Reason::from_name(name)) {
        (NOT_CONNECTED, _) => "no contact".to_owned(),
        (TWO_MACHINES, _) => "several machines use its id".to_owned(),
        (STATUS_UNKNOWN, _) => "no status reported yet".to_owned(),
        (_, Some(known)) => reasons::short(known).get(LANGUAGE).to_owned(),
        (other, None) => clean_start(&other.replace('_', " "), WORD),
    }
}

/// What a name of the wire means; `None` for one that only another version knows.
pub(super) fn named<T: DeserializeOwned>(name: &str) -> Option<T> {
    serde_json::from_value(name.into()).ok()
}

/// A phase in a word or two.
pub(super) fn phase(name: &str) -> String {
    match named::<Phase>(name) {
        Some(known) => capitalised(&phases::in_short(known, None, None, LANGUAGE)),
        None => clean_start(name, WORD),
    }
}

/// Why that phase, in a word or two.
pub(super) fn cause(name: &str, lapse_cause: Option<&str>) -> String {
    match named::<Cause>(name) {
        Some(known) => causes::short(known, lapse_cause.and_then(named)).get(LANGUAGE).to_owned(),
        None => clean_start(&name.replace('_', " "), WORD),
    }
}

/// What the provider says of a key, and since when.
pub(super) fn state(name: &str, since: Option<Timestamp>, now: Timestamp) -> String {
    match named::<VendorState>(name) {
        Some(known) => vendor_states::state(known, since, now, LANGUAGE),
        None => clean_start(&name.replace('_', " "), WORD),
    }
}

pub(super) fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// The name of the row with the end that a key is known to come to.
pub(super) fn known_end(why: &str) -> &'static str {
    match why {
        "cancelled" => "Will be cancelled",
        "blocked" => "Will be blocked",
        "paused" => "Will be paused",
        "unpaid" => "Paid until, without grace",
        _ => "Will end",
    }
}

/// Severity of Kaspersky Security Center: its class and its word.
pub(super) fn severity(number: Option<u64>) -> (&'static str, &'static str) {
    match number {
        Some(1) => ("info", "Info"),
        Some(2) => ("warning", "Warning"),
        Some(3) => ("failure", "Failure"),
        Some(4) => ("critical", "Critical"),
        _ => ("info", "Event"),
    }
}

/// `in 3 days`, `5 minutes ago`, `just now`.
pub(super) fn relative(now: Timestamp, at: Timestamp) -> String {
    let seconds = at.duration_since(now).as_secs();
    let ahead = seconds > 0;
    // What is left is rounded up, as the days in events are; what is past is rounded down.
    let whole = |count: u64, unit: u64| if ahead { count.div_ceil(unit) } else { count / unit };
    let (count, unit) = match seconds.unsigned_abs() {
        0..60 => return if ahead { "in a moment" } else { "just now" }.to_owned(),
        s @ 60..3600 => (whole(s, 60), "minute"),
        s @ 3600..172_800 => (whole(s, 3600), "hour"),
        s => (whole(s, 86_400), "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    match ahead {
        true => format!("in {count} {unit}{plural}"),
        false => format!("{count} {unit}{plural} ago"),
    }
}

/// A date; its title has the instant.
pub(super) fn date(at: Timestamp) -> Markup {
    html! { time datetime=(at) title=(at) { (at.strftime("%Y-%m-%d")) } }
}

/// An instant to the second.
pub(super) fn instant(at: Timestamp) -> Markup {
    html! { time datetime=(at) title=(at) { (at.strftime("%Y-%m-%d %H:%M:%S")) } }
}

/// An instant as seen from now.
pub(super) fn ago(now: Timestamp, at: Timestamp) -> Markup {
    html! { time datetime=(at) title=(at) { (relative(now, at)) } }
}

/// What a resource may do.
pub(super) fn permit(name: &str, verdict: Option<&str>) -> Markup {
    let verdict = verdict.unwrap_or("unknown");
    let (class, word) = match named::<Permit>(verdict) {
        Some(known) => (known.as_str(), permits::word(known).get(LANGUAGE).into()),
        None => ("unknown", clean(verdict)),
    };
    html! { span class={ "permit " (class) } { span class="permit-name" { (name) } " " (word) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_say_them() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (second, words) in [
            (0, "just now"),
            (-60, "1 minute ago"),
            (-7200, "2 hours ago"),
            (172_800, "in 2 days"),
            (30, "in a moment"),
        ] {
            assert_eq!(relative(at(0), at(second)), words);
        }
    }

    #[test]
    fn hiding_characters_are_seen() {
        assert_eq!(reason("a\u{202E}b\nc"), "a\u{FFFD}b\u{FFFD}c");
    }
}
