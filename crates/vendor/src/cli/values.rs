//! The arguments that several commands take, and what is typed for them.

use crate::{KeyRef, UsageError};
use clap::{Args, ValueEnum};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use svm_core::subscription::{AfterGrace, Allowance, Channel, KeyId, KeyKind, read_instant};

#[derive(Clone, Copy, Args)]
pub(super) struct Dry {
    /// Check everything and print the result, but write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Args)]
pub(super) struct AfterGraceArgs {
    /// Database updates a day after the grace period [default: none]
    #[arg(long, value_name = "N")]
    after_grace_updates: Option<u64>,
    /// KSN look-ups a minute after the grace period [default: none]
    #[arg(long, value_name = "N")]
    after_grace_ksn: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum KindArg {
    Subscription,
    Commercial,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ChannelArg {
    Website,
    Portal,
    Isp,
    Partner,
    Corporate,
}

impl AfterGraceArgs {
    pub(super) fn allowances(&self) -> Option<AfterGrace> {
        let rate = |n: Option<u64>| n.map_or(Allowance::Stop, Allowance::Rate);
        (self.after_grace_updates.is_some() || self.after_grace_ksn.is_some()).then(|| AfterGrace {
            database_updates: rate(self.after_grace_updates),
            ksn: rate(self.after_grace_ksn),
        })
    }
}

impl From<KindArg> for KeyKind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Subscription => Self::Subscription,
            KindArg::Commercial => Self::Commercial,
        }
    }
}

impl From<ChannelArg> for Channel {
    fn from(channel: ChannelArg) -> Self {
        match channel {
            ChannelArg::Website => Self::Website,
            ChannelArg::Portal => Self::Portal,
            ChannelArg::Isp => Self::Isp,
            ChannelArg::Partner => Self::Partner,
            ChannelArg::Corporate => Self::Corporate,
        }
    }
}

/// An id of a new key: one that later commands take for it, and for nothing else.
pub(super) fn key_id(text: &str) -> Result<KeyId, String> {
    let id = KeyId::try_from(text.to_owned())
        .map_err(|_| "is not 1 to 128 printable ASCII characters without spaces".to_owned())?;
    let read = KeyRef::parse(text);
    match read {
        Ok(KeyRef::Id(read)) if read == id && text != "-" => Ok(id),
        _ => Err(UsageError::AmbiguousId.to_string()),
    }
}

/// A time as RFC 3339 has it, or a date, which is its midnight in UTC.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    let midnight = || date(text).ok()?.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp());
    match read_instant(text) {
        Ok(at) => Ok(at),
        Err(_) => midnight().ok_or_else(|| {
            "is not a time such as 2027-01-01 (midnight UTC) or 2027-01-01T12:00:00Z".to_owned()
        }),
    }
}

/// A date with four digits of the year, two of the month and two of the day.
pub(super) fn date(text: &str) -> Result<Date, String> {
    let is_date = text.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let date = text.parse::<Date>().ok().filter(|_| is_date && text.len() == 10);
    date.ok_or_else(|| "is not a date such as 2026-12-31".to_owned())
}
