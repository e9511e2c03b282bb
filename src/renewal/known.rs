//! What is known of the order and the key before the answer.

use super::order_number::OrderNumber;
use jiff::civil::Date;
use svm_core::subscription::{Channel, Situation, Vendor};

/// What the answer goes by.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The number of the order.
    pub number: Option<OrderNumber>,
    /// Where it was bought.
    pub channel: Option<Channel>,
    /// When.
    pub placed_on: Option<Date>,
    /// The key that it is about.
    pub key: Option<KnownKey>,
    /// Whether this SVM has a key that belongs to another order.
    pub another_order: bool,
}

/// What of the active key matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// Its name.
    pub key: String,
    /// Where its subscription stands.
    pub situation: Situation,
    /// Who sells it.
    pub vendor: Option<Vendor>,
}
