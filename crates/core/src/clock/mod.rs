//! The clock: the only place that asks the system for the time.
//!
//! Everything else is handed a [`Clock`]. That of the agent goes by trusted time ([`trust`]): what the wall clock shows
//! only where that is explained. A clock may run faster than the world: [`Clock::fast`] is for `svm-demo` and tests
//! only, and no setting or variable of the programs reaches it.
#![allow(clippy::disallowed_methods, reason = "this module is the door to time")]

mod steps;
pub mod trust;

use crate::lock::lock;
use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use trust::{Reading, Suspicion, TrustedTime};

/// Tells the time and waits for instants.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// `None` is the system's clock.
    fast: Option<Fast>,
    /// Trusted time, for the one clock of a process that goes by it; it is there as long as the process.
    trusted: Option<&'static Trusted>,
}

/// A clock that runs faster than the world.
#[derive(Clone, Copy, Debug)]
struct Fast {
    /// Where it started, by its own time and by the world's.
    start: Timestamp,
    began: Instant,
    rate: u32,
    /// When it stops, by its own time.
    end: Timestamp,
}

impl Fast {
    /// How much of its time has passed.
    fn passed(&self) -> SignedDuration {
        let passed = self.began.elapsed().saturating_mul(self.rate);
        let most = self.end.duration_since(self.start);
        SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX).min(most)
    }

    /// What it shows then, to the microsecond.
    fn at(&self, passed: SignedDuration) -> Timestamp {
        let at = self.start.checked_add(passed).unwrap_or(Timestamp::MAX);
        Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
    }
}

#[derive(Debug)]
struct Trusted {
    time: Mutex<TrustedTime>,
    /// How long a wall clock that is far ahead has to run on before it is trusted.
    dwell: Mutex<SignedDuration>,
    /// Changes if tasks that wait for an instant have to check again.
    stepped: watch::Sender<u64>,
}

impl Trusted {
    fn time(&self) -> MutexGuard<'_, TrustedTime> {
        lock(&self.time)
    }

    fn dwell(&self) -> SignedDuration {
        *lock(&self.dwell)
    }

    /// Does something with trusted time. Waiting tasks check again if time moved otherwise than by passing, or began
    /// or ceased to be doubted.
    fn with<T>(&self, reading: Reading, work: impl FnOnce(&mut TrustedTime) -> T) -> T {
        let mut time = self.time();
        let turns = time.turns();
        time.observe(reading, self.dwell());
        let done = work(&mut time);
        let turned = time.turns() != turns;
        drop(time);
        if turned {
            self.stepped.send_modify(|n| *n += 1);
        }
        done
    }
}

/// How a clock stands to the wall clock, for people.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClockStatus {
    /// Trusted time.
    pub time: Timestamp,
    /// What the wall clock shows.
    pub wall: Timestamp,
    /// Why that is not obeyed, where it is not.
    pub suspicion: Option<Suspicion>,
    /// When a wall clock far ahead will be obeyed, if it goes on to say the same.
    pub obeyed_at: Option<Timestamp>,
    /// The latest signing time of an accepted document.
    pub floor: Option<Timestamp>,
    /// When the vendor's own host last told the time, in this boot.
    pub proven_at: Option<Timestamp>,
}

impl Clock {
    pub fn system() -> Self {
        Self { fast: None, trusted: None }
    }

    /// A clock that shows `start` now and runs `rate` times as fast as the world.
    pub fn fast(start: Timestamp, rate: u32) -> Self {
        let fast = Fast { start, began: Instant::now(), rate: rate.max(1), end: Timestamp::MAX };
        Self { fast: Some(fast), trusted: None }
    }

    /// A fast clock that stops at an instant and shows that from then on; the system's clock goes on.
    pub fn ending(self, end: Timestamp) -> Self {
        Self { fast: self.fast.map(|fast| Fast { end: end.max(fast.start), ..fast }), ..self }
    }

