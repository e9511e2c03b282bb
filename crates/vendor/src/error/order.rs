//! Values that are not signed, although a reader would take them: each with its field, its value and what is expected.

use jiff::{Timestamp, civil::Date};
use svm_core::subscription::VendorState;

/// The most days of grace, of freshness and of a commercial key's period.
pub const MAX_DAYS: u64 = 3650;
/// The most devices of one key; a key without a limit names none.
pub const MAX_DEVICES: u64 = 1_000_000;
/// How far ahead an end date or a paid date may lie, in days: a hundred years.
pub(crate) const MAX_AHEAD_DAYS: u64 = 36_500;
/// An order is not older than this.
pub(crate) const FIRST_ORDER: Date = jiff::civil::date(1990, 1, 1);
/// The most characters of a reason, and of each field of [`crate::Contact`].
pub(crate) const MAX_TEXT: usize = 200;

/// Why an order or a change is refused for a value in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// `field` is the option of the command line, as in all messages here.
    #[error("{field} must be {least} to {MAX_DAYS} days, not {days}")]
    Days { field: &'static str, days: u64, least: u64 },
    #[error(
        "--devices must be 1 to {MAX_DEVICES}, not {devices}; for no limit issue the key without --devices, or change it \
         with --any-devices"
    )]
    Devices { devices: u64 },
    #[error(
        "the document would be out of date at {until}, before it is signed at {signed_at}: correct --fresh-for or the \
         clock of this machine"
    )]
    Stale { until: Timestamp, signed_at: Timestamp },
    #[error(
        "{field} must be at most {MAX_AHEAD_DAYS} days ahead, not {date}; for a subscription without such a date use \
         {instead}"
    )]
    TooFarAhead { field: &'static str, date: Timestamp, instead: &'static str },
    #[error("{field} must be 1 to {most}, not {rate}; a higher rate would restrict nothing")]
    Rate { field: &'static str, rate: u64, most: u64 },
    #[error("a new subscription starts active, not {}: issue it first, then pause, cancel or block it", state.as_str())]
    NotActive { state: VendorState },
    #[error("{field} has passed: it is {date}, and now it is {now}; give a later date")]
    Passed { field: &'static str, date: Timestamp, now: Timestamp },
    #[error(
        "the new date {date} has passed, now it is {now}; to end a subscription, use `svm-vendor cancel`"
    )]
    RenewalPassed { date: Timestamp, now: Timestamp },
    #[error("--order-number is empty: give the number, or leave it out")]
    NoOrderNumber,
    #[error("--placed-on must be between {FIRST_ORDER} and {latest}, not {day}: correct it, or leave it out")]
    OrderDay { day: Date, latest: Date },
    #[error(
        "--why must be one line of 1 to {MAX_TEXT} characters without control or invisible characters; this has {found} \
         characters{}", if *hidden { ", and one of them is a control or invisible character" } else { "" }
    )]
    Reason { found: usize, hidden: bool },
    #[error("the order is for no key: order 1 or more")]
    NoKey,
    #[error("one key id or activation code is for one key: leave it out to issue many keys")]
    NotForMany,
    #[error("the key id has the form of an activation code: choose another, or leave --key-id out")]
    KeyIdIsCode,
    #[error(
        "a key id is 1 to 128 printable ASCII characters without spaces: choose another, or leave --key-id out"
    )]
    KeyId,
    #[error(transparent)]
    Contact(#[from] ContactError),
}

/// What is wrong with a field of [`crate::Contact`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {problem}")]
pub struct ContactError {
    /// `name`, `support_url`, `phone` or `renewal_url`, as in `provider.toml`.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: ContactProblem,
}

/// Why a text cannot stand in documents.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContactProblem {
    /// It would steer a terminal or hide from a reader.
    #[error("holds control or invisible characters: write one line of plain text")]
    Hidden,
    /// Too short or too long, in characters.
    #[error("must be 1 to {MAX_TEXT} characters, not {0}: shorten it or leave it out")]
    Length(usize),
    /// Not the URL of a page.
    #[error(
        "must be a web address such as https://provider.example/help (write a host with letters other than a-z in its \
         xn-- form)"
    )]
    Address,
}
