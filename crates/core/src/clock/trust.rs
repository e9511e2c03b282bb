//! Trusted time: which instant to go by, of what the clocks of a virtual machine show.
//!
//! Promises: pure; its only input are readings of the system clock and the boot clock. Each clock says when this boot
//! began; where the wall clock says what was held so far, it is obeyed, and where it says anything else it has to be
//! explained first. The time that comes out never goes back, but where a wrong clock was obeyed and is put right.
//! `docs/reference/clock.md` has the rules as a table. Must not know: files, networks, the life cycle.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Clocks that differ by so much agree: steps of a time service, and documents signed a moment ahead.
pub const SLACK: SignedDuration = SignedDuration::from_mins(15);

/// And by one part in so many of the time that passed, which the kernel may slew (`adjtimex(2)`: 500 ppm).
const DRIFT: i32 = 2000;

/// What the clocks show at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What the wall clock shows, right or wrong.
    pub wall: Timestamp,
    /// The time since the machine was booted, suspends included.
    pub boot: SignedDuration,
}

impl Reading {
    /// When this boot began, by the wall clock.
    fn began(&self) -> Timestamp {
        minus(self.wall, self.boot)
    }
}

fn plus(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_add(span).unwrap_or(if span.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}

fn minus(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_sub(span).unwrap_or(if span.is_negative() { Timestamp::MAX } else { Timestamp::MIN })
}

/// What is held of when this boot began, and since when by the boot clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Anchor {
    began: Timestamp,
    boot: SignedDuration,
}

impl Anchor {
    fn agrees(&self, began: Timestamp, boot: SignedDuration) -> bool {
        let drift = boot.saturating_sub(self.boot).max(SignedDuration::ZERO) / DRIFT;
        began.duration_since(self.began).abs() <= SLACK + drift
    }

    fn at(&self, boot: SignedDuration) -> Timestamp {
        plus(self.began, boot)
    }
}

/// For how long only a bound is known: after a boot, and where a document showed that the clock is behind. Any wall
/// clock that is not before it is explained then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Settling {
    /// This boot did not begin before.
    least: Timestamp,
    /// By the boot clock; open until the wall clock was obeyed once.
    until: Option<SignedDuration>,
}

/// Why the wall clock is not obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicion {
    /// What it showed when that was noticed.
    pub wall: Timestamp,
    /// The trusted time that was used instead.
    pub time: Timestamp,
    /// Whether it stands ahead or behind.
    pub ahead: bool,
}

/// Trusted time, and all that it remembers over restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustedTime {
    boot_id: String,
    /// The latest signing time of an accepted document.
    floor: Timestamp,
    /// The last time that was given out.
    seen: Timestamp,
    anchor: Anchor,
    settling: Option<Settling>,
    /// A wall clock that stands ahead, and since when it says the same.
    ahead: Option<Anchor>,
    /// What was held before a wall clock ahead was obeyed on its word alone.
    before: Option<Anchor>,
    /// When the vendor's host last told the time, by the boot clock.
    proven: Option<SignedDuration>,
    suspicion: Option<Suspicion>,
    /// How often time moved otherwise than by passing, or began or ceased to be doubted.
    #[serde(default)]
    turns: u64,
}

/// What a wall clock comes to.
enum Verdict {
    /// It says what is held.
    Agrees,
    /// It says something else, and is explained.
    Explained,
    /// It is not obeyed.
    Not { ahead: bool },
}

impl TrustedTime {
    /// Where nothing is remembered: the wall clock is what there is, and may be put right, either way, for `dwell`.
    pub fn new(boot_id: &str, reading: Reading, dwell: SignedDuration) -> Self {
        let anchor = Anchor { began: reading.began(), boot: reading.boot };
        Self {
            boot_id: boot_id.to_owned(),
            floor: Timestamp::MIN,
            seen: reading.wall,
            anchor,
            settling: Some(Settling {
                least: Timestamp::MIN,
                until: Some(reading.boot.saturating_add(dwell)),
            }),
            ahead: None,
            before: None,
            proven: None,
            suspicion: None,
            turns: 0,
        }
    }

    /// After a restart. In the same boot everything stands; another boot began when time was last seen, or later.
    pub fn resumed(self, boot_id: &str, reading: Reading) -> Self {
        if self.boot_id == boot_id && !boot_id.is_empty() && reading.boot >= self.anchor.boot {
            return self;
        }
        Self {
            boot_id: boot_id.to_owned(),
            anchor: Anchor { began: self.seen, boot: SignedDuration::ZERO },
            settling: Some(Settling { least: self.seen, until: None }),
            ahead: None,
            before: None,
            proven: None,
            ..self
        }
    }

