//! When to ask the vendor's host again after a failure.

use jiff::SignedDuration;
use std::time::Duration;
use svm_core::backoff::{Backoff, jitter};

/// Between attempts at a vendor who does not answer.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(30), Duration::from_secs(3600));

/// How long to wait after so many failures in a row: full jitter under a growing cap of 30 s to 1 h, or what
/// the server asks for.
pub fn after_failure(failures: u32, retry_after: Option<Duration>, most: SignedDuration) -> Duration {
    let cap = BACKOFF.span(failures).min(most.unsigned_abs());
    match retry_after {
        Some(wait) => wait + jitter(Duration::from_secs(30)),
        None => jitter(cap).max(Duration::from_secs(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_is_jittered_capped_and_obeys_the_server() {
        let hour = SignedDuration::from_hours(6);
        assert!((0..50).all(|n| after_failure(n, None, hour) <= Duration::from_secs(3600)));
        let asked = after_failure(0, Some(Duration::from_secs(600)), hour);
        assert!(asked >= Duration::from_secs(600) && asked <= Duration::from_secs(630));
        let waits: std::collections::BTreeSet<_> = (0..20).map(|_| after_failure(5, None, hour)).collect();
        assert!(waits.len() > 10);
    }
}
