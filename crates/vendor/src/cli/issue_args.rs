//! The options of `issue`, and the order that they make.

use super::values::{AfterGraceArgs, ChannelArg, Dry, KindArg, date, instant, key_id};
use crate::{IssueOrder, UsageError, VendorError};
use clap::Args;
use jiff::{Timestamp, civil::Date};
use std::path::PathBuf;
use svm_core::command_line::whole;
use svm_core::subscription::{
    Channel, KeyId, Licence, Order, Subscription, Term, Terms, VendorState, Version, add_days,
};

#[derive(Args)]
pub(super) struct Issue {
    /// Id of the key [default: a random one]
    #[arg(long, value_name = "ID", value_parser = key_id, conflicts_with = "count")]
    key_id: Option<KeyId>,
    /// Kind of the key
    #[arg(long, value_enum, default_value = "subscription")]
    kind: KindArg,
    /// End date: 2027-01-01 (midnight UTC) or 2027-01-01T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant, conflicts_with_all = ["days", "unlimited"])]
    ends_at: Option<Timestamp>,
    /// End that many days from now
    #[arg(long, value_name = "N", value_parser = whole::<u64>(1..=36500), conflicts_with = "unlimited")]
    days: Option<u64>,
    /// No end date: the subscription runs as long as it is paid
    #[arg(long)]
    unlimited: bool,
    /// Date until which an unlimited subscription is paid
    #[arg(long, value_name = "TIME", value_parser = instant, requires = "unlimited")]
    paid_until: Option<Timestamp>,
    /// No paid date: only a later change that reaches the SVM ends it
    #[arg(long, requires = "unlimited", conflicts_with = "paid_until")]
    open_ended: bool,
    /// Length of the grace period in days [default: 0]
    #[arg(long, value_name = "N")]
    grace_days: Option<u64>,
    /// You renew the subscription automatically
    #[arg(long)]
    auto_renew: bool,
    #[command(flatten)]
    after_grace: AfterGraceArgs,
    /// Number of devices that the key protects [default: no limit]
    #[arg(long, value_name = "N")]
    devices: Option<u64>,
    /// Lowest version of the product that the key activates
    #[arg(long, value_name = "VERSION")]
    min_product_version: Option<Version>,
    /// Order number of the customer
    #[arg(long, value_name = "NUMBER")]
    order_number: Option<String>,
    /// Channel of the order
    #[arg(long, value_enum)]
    channel: Option<ChannelArg>,
    /// Day of the order: 2026-12-31
    #[arg(long, value_name = "DATE", value_parser = date)]
    placed_on: Option<Date>,
    /// Days after each signing until an SVM warns that it has no newer document [default: never;
    /// unlimited subscriptions: 30 days after the paid date]
    #[arg(long, value_name = "DAYS")]
    fresh_for: Option<u64>,
    /// Period of a commercial key in days, from its first use
    #[arg(long, value_name = "N")]
    period_days: Option<u64>,
    /// Number of keys to issue, each with its own id and code
    #[arg(long, value_name = "N", value_parser = whole::<u32>(1..=1_000_000))]
    pub(super) count: Option<u32>,
    /// Write codes and key ids to a new file (mode 0600), one a line
    #[arg(long, value_name = "FILE")]
    pub(super) codes_to: Option<PathBuf>,
    #[command(flatten)]
    pub(super) dry: Dry,
}

impl Issue {
    /// The order.
    ///
    /// # Errors
    /// Options that do not go together.
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
            return Err(UsageError::PeriodOfSubscription.into());
        }
        let term = match (self.ends_at, self.days, self.unlimited) {
            (Some(ends_at), ..) => Term::Limited { ends_at },
            (None, Some(days), _) => Term::Limited { ends_at: add_days(now, days) },
            (None, None, true) if self.paid_until.is_some() || self.open_ended => {
                Term::Unlimited { paid_until: self.paid_until }
            }
            (None, None, true) => return Err(UsageError::Unpaid.into()),
            (None, None, false) => return Err(UsageError::NoTerm.into()),
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
            return Err(UsageError::TermOfCommercial.into());
        }
        match self.period_days {
            Some(period_days) => Ok(Licence { period_days, blocked_since: None }),
            None => Err(UsageError::NoPeriod.into()),
        }
    }
}
