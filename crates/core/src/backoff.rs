//! Waits between attempts at something that fails: each twice the one before, up to a longest.
//!
//! A wait that many machines share is a random part of the span ([`Backoff::jittered`]), so that they do not come back
//! together after an outage. One inside a machine is the span itself ([`Backoff::span`]).

use std::time::Duration;

/// The waits after failures in a row. As a `const` a wrong one does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Begins with `first`, which is not 0, and doubles up to `longest`, which is not less.
    ///
    /// # Panics
    /// Where it is not so: at compile time, since each is a constant.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        assert!(!first.is_zero(), "a wait of nothing never grows");
        assert!(first.as_nanos() <= longest.as_nanos(), "the first wait is longer than the longest");
        Self { first, longest }
    }

    /// The span after a failure that came after `earlier` others in a row.
    pub fn span(self, earlier: u32) -> Duration {
        let times = 1_u32.checked_shl(earlier).unwrap_or(u32::MAX);
        self.first.saturating_mul(times).min(self.longest)
    }

    /// A random part of [`Backoff::span`]: anything from nothing to all of it.
    pub fn jittered(self, earlier: u32) -> Duration {
        jitter(self.span(earlier))
    }
}

/// A random part of a span: anything from nothing to all of it.
pub fn jitter(span: Duration) -> Duration {
    use ring::rand::SecureRandom;
    let mut bytes = [0; 4];
    // Without randomness there is no jitter, and nothing else is lost.
    ring::rand::SystemRandom::new().fill(&mut bytes).ok();
    span.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));

    #[test]
    fn waits_double_up_to_the_longest() {
        let seconds = |earlier| WAITS.span(earlier).as_secs();
        assert_eq!([0, 1, 4, 5, 31, 32, u32::MAX].map(seconds), [1, 2, 16, 30, 30, 30, 30]);
    }

    #[test]
    fn a_jittered_wait_is_no_longer_than_its_span_and_differs() {
        let waits: std::collections::BTreeSet<_> = (0..20).map(|_| WAITS.jittered(3)).collect();
        assert!(waits.len() > 10 && waits.iter().all(|wait| *wait <= WAITS.span(3)));
    }
}
