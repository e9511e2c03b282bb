//! What can be typed, and what it means in the library's words.

use crate::subscription::{
    AfterGrace, Allowance, Channel, KeyId, Licence, Order, Subscription, Term, Terms, VendorState, Version,
    add_days,
};
use crate::vendor::{Contact, IssueOrder, Parameters, Renewal, Until, VendorError};
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use std::path::PathBuf;

/// Issues signed subscription documents and publishes them as static files.
#[derive(Debug, Parser)]
#[command(
    name = "svm-vendor",
    version,
    after_help = "Exit codes: 0 done, 1 refused or failed, 2 wrong usage."
)]
pub(super) struct Cli {
    /// The ledger folder: provider.toml, trust.d/, keys/
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    pub(super) ledger: PathBuf,
    /// The private key that signs [default: ~/.config/svm-vendor/ISS.pem]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) signing_key: Option<PathBuf>,
    /// Print facts and errors as JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a signing key, and the ledger where there is none; or register a key that is there
    Keygen(Keygen),
    /// Issue a key and print its activation code, once
    Issue(Box<Issue>),
    /// Move the end date or the paid date of a subscription
    Renew(Renew),
    /// Interrupt a subscription; its grace begins
    Pause(Which),
    /// Take back a pause, a cancellation or a block
    Resume(Which),
    /// Cancel a subscription: at the end of its term, or at once
    Cancel(CancelArgs),
    /// Withdraw a key at once, without grace
    Block(Which),
    /// Change the devices, the grace or another parameter of a key
    Change(ChangeArgs),
    /// Write what changed below DIR, for any web server to serve
    Publish {
        /// The root of the published files
        dir: PathBuf,
    },
    /// Verify a document and print what it says
    Inspect {
        /// A document, such as a published .jws file
        file: PathBuf,
        /// The trusted signers [default: trust.d of the ledger]
        #[arg(long, value_name = "DIR")]
        trust: Option<PathBuf>,
    },
    /// List the keys of the ledger
    List,
}

#[derive(Debug, Args)]
pub(super) struct Keygen {
    /// Who issues, best your domain: provider.example. Needed for a new ledger
    #[arg(long)]
    pub(super) iss: Option<String>,
    /// Your company's name, for people
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Where you help your customers
    #[arg(long, value_name = "URL")]
    pub(super) support_url: Option<String>,
    /// Your telephone number
    #[arg(long)]
    pub(super) phone: Option<String>,
    /// Where your customers renew
    #[arg(long, value_name = "URL")]
    pub(super) renewal_url: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// The key's id, or its activation code (other users of this machine see a code that is typed here)
    #[arg(value_name = "KEY|CODE")]
    pub(super) key: String,
}