    /// This clock with trusted time: for the one daemon of a process, so it may live as long as the process. `memory` is
    /// what [`Clock::memory`] gave before a restart. A clock that has trusted time goes on with it, under the new `dwell`.
    pub fn trusted(self, memory: Option<&str>, dwell: SignedDuration) -> Self {
        if let Some(trusted) = self.trusted {
            *lock(&trusted.dwell) = dwell;
            return self;
        }
        let reading = self.reading();
        let boot_id = match self.fast {
            None => boot_id().to_owned(),
            // Its boot began when it was made.
            Some(Fast { start, .. }) => format!("fast {start}"),
        };
        // One that cannot be read is of no use, and time is known without it.
        let stored: Option<TrustedTime> = memory.and_then(|memory| serde_json::from_str(memory).ok());
        let time = match stored {
            Some(stored) => stored.resumed(&boot_id, reading),
            None => TrustedTime::new(&boot_id, reading, dwell),
        };
        let (stepped, _) = watch::channel(0);
        let trusted = Trusted { time: Mutex::new(time), dwell: Mutex::new(dwell), stepped };
        Self { trusted: Some(Box::leak(Box::new(trusted))), ..self }
    }

    /// What trusted time has to remember over a restart; empty where there is none.
    pub fn memory(&self) -> String {
        self.with(|time, _, _| serde_json::to_string(time).unwrap_or_default()).unwrap_or_default()
    }

    /// What the clocks show.
    fn reading(&self) -> Reading {
        match self.fast {
            None => {
                let boot = SignedDuration::try_from(boot_time()).unwrap_or(SignedDuration::MAX);
                Reading { wall: self.wall(), boot }
            }
            // Both at one instant: a pause of this thread between them would be minutes.
            Some(fast) => {
                let boot = fast.passed();
                Reading { wall: fast.at(boot), boot }
            }
        }
    }

    /// Does something with trusted time, where this clock goes by that.
    fn with<T>(&self, work: impl FnOnce(&mut TrustedTime, Reading, SignedDuration) -> T) -> Option<T> {
        let (trusted, reading) = (self.trusted?, self.reading());
        Some(trusted.with(reading, |time| work(time, reading, trusted.dwell())))
    }

    /// A document of a trusted signer was signed then, so it is not earlier now.
    pub fn at_least(&self, signed: Timestamp) {
        self.with(|time, reading, dwell| time.at_least(signed, reading, dwell));
    }

    /// The vendor's own host told the time, over verified TLS; with `later_only` it may not take time back.
    pub fn confirm(&self, reported: Timestamp, later_only: bool) {
        self.with(|time, reading, dwell| time.confirm(reported, later_only, reading, dwell));
    }

    /// Goes by the wall clock, and forgets what was held against it.
    pub fn reset(&self) {
        self.with(|time, reading, dwell| time.reset(reading, dwell));
    }

    /// Why the wall clock is not obeyed, where it is not.
    pub fn suspicion(&self) -> Option<Suspicion> {
        self.with(|time, _, _| time.suspicion()).flatten()
    }

    /// By how much a wall clock that is not obeyed stands behind; negative where it stands ahead, nothing where it is
    /// obeyed. For times of files, which come by the wall clock.
    pub fn wall_is_behind(&self) -> SignedDuration {
        self.suspicion().map_or(SignedDuration::ZERO, |_| self.now().duration_since(self.wall()))
    }

    /// Whether the vendor's own host told the time within the last `span` of this boot.
    pub fn is_proven(&self, span: SignedDuration) -> bool {
        self.with(|time, reading, _| time.proven_for(reading)).flatten().is_some_and(|ago| ago <= span)
    }

    /// When a wall clock that stands ahead will be obeyed, if it goes on to say the same.
    pub fn obeys_at(&self) -> Option<Timestamp> {
        let left = self.with(|time, reading, dwell| time.dwell_left(reading, dwell))??;
        self.now().checked_add(left).ok()
    }

