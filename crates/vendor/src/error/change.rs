//! Changes that the present state of a key does not allow.

use jiff::Timestamp;
use svm_core::subscription::VendorState;

/// Why a key cannot be changed like this. Each message names the state and the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    #[error("the key is already {}; nothing was changed", words(*state))]
    Already { state: VendorState },
    #[error("the key is active, so there is nothing to resume")]
    NothingToResume,
    #[error("the key already has these values; nothing was changed")]
    NothingNew,
    #[error(
        "a commercial key runs for its period from its first use: it can only be blocked and resumed; to renew, issue \
         another key"
    )]
    Commercial,
    #[error(
        "a commercial key has no grace and no renewal: only --devices and --min-product-version can be changed"
    )]
    CommercialTerms,
    #[error("the subscription is {}: resume it first, or issue another key", words(*state))]
    RenewEnded { state: VendorState },
    #[error("the subscription is {}, which is stricter than {}: resume it first", words(*state), words(*wanted))]
    Stricter { state: VendorState, wanted: VendorState },
    #[error(
        "the subscription is paused, and cancelling it at the end of its term would let it run again: resume it first, or \
         cancel it at once with --now"
    )]
    CancelPaused,
    #[error(
        "an unlimited subscription has no end of its term: cancel it at once with --now, or do not renew it after its paid \
         date"
    )]
    CancelUnlimited,
    #[error(
        "the subscription has an end date and no paid date: renew it with --ends-at or --days, not --paid-until"
    )]
    HasEnd,
    #[error("the subscription has an end date: say until when to renew it, with --ends-at or --days")]
    NeedsEnd,
    #[error(
        "the subscription is unlimited and has no end date: renew it with --paid-until or --days, not --ends-at"
    )]
    HasNoEnd,
    #[error("the subscription is prepaid: say until when it is paid, with --paid-until or --days")]
    NeedsPaid,
    #[error(
        "the new date {new} is not later than {held}, the present one: to correct a wrong date, add --earlier"
    )]
    NotLater { new: Timestamp, held: Timestamp },
}

fn words(state: VendorState) -> &'static str {
    match state {
        VendorState::Active => "active",
        VendorState::Paused => "paused",
        VendorState::SoftCancelled => "cancelled at the end of its term",
        VendorState::HardCancelled => "cancelled",
        VendorState::Blocked => "blocked",
    }
}
