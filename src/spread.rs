//! Regular work at a phase of the SVM's own, so that thousands of SVMs do not do it at the same moment.

use jiff::{SignedDuration, Timestamp};

/// The SVM's place in an interval, 0 to 1, from its id.
pub fn spread_of(id: &str) -> f64 {
    let digest = ring::digest::digest(&ring::digest::SHA256, id.as_bytes());
    let first = digest.as_ref().iter().take(4).fold(0_u32, |n, byte| (n << 8) | u32::from(*byte));
    f64::from(first) / f64::from(u32::MAX)
}

/// The `share` of a span, 0 to 1.
pub fn part(span: SignedDuration, share: f64) -> SignedDuration {
    SignedDuration::from_secs_f64(span.as_secs_f64() * share)
}

/// The first instant after `last` on the grid of `interval` that this SVM keeps to.
pub fn next_on_grid(last: Timestamp, interval: SignedDuration, spread: f64) -> Timestamp {
    let width = interval.as_secs().max(1);
    let offset = part(interval, spread).as_secs().min(width - 1);
    let cell = (last.as_second() - offset).div_euclid(width) + 1;
    Timestamp::from_second(cell * width + offset).unwrap_or(Timestamp::MAX)
}