    /// How this clock stands to the wall clock.
    pub fn status(&self) -> ClockStatus {
        let time = self.now();
        let proven = self.with(|time, reading, _| time.proven_for(reading)).flatten();
        ClockStatus {
            time,
            wall: self.wall(),
            suspicion: self.suspicion(),
            obeyed_at: self.obeys_at(),
            floor: self.with(|time, _, _| time.floor()).flatten(),
            proven_at: proven.and_then(|ago| time.checked_sub(ago).ok()),
        }
    }

    /// The time, to the microsecond.
    pub fn now(&self) -> Timestamp {
        let trusted = self.with(|time, reading, dwell| time.observe(reading, dwell));
        let now = trusted.unwrap_or_else(|| self.wall());
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    /// The wall clock of it.
    pub fn wall_clock(&self) -> WallClock {
        WallClock(*self)
    }

    /// What the wall clock shows, to the microsecond.
    fn wall(&self) -> Timestamp {
        let now = match self.fast {
            None => Timestamp::now(),
            Some(fast) => fast.at(fast.passed()),
        };
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    /// How long the world takes for this much of the clock's time.
    pub fn world(&self, span: Duration) -> Duration {
        self.fast.map_or(span, |fast| span / fast.rate)
    }

    /// How much of the clock's time passes in this much of the world's.
    pub fn span(&self, world: Duration) -> Duration {
        self.fast.map_or(world, |fast| world.saturating_mul(fast.rate))
    }

    /// Waits until the clock shows `at` or later, or time moves otherwise than by passing, or an hour of the world
    /// passes; so waiting tasks check again.
    pub async fn sleep_until(&self, at: Timestamp) {
        let mut stepped = self.trusted.map(|trusted| trusted.stepped.subscribe());
        let left = at.duration_since(self.now());
        if left > SignedDuration::ZERO {
            let left = self.world(left.unsigned_abs()) + Duration::from_micros(1);
            let slept = tokio::time::sleep(left.min(Duration::from_secs(3600)));
            match &mut stepped {
                None => slept.await,
                // Its sender is there as long as the process.
                Some(stepped) => tokio::select! { () = slept => {}, _ = stepped.changed() => {} },
            }
        }
    }

    /// Has everybody who waits look again at once where the wall clock is set or the machine wakes up, for as long as
    /// the program runs.
    ///
    /// # Errors
    /// The kernel has no such timers: then steps are noticed within the hour.
    pub async fn watch_steps(&self) -> std::io::Result<()> {
        if let (Some(trusted), None) = (self.trusted, self.fast) {
            steps::watch(|| trusted.stepped.send_modify(|n| *n += 1)).await?;
        }
        std::future::pending().await
    }

    /// Waits for a span of the clock's time.
    pub async fn sleep(&self, span: Duration) {
        tokio::time::sleep(self.world(span)).await;
    }
}

/// What the wall clock of a [`Clock`] shows, whether it is obeyed or not.
#[derive(Clone, Copy, Debug)]
pub struct WallClock(Clock);

/// Seconds, as TLS counts them; before 1970 there are none.
fn unix(at: Timestamp) -> Option<UnixTime> {
    let seconds = u64::try_from(at.as_second()).ok()?;
    Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        unix(self.now())
    }
}

impl TimeProvider for WallClock {
    fn current_time(&self) -> Option<UnixTime> {
        unix(self.0.wall())
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
        let id = crate::files::read_text_bounded(Path::new("/proc/sys/kernel/random/boot_id"), 1024).ok();
        id.or_else(|| crate::environment::text("SVM_BOOT_ID")).unwrap_or_default().trim().replace('-', "")
    })
}

/// A monotonic instant, for measuring how long something took.
pub fn stopwatch() -> impl Fn() -> Duration {
    let began = Instant::now();
    move || began.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_clock_stops_where_it_ends() {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let end = start + SignedDuration::from_hours(1);
        let clock = Clock::fast(start, u32::MAX).ending(end);
        while clock.now() < end {}
        assert_eq!(clock.now(), end);
        // Trusted time takes its end for no clock that was set.
        let trusted = clock.trusted(None, SignedDuration::from_hours(1));
        assert_eq!((trusted.now(), trusted.suspicion()), (end, None));
    }
}
