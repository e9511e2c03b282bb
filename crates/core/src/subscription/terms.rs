//! What a key allows, and what its vendor states of it: state, term, grace, order, and whom to turn to.

use crate::subscription::instant;
use crate::subscription::permit::{Allowance, Resource};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

/// The vendor's word about a key, in force from `state_since` on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VendorState {
    #[default]
    Active,
    /// Interrupted; grace counts from here.
    Paused,
    /// Not renewed any more; usable to the end of the term.
    SoftCancelled,
    /// Over at once, without grace.
    HardCancelled,
    /// Withdrawn, without grace.
    Blocked,
}

impl VendorState {
    /// The word used in documents and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::SoftCancelled => "soft_cancelled",
            Self::HardCancelled => "hard_cancelled",
            Self::Blocked => "blocked",
        }
    }
}

/// How long a subscription runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// To an end date, at which it is over.
    Limited {
        /// The first instant after the term.
        ends_at: Timestamp,
    },
    /// For as long as the vendor was prepaid.
    Unlimited {
        /// The first instant that is not paid; `None` runs on.
        paid_until: Option<Timestamp>,
    },
}

/// What is left of each resource once the grace period has lapsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AfterGrace {
    /// Runs of the database update per day.
    pub database_updates: Allowance,
    /// KSN look-ups per minute.
    pub ksn: Allowance,
}

impl AfterGrace {
    /// The allowance of one resource.
    pub fn of(&self, resource: Resource) -> Allowance {
        match resource {
            Resource::DatabaseUpdates => self.database_updates,
            Resource::Ksn => self.ksn,
        }
    }
}

/// Through which channel the subscription was bought: it decides where to cancel it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The manufacturer's website and the sellers behind it.
    Website,
    /// The customer's account in the manufacturer's portal.
    Portal,
    Isp,
    /// A partner company, such as a telephone operator.
    Partner,
    /// A vendor of corporate subscriptions.
    Corporate,
}

impl Channel {
    /// The word used in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Website => "website",
            Self::Portal => "portal",
            Self::Isp => "isp",
            Self::Partner => "partner",
            Self::Corporate => "corporate",
        }
    }
}

/// The order behind a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// As the seller wrote it; up to 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Where it was bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// The day of the order.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "instant::deserialize_day")]
    pub placed_on: Option<Date>,
}

/// A subscription as its provider states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    pub state: VendorState,
    /// From when it counts; before that the key is as if active.
    pub state_since: Option<Timestamp>,
    /// How long it runs.
    pub term: Term,
    /// Days of grace after the end, the pause or the unpaid date; 0 means none.
    pub grace_days: u64,
    /// Whether the seller renews it without being asked.
    pub auto_renew: bool,
    /// What the vendor leaves after the grace.
    pub after_grace: AfterGrace,
    /// The order behind it.
    pub order: Option<Order>,
}

/// A commercial key as its vendor states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Licence {
    /// Days of use from its first activation on this SVM; 1 or more.
    pub period_days: u64,
    /// From when the vendor withdrew it.
    pub blocked_since: Option<Timestamp>,
}

/// What a key allows, by its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terms {
    /// Of a subscription key.
    Subscription(Subscription),
    /// Of a commercial key.
    Licence(Licence),
}

/// Who sells the key, for people who have to turn to them. Each text is up to 200 characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Vendor {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// URL of a page for customers with a problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub support_url: Option<String>,
    /// Telephone number, as people dial it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// URL of a page on which the key is renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewal_url: Option<String>,
}
