//! stub
use crate::subscription::Resource;
use jiff::{SignedDuration, Timestamp};

/// The span in which a trickle of `rate` is granted: a day of runs, a minute of look-ups.
pub fn period(resource: Resource) -> SignedDuration {
    match resource {
        Resource::DatabaseUpdates => SignedDuration::from_hours(24),
        Resource::Ksn => SignedDuration::from_mins(1),
    }
}

/// stub
pub fn take(
    spent: Option<Timestamp>,
    rate: u64,
    period: SignedDuration,
    now: Timestamp,
) -> Result<Timestamp, Timestamp> {
    let _ = (spent, rate, period);
    Ok(now)
}