    /// The time to go by. A wall clock far ahead is obeyed once it said the same for `dwell`.
    pub fn observe(&mut self, reading: Reading, dwell: SignedDuration) -> Timestamp {
        let boot = reading.boot;
        self.settling = self.settling.filter(|s| s.until.is_none_or(|until| boot < until));
        let verdict = self.judge(reading, dwell);
        let carried = self.anchor.at(boot);
        match verdict {
            // The clock may be a little behind what is held; time stands still then, and nobody walks it back.
            Verdict::Agrees => self.seen = self.seen.max(reading.wall).max(self.floor),
            Verdict::Explained => {
                self.seen = reading.wall.max(self.floor);
                self.turned();
            }
            Verdict::Not { ahead } => {
                self.seen = self.seen.max(carried).max(self.floor);
                if self.suspicion.is_none_or(|suspicion| suspicion.ahead != ahead) {
                    self.suspicion = Some(Suspicion { wall: reading.wall, time: self.seen, ahead });
                    self.turned();
                }
                return self.seen;
            }
        }
        self.ahead = None;
        if self.suspicion.take().is_some() {
            self.turned();
        }
        if let Some(settling) = &mut self.settling {
            settling.until.get_or_insert(boot.saturating_add(dwell));
        }
        self.seen
    }

    fn turned(&mut self) {
        self.turns = self.turns.wrapping_add(1);
    }

    fn judge(&mut self, reading: Reading, dwell: SignedDuration) -> Verdict {
        let (began, boot) = (reading.began(), reading.boot);
        let claimed = Anchor { began, boot };
        if reading.wall < minus(self.floor, SLACK) {
            return Verdict::Not { ahead: false };
        }
        if self.anchor.agrees(began, boot) {
            if began > self.anchor.began {
                self.anchor = claimed;
            }
            return Verdict::Agrees;
        }
        if self.settling.is_some_and(|settling| began >= minus(settling.least, SLACK)) {
            self.anchor = claimed;
            return Verdict::Explained;
        }
        if began > self.anchor.began {
            let held = self.ahead.filter(|held| held.agrees(began, boot));
            let held = *self.ahead.insert(held.unwrap_or(claimed));
            // What the vendor's host told meanwhile counts for more than patience.
            let refuted = self.proven.is_some_and(|proven| proven >= held.boot);
            if refuted || boot.saturating_sub(held.boot) < dwell {
                return Verdict::Not { ahead: true };
            }
            self.before = Some(self.anchor);
            self.anchor = claimed;
            return Verdict::Explained;
        }
        match self.before.take_if(|before| before.agrees(began, boot)) {
            Some(_) => {
                self.anchor = claimed;
                Verdict::Explained
            }
            None => Verdict::Not { ahead: false },
        }
    }

    /// A document of a trusted signer was signed at `signed`, so it is not earlier now.
    pub fn at_least(&mut self, signed: Timestamp, reading: Reading, dwell: SignedDuration) {
        self.observe(reading, dwell);
        self.floor = self.floor.max(signed);
        if self.seen < signed {
            self.anchor = Anchor { began: minus(signed, reading.boot), boot: reading.boot };
            self.settling = Some(Settling { least: self.anchor.began, until: None });
            self.before = None;
            self.turned();
            self.observe(reading, dwell);
        }
    }

    /// The vendor's own host tells the time. With `later_only` it may not take time back. Answers whether it counts: one
    /// that is before a document's signing does not.
    pub fn confirm(
        &mut self,
        reported: Timestamp,
        later_only: bool,
        reading: Reading,
        dwell: SignedDuration,
    ) -> bool {
        let time = self.observe(reading, dwell);
        let earlier = reported < minus(time, SLACK);
        if reported < minus(self.floor, SLACK) || (later_only && earlier) {
            return false;
        }
        let (began, boot) = (minus(reported, reading.boot), reading.boot);
        // The wall clock is finer than a header, where it agrees.
        let agrees = Anchor { began, boot }.agrees(reading.began(), boot);
        self.anchor = Anchor { began: if agrees { reading.began() } else { began }, boot };
        (self.settling, self.before, self.ahead, self.proven) = (None, None, None, Some(boot));
        if earlier {
            self.seen = self.anchor.at(boot);
        }
        self.turned();
        self.observe(reading, dwell);
        true
    }

    /// Forgets everything that is held against the wall clock.
    pub fn reset(&mut self, reading: Reading, dwell: SignedDuration) {
        let floor = self.floor.min(reading.wall);
        let turns = self.turns.wrapping_add(1);
        *self = Self { floor, turns, ..Self::new(&self.boot_id, reading, dwell) };
    }

    /// How often time moved otherwise than by passing, or began or ceased to be doubted.
    pub fn turns(&self) -> u64 {
        self.turns
    }

    /// Why the wall clock is not obeyed, where it is not.
    pub fn suspicion(&self) -> Option<Suspicion> {
        self.suspicion
    }

    /// The latest signing time of an accepted document.
    pub fn floor(&self) -> Option<Timestamp> {
        Some(self.floor).filter(|floor| *floor > Timestamp::MIN)
    }

    /// How long ago the vendor's host told the time, in this boot.
    pub fn proven_for(&self, reading: Reading) -> Option<SignedDuration> {
        self.proven.map(|proven| reading.boot.saturating_sub(proven))
    }

    /// How long the wall clock has to say the same until it is obeyed.
    pub fn dwell_left(&self, reading: Reading, dwell: SignedDuration) -> Option<SignedDuration> {
        let held = self.ahead.filter(|held| self.proven.is_none_or(|proven| proven < held.boot))?;
        Some(dwell.saturating_sub(reading.boot.saturating_sub(held.boot)).max(SignedDuration::ZERO))
    }
}

#[cfg(test)]
mod tests;
