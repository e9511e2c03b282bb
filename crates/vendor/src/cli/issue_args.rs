//! What `issue` can be told, and the order it makes.

use super::values::{AfterGraceArgs, ChannelArg, Dry, KindArg, date, instant, key_id, usage};
use crate::{IssueOrder, VendorError};
use clap::Args;
use jiff::{Timestamp, civil::Date};
use std::path::PathBuf;
use svm_core::subscription::{
    Channel, KeyId, Licence, Order, Subscription, Term, Terms, VendorState, Version, add_days,
};

#[derive(Args)]
pub(super) struct Issue {
    /// The key's id [default: one is made]
    #[arg(long, value_name = "ID", value_parser = key_id, conflicts_with = "count")]
    key_id: Option<KeyId>,
    /// What kind of key
    #[arg(long, value_enum, default_value = "subscription")]
    kind: KindArg,
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
    #[arg(long, value_name = "DATE", value_parser = date)]
    placed_on: Option<Date>,
    /// Days after each signing for which your word is fresh [default for unlimited: 30 after the paid date]
    #[arg(long, value_name = "DAYS")]
    fresh_for: Option<u64>,
    /// Days of a commercial key, from its first use
    #[arg(long, value_name = "N")]
    period_days: Option<u64>,
    /// So many keys alike, each with an id and a code of its own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) count: Option<u32>,
    /// Write the codes to a new file (mode 0600), a line each with the key's id, instead of printing them
    #[arg(long, value_name = "FILE")]
    pub(super) codes_to: Option<PathBuf>,
    #[command(flatten)]
    pub(super) dry: Dry,
}

impl Issue {
    /// The order, where everything goes together.
    pub(super) fn order(&self, now: Timestamp) -> Result<IssueOrder, VendorError> {
        let terms = match self.kind {
            KindArg::Subscription => Terms::Subscription(self.subscription(now)?),
            KindArg::Commercial => Terms::Licence(self.licence()?),
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
        let channel = self.channel.map(Channel::from);
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
