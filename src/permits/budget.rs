//! A budget: so many a period, such as look-ups a minute or runs a day.
//!
//! Promises: in the long run never more than the rate; the whole rate at once where nothing was spent; a clock that
//! was set back does not close a budget for longer than a period. It is a generic cell rate algorithm: what is spent
//! is one instant, at which the budget would be whole again but for the last period. It knows no clock and no file.

use jiff::{SignedDuration, Timestamp};

/// Takes one out of `rate` a `period` at `now`, where `spent` is what the last one that was allowed gave back, `None`
/// if there was none. Answers what is spent now, to be kept for the next.
///
/// One may come early by an eighth of the period, or by less than the share of one where that is shorter: what runs
/// each day at the same time comes a little earlier on some days. What it comes early counts for the next, so the long
/// run stays exact. The share of one is rounded up to a nanosecond, so that rates above 200,000 a minute allow a
/// little less at once.
///
/// # Errors
/// Where nothing is left: when the next is allowed; the end of time for a rate of 0.
pub fn take(
    spent: Option<Timestamp>,
    rate: u64,
    period: SignedDuration,
    now: Timestamp,
) -> Result<Timestamp, Timestamp> {
    if rate == 0 {
        return Err(Timestamp::MAX);
    }
    let period = period.as_nanos().max(1);
    let share = period.saturating_sub(1).checked_div(i128::from(rate)).unwrap_or(0).saturating_add(1);
    let early = (period / 8).min(share.saturating_sub(1));
    // So far ahead of now may be spent before one more.
    let ahead = period.saturating_sub(share).saturating_add(early);
    let now = now.as_nanosecond();
    let spent = spent.map_or(now, Timestamp::as_nanosecond).max(now);
    // More than this is never spent by this rule: the clock was set back, or the period was longer.
    let most = now.saturating_add(ahead).saturating_add(share);
    let spent = if spent > most { now.saturating_add(ahead) } else { spent };
    if spent.saturating_sub(now) <= ahead {
        Ok(instant(spent.saturating_add(share)))
    } else {
        Err(instant(spent.saturating_sub(ahead)))
    }
}

fn instant(nanoseconds: i128) -> Timestamp {
    Timestamp::from_nanosecond(nanoseconds).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: SignedDuration = SignedDuration::from_hours(24);
    const MINUTE: SignedDuration = SignedDuration::from_mins(1);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// How many are allowed at once.
    fn at_once(mut spent: Option<Timestamp>, rate: u64, period: SignedDuration, now: Timestamp) -> u64 {
        let mut count = 0;
        while let Ok(next) = take(spent, rate, period, now) {
            (spent, count) = (Some(next), count + 1);
        }
        count
    }

    #[test]
    fn a_daily_run_may_come_a_little_earlier_each_day_but_not_more_often() {
        let spent = take(None, 1, DAY, at("2026-01-01T04:00:00Z")).unwrap();
        let early = at("2026-01-02T01:00:00Z");
        assert_eq!(take(Some(spent), 1, DAY, early - SignedDuration::from_secs(1)), Err(early));
        let spent = take(Some(spent), 1, DAY, early).unwrap();
        // What it came early counts for the next.
        assert_eq!(take(Some(spent), 1, DAY, at("2026-01-03T00:59:59Z")), Err(at("2026-01-03T01:00:00Z")));
    }

    #[test]
    fn the_whole_rate_is_there_at_once_and_nothing_above_it() {
        let now = at("2026-01-01T00:00:00Z");
        for rate in [1, 2, 7, 8, 9, 60, 100, 1000, 200_000] {
            assert_eq!(at_once(None, rate, MINUTE, now), rate, "{rate}");
            let long_ago = Some(at("2001-01-01T00:00:00Z"));
            assert_eq!(at_once(long_ago, rate, MINUTE, now), rate, "{rate}");
        }
        for rate in [1, 3, 24, 1000] {
            assert_eq!(at_once(None, rate, DAY, now), rate, "{rate}");
        }
    }

    #[test]
    fn nothing_is_allowed_at_a_rate_of_nothing() {
        let now = at("2026-01-01T00:00:00Z");
        assert_eq!(take(None, 0, MINUTE, now), Err(Timestamp::MAX));
        assert_eq!(take(Some(Timestamp::MIN), 0, MINUTE, now), Err(Timestamp::MAX));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_close_it_for_years() {
        let now = at("2026-01-01T00:00:00Z");
        let spent = take(Some(at("2056-01-01T00:00:00Z")), 1, DAY, now).unwrap();
        assert!(spent <= now + SignedDuration::from_hours(27), "{spent}");
        assert!(take(Some(spent), 1, DAY, now).unwrap_err() <= now + SignedDuration::from_hours(24));
        // And not for more than one.
        assert_eq!(at_once(Some(at("2056-01-01T00:00:00Z")), 5, DAY, now), 1);
    }

    #[test]
    fn the_ends_of_time_and_of_numbers_are_no_trouble() {
        let odd =
            [SignedDuration::MIN, SignedDuration::ZERO, SignedDuration::from_nanos(1), SignedDuration::MAX];
        for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
            for spent in [None, Some(Timestamp::MIN), Some(Timestamp::MAX)] {
                for rate in [0, 1, 2, u64::MAX] {
                    for period in odd {
                        take(spent, rate, period, now).ok();
                    }
                }
            }
        }
    }

    proptest! {
        /// However the asking goes: in no window of time are there more than the rate allows for it, and the burst.
        #[test]
        fn in_the_long_run_there_is_never_more_than_the_rate(
            rate in 1_u64..200,
            minutes in 1_i64..3000,
            waits in proptest::collection::vec((0_i64..400, 1_u32..50), 1..60),
        ) {
            let period = SignedDuration::from_mins(minutes);
            let (mut now, mut spent, mut allowed) = (at("2026-01-01T00:00:00Z"), None, Vec::new());
            for (wait, asks) in waits {
                // In hundredths of a period.
                now += SignedDuration::from_millis(minutes * 600 * wait);
                for _ in 0..asks {
                    match take(spent, rate, period, now) {
                        Ok(next) => {
                            spent = Some(next);
                            allowed.push(now);
                        }
                        Err(next) => {
                            prop_assert!(next > now);
                            prop_assert!(next.duration_since(now) <= period);
                            prop_assert!(take(spent, rate, period, next).is_ok());
                        }
                    }
                }
            }
            for (first, from) in allowed.iter().enumerate() {
                for (last, to) in allowed.iter().enumerate().skip(first) {
                    let count = (last - first + 1) as f64;
                    let periods = to.duration_since(*from).as_secs_f64() / period.as_secs_f64();
                    let most = rate as f64 * (periods + 1.0);
                    // An eighth of a period early is one more at most, and only for rates below 8.
                    prop_assert!(count <= most + 1.0, "{} in {} periods of {}", count, periods, rate);
                }
            }
        }

        /// A caller who asks as soon as it is allowed gets the rate.
        #[test]
        fn a_client_that_waits_as_asked_gets_the_rate(rate in 1_u64..50, periods in 1_u64..20) {
            let start = at("2026-01-01T00:00:00Z");
            let (mut now, mut spent, mut count) = (start, None, 0_u64);
            while now.duration_since(start) < SignedDuration::from_mins(i64::try_from(periods).unwrap()) {
                match take(spent, rate, MINUTE, now) {
                    Ok(next) => (spent, count) = (Some(next), count + 1),
                    Err(next) => now = next,
                }
            }
            prop_assert!((rate * periods..=rate * (periods + 1) + 1).contains(&count), "{}", count);
        }
    }
}
