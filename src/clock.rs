//! The clock: the only place that asks the system for the time.
//!
//! Everything else is handed a [`Clock`]. A clock may run faster than the world: [`Clock::fast`] is for
//! `svm-demo` and tests only, and no setting or variable of the programs reaches it.
#![allow(clippy::disallowed_methods, reason = "this module is the door to time")]

use jiff::{SignedDuration, Timestamp};
use std::time::{Duration, Instant};

/// Tells the time and waits for instants.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Where a fast clock started, by its own time and by the world's; `None` is the system's clock.
    fast: Option<(Timestamp, Instant, u32)>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self { fast: None }
    }

    /// A clock that shows `start` now and runs `rate` times as fast as the world.
    pub fn fast(start: Timestamp, rate: u32) -> Self {
        Self { fast: Some((start, Instant::now(), rate.max(1))) }
    }

    /// The time, to the microsecond.
    pub fn now(&self) -> Timestamp {
        let now = match self.fast {
            None => Timestamp::now(),
            Some((start, began, rate)) => {
                let passed = SignedDuration::try_from(began.elapsed().saturating_mul(rate));
                passed.ok().and_then(|passed| start.checked_add(passed).ok()).unwrap_or(Timestamp::MAX)
            }
        };
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    /// How long the world takes for this much of the clock's time.
    pub fn world(&self, span: Duration) -> Duration {
        self.fast.map_or(span, |(_, _, rate)| span / rate)
    }

    /// How much of the clock's time passes in this much of the world's.
    pub fn span(&self, world: Duration) -> Duration {
        self.fast.map_or(world, |(_, _, rate)| world.saturating_mul(rate))
    }

    /// Waits until the clock shows `at` or later, or an hour of the world passes: it may have been stepped
    /// meanwhile, so whoever waits looks again.
    pub async fn sleep_until(&self, at: Timestamp) {
        let left = at.duration_since(self.now());
        if left > SignedDuration::ZERO {
            let left = self.world(left.unsigned_abs()) + Duration::from_micros(1);
            tokio::time::sleep(left.min(Duration::from_secs(3600))).await;
        }
    }

    /// Waits for a span of the clock's time.
    pub async fn sleep(&self, span: Duration) {
        tokio::time::sleep(self.world(span)).await;
    }
}

/// Time since the machine was booted, suspends included (`clock_gettime(2)`, CLOCK_BOOTTIME).
pub fn boot_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// The name of this boot (`random(4)`, boot_id), 32 hexadecimal digits; empty where it is not known. A service
/// that may not see it is given it by systemd in `SVM_BOOT_ID` (`systemd.unit(5)`, specifier `%b`).
pub fn boot_id() -> &'static str {
    static ID: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    ID.get_or_init(|| {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .or_else(|_| std::env::var("SVM_BOOT_ID"));
        id.unwrap_or_default().trim().replace('-', "")
    })
}

/// A monotonic instant, for measuring how long something took.
pub fn stopwatch() -> impl Fn() -> Duration {
    let began = Instant::now();
    move || began.elapsed()
}
