//! What the provider says of a key.

use crate::subscription::VendorState;
use crate::words::times::day_or_instant;
use crate::words::{Language, Text};
use jiff::Timestamp;

/// The provider's word about a key that is in force.
pub const fn in_force(state: VendorState) -> Text {
    match state {
        VendorState::Active => Text::new("active", "действует"),
        VendorState::Paused => Text::new("paused by the provider", "приостановлена поставщиком"),
        VendorState::SoftCancelled => Text::new(
            "not to be renewed: the provider cancelled the renewal",
            "не будет продлена: поставщик отменил продление",
        ),
        VendorState::HardCancelled => Text::new("cancelled by the provider", "отменена поставщиком"),
        VendorState::Blocked => Text::new("blocked by the provider", "заблокирована поставщиком"),
    }
}

const fn dated(state: VendorState, announced: bool) -> Text {
    match (state, announced) {
        (VendorState::Active, false) => Text::new("active since {when}", "действует с {when}"),
        (VendorState::Active, true) => Text::new("active from {when}", "будет действовать с {when}"),
        (VendorState::Paused, false) => {
            Text::new("paused by the provider since {when}", "приостановлена поставщиком с {when}")
        }
        (VendorState::Paused, true) => {
            Text::new("paused by the provider from {when}", "будет приостановлена поставщиком с {when}")
        }
        (VendorState::SoftCancelled, false) => Text::new(
            "not to be renewed: the provider cancelled the renewal on {when}",
            "не будет продлена: поставщик отменил продление {when}",
        ),
        (VendorState::SoftCancelled, true) => Text::new(
            "not to be renewed: the provider cancels the renewal on {when}",
            "не будет продлена: поставщик отменит продление {when}",
        ),
        (VendorState::HardCancelled, false) => {
            Text::new("cancelled by the provider since {when}", "отменена поставщиком с {when}")
        }
        (VendorState::HardCancelled, true) => {
            Text::new("cancelled by the provider from {when}", "будет отменена поставщиком с {when}")
        }
        (VendorState::Blocked, false) => {
            Text::new("blocked by the provider since {when}", "заблокирована поставщиком с {when}")
        }
        (VendorState::Blocked, true) => {
            Text::new("blocked by the provider from {when}", "будет заблокирована поставщиком с {when}")
        }
    }
}

/// The provider's word, and since when it counts. One that counts only from later is announced: "from".
pub fn state(state: VendorState, since: Option<Timestamp>, now: Timestamp, language: Language) -> String {
    match since {
        Some(at) => dated(state, at > now).fill(language, &[("when", &day_or_instant(at, language))]),
        None => in_force(state).get(language).to_owned(),
    }
}

/// Every text, for the test of the catalogue.
#[cfg(test)]
pub(super) fn all() -> Vec<Text> {
    let states = [
        VendorState::Active,
        VendorState::Paused,
        VendorState::SoftCancelled,
        VendorState::HardCancelled,
        VendorState::Blocked,
    ];
    states.into_iter().flat_map(|s| [in_force(s), dated(s, false), dated(s, true)]).collect()
}
