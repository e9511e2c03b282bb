//! Words and small pieces that both pages use.
//!
//! Promises: text of events is shown as text, without the characters that would turn or hide its neighbours;
//! a status is never told by colour alone.

use jiff::Timestamp;
use maud::{Markup, html};
use svm_core::subscription::DeviceStatus;
use svm_core::text::{clean, clean_start};

/// Characters of a word of an event that is shown in a list.
const WORD: usize = 64;

pub(super) fn status_word(status: DeviceStatus) -> &'static str {
    match status {
        DeviceStatus::Ok => "OK",
        DeviceStatus::Warning => "Warning",
        DeviceStatus::Critical => "Critical",
    }
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

/// A reason of a status, as people say it; one we do not know stands as it came.
pub(super) fn reason(name: &str) -> String {
    match name {
        "not_connected" => "not connected for long",
        "two_machines" => "several machines use its id",
        "status_unknown" => "no status told yet",
        "not_activated" => "not activated",
        "restricted" => "restricted",
        "expired" => "term is over",
        "grace" => "in grace",
        "expiring" => "ends soon",
        "devices_over_100" => "over the device limit",
        "devices_over_110" => "far over the device limit",
        "product_version_too_old" => "product too old",
        "not_enforced" => "nobody enforces a permit",
        "enforcement_failed" => "enforcement fails",
        "clock_suspect" => "clock is doubtful",
        "reserve_unusable" => "reserve key is of no use",
        "databases_outdated" => "databases are old",
        other => return clean_start(&other.replace('_', " "), WORD),
    }
    .to_owned()
}

pub(super) fn phase(name: &str) -> String {
    match name {
        "not_activated" => "Not activated".to_owned(),
        "active" => "Active".to_owned(),
        "grace" => "Grace".to_owned(),
        "restricted" => "Restricted".to_owned(),
        other => clean_start(other, WORD),
    }
}

pub(super) fn cause(name: &str) -> String {
    match name {
        "ended" => "term ended",
        "paused" => "paused by the vendor",
        "unpaid" => "not paid",
        "grace_over" => "grace is over",
        "not_granted" => "no grace granted",
        "cancelled" => "cancelled",
        "blocked" => "key blocked",
        "expired" => "key expired",
        other => return clean_start(&other.replace('_', " "), WORD),
    }
    .to_owned()
}

/// The vendor's word about a key.
pub(super) fn state(name: &str) -> String {
    match name {
        "active" => "active",
        "paused" => "paused by the vendor",
        "soft_cancelled" => "renewal cancelled by the vendor",
        "hard_cancelled" => "cancelled by the vendor",
        "blocked" => "blocked by the vendor",
        other => return clean_start(&other.replace('_', " "), WORD),
    }
    .to_owned()
}

/// What comes at the end that a key is known to come to.
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
    // What is left is rounded up, as in the days an event tells; what is past is rounded down.
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

/// A date, with the instant for whoever points at it.
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
    let class = match verdict {
        "full" | "limited" | "stopped" => verdict,
        _ => "unknown",
    };
    html! { span class={ "permit " (class) } { span class="permit-name" { (name) } " " (clean(verdict)) } }
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