#[derive(Debug, Args)]
pub(super) struct CancelArgs {
    #[command(flatten)]
    pub(super) which: Which,
    /// At once and without grace, instead of at the end of the term
    #[arg(long)]
    pub(super) now: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Kind {
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

#[derive(Debug, Args)]
pub(super) struct Issue {
    /// The key's id [default: one is made]
    #[arg(long, value_name = "ID", value_parser = key_id)]
    key_id: Option<KeyId>,
    /// What kind of key
    #[arg(long, value_enum, default_value = "subscription")]
    kind: Kind,
    /// The end date: 2027-01-01 (midnight UTC) or 2027-01-01T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant, conflicts_with_all = ["days", "unlimited"])]
    ends_at: Option<Timestamp>,
    /// Ends so many days from now
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=36500), conflicts_with = "unlimited")]
    days: Option<u64>,
    /// Without an end date: runs while it is paid for
    #[arg(long)]
    unlimited: bool,
    /// Until when an unlimited subscription is paid
    #[arg(long, value_name = "TIME", value_parser = instant, requires = "unlimited")]
    paid_until: Option<Timestamp>,
    /// Unlimited without a paid date: nothing ends it but a revision that reaches the SVM
    #[arg(long, requires = "unlimited", conflicts_with = "paid_until")]
    open_ended: bool,
    /// Days of grace after the end, the pause or the unpaid date [default: 0]
    #[arg(long, value_name = "N")]
    grace_days: Option<u64>,
    /// You renew it without being asked
    #[arg(long)]
    auto_renew: bool,
    #[command(flatten)]
    after_grace: AfterGraceArgs,
    /// How many devices it protects [default: without limit]
    #[arg(long, value_name = "N")]
    devices: Option<u64>,
    /// The lowest version of the product that it activates
    #[arg(long, value_name = "VERSION")]
    min_product_version: Option<Version>,
    /// The customer's order number
    #[arg(long, value_name = "NUMBER")]
    order_number: Option<String>,
    /// Through which channel it was ordered
    #[arg(long, value_enum)]
    channel: Option<ChannelArg>,
    /// The day of the order: 2026-12-31
    #[arg(long, value_name = "DATE")]
    placed_on: Option<Date>,
    /// Days after each signing for which your word is fresh [default for unlimited: 30 after the paid date]
    #[arg(long, value_name = "DAYS")]
    fresh_for: Option<u64>,
    /// Days of a commercial key, from its first use
    #[arg(long, value_name = "N")]
    period_days: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct AfterGraceArgs {
    /// Database updates a day that stay after the grace [default: none]
    #[arg(long, value_name = "N")]
    after_grace_updates: Option<u64>,
    /// KSN look-ups a minute that stay after the grace [default: none]
    #[arg(long, value_name = "N")]
    after_grace_ksn: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct Renew {
    #[command(flatten)]
    pub(super) which: Which,
    /// The new end date of a limited subscription
    #[arg(long, value_name = "TIME", value_parser = instant, group = "until")]
    ends_at: Option<Timestamp>,
    /// The new paid date of an unlimited subscription
    #[arg(long, value_name = "TIME", value_parser = instant, group = "until")]
    paid_until: Option<Timestamp>,
    /// So many days more, from the date held, or from now where it has passed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=36500), group = "until")]
    days: Option<u64>,
    /// Take an earlier date too, to put a wrong one right
    #[arg(long)]
    earlier: bool,
}

#[derive(Debug, Args)]
pub(super) struct ChangeArgs {
    #[command(flatten)]
    pub(super) which: Which,
    /// How many devices it protects
    #[arg(long, value_name = "N")]
    devices: Option<u64>,
    /// Without a limit on devices
    #[arg(long, conflicts_with = "devices")]
    any_devices: bool,
    /// Days of grace
    #[arg(long, value_name = "N")]
    grace_days: Option<u64>,
    /// Whether you renew it without being asked
    #[arg(long, value_name = "true|false")]
    auto_renew: Option<bool>,
    #[command(flatten)]
    after_grace: AfterGraceArgs,
    /// Nothing stays after the grace
    #[arg(long, conflicts_with_all = ["after_grace_updates", "after_grace_ksn"])]
    after_grace_stop: bool,
    /// The lowest version of the product that it activates
    #[arg(long, value_name = "VERSION")]
    min_product_version: Option<Version>,
}

fn key_id(text: &str) -> Result<KeyId, String> {
    KeyId::try_from(text.to_owned())
}

/// A time as RFC 3339 has it, or a date, which is its midnight in UTC.
fn instant(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let midnight = text.parse::<Date>().ok().filter(|_| text.len() == 10);
    midnight
        .and_then(|date| date.to_zoned(TimeZone::UTC).ok())
        .map(|at| at.timestamp())
        .ok_or_else(|| "a time is 2027-01-01 (midnight UTC) or 2027-01-01T12:00:00Z".to_owned())
}

fn usage<T>(message: &str) -> Result<T, VendorError> {
    Err(VendorError::Usage(message.to_owned()))
}

impl Keygen {
    pub(super) fn contact(&self) -> Contact {
        Contact {
            name: self.name.clone(),
            support_url: self.support_url.clone(),
            phone: self.phone.clone(),
            renewal_url: self.renewal_url.clone(),
        }
    }
}

impl AfterGraceArgs {
    fn allowances(&self) -> Option<AfterGrace> {
        let rate = |n: Option<u64>| n.map_or(Allowance::Stop, Allowance::Rate);
        (self.after_grace_updates.is_some() || self.after_grace_ksn.is_some()).then(|| AfterGrace {
            database_updates: rate(self.after_grace_updates),
            ksn: rate(self.after_grace_ksn),
        })
    }
}

impl Issue {
    /// The order, where everything goes together.
    pub(super) fn order(&self, now: Timestamp) -> Result<IssueOrder, VendorError> {
        let terms = match self.kind {
            Kind::Subscription => Terms::Subscription(self.subscription(now)?),
            Kind::Commercial => Terms::Licence(self.licence()?),
        };
        Ok(IssueOrder {
            key_id: self.key_id.clone(),
            code: None,
            terms,
            devices: self.devices,
            min_product_version: self.min_product_version.clone(),
            fresh_for_days: self.fresh_for,
        })
    }

    /// Warnings about an order that is taken all the same.
    pub(super) fn warnings(&self) -> Vec<String> {
        let open_ended =
            "open-ended: an SVM that is cut off from you runs on for ever; --paid-until bounds that";
        if self.open_ended { vec![open_ended.to_owned()] } else { Vec::new() }
    }

    fn subscription(&self, now: Timestamp) -> Result<Subscription, VendorError> {
        if self.period_days.is_some() {
            return usage(
                "--period-days is for --kind commercial; a subscription has --ends-at, --days or --unlimited",
            );
        }
        let term = match (self.ends_at, self.days, self.unlimited) {
            (Some(ends_at), ..) => Term::Limited { ends_at },
            (None, Some(days), _) => Term::Limited { ends_at: add_days(now, days) },
            (None, None, true) if self.paid_until.is_some() || self.open_ended => {
                Term::Unlimited { paid_until: self.paid_until }
            }
            (None, None, true) => {
                return usage(
                    "an unlimited subscription needs --paid-until, or an SVM that is cut off from you runs on for ever; --open-ended where that is meant",
                );
            }
            (None, None, false) => return usage("say how long it runs: --ends-at, --days or --unlimited"),
        };
        let channel = self.channel.map(|channel| match channel {
            ChannelArg::Website => Channel::Website,
            ChannelArg::Portal => Channel::Portal,
            ChannelArg::Isp => Channel::Isp,
            ChannelArg::Partner => Channel::Partner,
            ChannelArg::Corporate => Channel::Corporate,
        });
        let order = Order { number: self.order_number.clone(), channel, placed_on: self.placed_on };
        let some = order.number.is_some() || order.channel.is_some() || order.placed_on.is_some();
        Ok(Subscription {
            state: VendorState::Active,
            state_since: None,
            term,
            grace_days: self.grace_days.unwrap_or(0),
            auto_renew: self.auto_renew,
            after_grace: self.after_grace.allowances().unwrap_or_default(),
            order: some.then_some(order),
        })
    }

    fn licence(&self) -> Result<Licence, VendorError> {
        let term = self.ends_at.is_some() || self.days.is_some() || self.unlimited;
        let grace = self.grace_days.is_some() || self.auto_renew || self.after_grace.allowances().is_some();
        let order = self.order_number.is_some() || self.channel.is_some() || self.placed_on.is_some();
        if term || grace || order {
            return usage("a commercial key has --period-days, and no end date, grace, renewal or order");
        }
        match self.period_days {
            Some(period_days) => Ok(Licence { period_days, blocked_since: None }),
            None => usage("a commercial key needs --period-days"),
        }
    }
}

impl Renew {
    pub(super) fn renewal(&self) -> Renewal {
        let until = match (self.ends_at, self.paid_until, self.days) {
            (Some(at), ..) => Until::EndsAt(at),
            (None, Some(at), _) => Until::PaidUntil(at),
            (None, None, Some(days)) => Until::Days(days),
            (None, None, None) => Until::OpenEnded,
        };
        Renewal { until, earlier: self.earlier }
    }
}

impl ChangeArgs {
    pub(super) fn parameters(&self) -> Result<Parameters, VendorError> {
        let stop = self.after_grace_stop.then(AfterGrace::default);
        let parameters = Parameters {
            devices: if self.any_devices { Some(None) } else { self.devices.map(Some) },
            grace_days: self.grace_days,
            auto_renew: self.auto_renew,
            after_grace: self.after_grace.allowances().or(stop),
            min_product_version: self.min_product_version.clone(),
        };
        if parameters == Parameters::default() {
            return usage("say what to change, such as --devices 50; `svm-vendor change --help` lists it");
        }
        Ok(parameters)
    }
}
