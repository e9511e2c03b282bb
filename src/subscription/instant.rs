//! Days on the time line: "N days" is N × 86,400 s, and sums stop at the ends of the representable time.

use jiff::{SignedDuration, Timestamp};

/// The seconds of a day. Leap seconds and time zones play no part in a term.
pub const DAY_SECONDS: i64 = 86_400;

fn days(count: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(DAY_SECONDS))
}

/// `at` plus `count` days, at most the last representable instant.
pub fn add_days(at: Timestamp, count: u64) -> Timestamp {
    at.checked_add(days(count)).unwrap_or(Timestamp::MAX)
}

/// `at` minus `count` days, at least the first representable instant.
pub fn sub_days(at: Timestamp, count: u64) -> Timestamp {
    at.checked_sub(days(count)).unwrap_or(Timestamp::MIN)
}

/// Whole days from `now` to `deadline`, rounded up; 0 where it has passed.
pub fn days_left(now: Timestamp, deadline: Timestamp) -> u64 {
    let left = deadline.duration_since(now);
    if left <= SignedDuration::ZERO {
        return 0;
    }
    let whole = left.as_secs() / DAY_SECONDS;
    let rest = left.as_secs() % DAY_SECONDS != 0 || left.subsec_nanos() != 0;
    u64::try_from(whole).unwrap_or(0) + u64::from(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_rounded_up_and_never_overflow() {
        let end: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(days_left(sub_days(end, 30), end), 30);
        assert_eq!(days_left(end, end), 0);
        assert_eq!(days_left("2026-03-01T11:59:59.999Z".parse().unwrap(), end), 1);
        assert_eq!(add_days(end, u64::MAX), Timestamp::MAX);
        assert_eq!(sub_days(end, u64::MAX), Timestamp::MIN);
        assert!(days_left(Timestamp::MIN, Timestamp::MAX) > 7_000_000);
    }
}
