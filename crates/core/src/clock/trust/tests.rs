//! Each row of the table in `docs/reference/clock.md`, by its number.

use super::*;
use proptest::prelude::*;

const DWELL: SignedDuration = SignedDuration::from_hours(1);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A machine: what its clocks show, and what its agent makes of that.
struct Machine {
    wall: Timestamp,
    boot: SignedDuration,
    boot_id: String,
    time: TrustedTime,
}

impl Machine {
    /// First started with this on the wall clock, a minute after boot.
    fn new(wall: &str) -> Self {
        let (wall, boot) = (at(wall), MINUTE);
        Self { wall, boot, boot_id: "1".into(), time: TrustedTime::new("1", Reading { wall, boot }, DWELL) }
    }

    /// It has run well for a day.
    fn settled() -> Self {
        let mut machine = Self::new("2026-06-01T00:00:00Z");
        machine.run(DAY);
        machine
    }

    fn reading(&self) -> Reading {
        Reading { wall: self.wall, boot: self.boot }
    }

    fn now(&mut self) -> Timestamp {
        self.time.observe(self.reading(), DWELL)
    }

    fn is(&mut self, text: &str) {
        assert_eq!(self.now(), at(text));
    }

    /// Time passes for both clocks, looked at as often as an agent looks.
    fn run(&mut self, span: SignedDuration) -> &mut Self {
        let mut left = span;
        while left > SignedDuration::ZERO {
            let part = left.min(HOUR);
            (self.wall, self.boot, left) = (plus(self.wall, part), self.boot + part, left - part);
            self.now();
        }
        self
    }

    /// The wall clock is set.
    fn set(&mut self, wall: &str) -> &mut Self {
        self.wall = at(wall);
        self.now();
        self
    }

    /// The agent starts again over what it kept.
    fn restart(&mut self) -> &mut Self {
        let stored = serde_json::to_string(&self.time).unwrap();
        let stored: TrustedTime = serde_json::from_str(&stored).unwrap();
        self.time = stored.resumed(&self.boot_id, self.reading());
        self.now();
        self
    }

    /// The machine was off, and comes up with this on its wall clock.
    fn reboot(&mut self, wall: &str) -> &mut Self {
        (self.wall, self.boot) = (at(wall), MINUTE);
        self.boot_id.push('+');
        self.restart()
    }

    fn doubts(&self) -> Option<&'static str> {
        self.time.suspicion().map(|s| if s.ahead { "ahead" } else { "behind" })
    }

    fn hears(&mut self, reported: &str) -> bool {
        let reading = self.reading();
        self.time.confirm(at(reported), false, reading, DWELL)
    }

    fn takes_document_signed(&mut self, signed: &str) {
        let reading = self.reading();
        self.time.at_least(at(signed), reading, DWELL);
    }
}

#[test]
fn row_1_a_clock_that_runs_or_is_set_a_little_is_obeyed() {
    let mut machine = Machine::settled();
    machine.is("2026-06-02T00:00:00Z");
    machine.set("2026-06-02T00:10:00Z").is("2026-06-02T00:10:00Z");
    assert_eq!(machine.doubts(), None);
}

#[test]
fn row_2_a_little_back_and_time_stands_still_until_it_is_caught_up_with() {
    let mut machine = Machine::settled();
    machine.set("2026-06-01T23:50:00Z").is("2026-06-02T00:00:00Z");
    machine.run(MINUTE * 5).is("2026-06-02T00:00:00Z");
    machine.run(MINUTE * 10).is("2026-06-02T00:05:00Z");
    assert_eq!(machine.doubts(), None);
}

#[test]
fn row_2_nobody_walks_time_back_by_small_steps() {
    let mut machine = Machine::settled();
    for _ in 0..24 {
        machine.run(HOUR);
        machine.wall = minus(machine.wall, MINUTE * 14);
        machine.now();
    }
    // A day passed, and at most the slack is lost of it.
    assert!(machine.now() >= at("2026-06-02T23:44:00Z"));
    assert_eq!(machine.doubts(), Some("behind"));
}

#[test]
fn row_3_far_back_is_not_obeyed_and_heals_at_once() {
    let mut machine = Machine::settled();
    machine.set("2026-01-01T00:00:00Z").is("2026-06-02T00:00:00Z");
    assert_eq!(machine.doubts(), Some("behind"));
    machine.run(DAY).is("2026-06-03T00:00:00Z");
    machine.set("2026-06-03T00:00:01Z").is("2026-06-03T00:00:01Z");
    assert_eq!(machine.doubts(), None);
}

#[test]
fn row_3_set_back_daily_time_passes_all_the_same() {
    let mut machine = Machine::settled();
    for _ in 0..30 {
        machine.run(DAY).set("2026-06-02T00:00:00Z");
    }
    machine.is("2026-07-02T00:00:00Z");
}

#[test]
fn row_4_far_ahead_is_obeyed_only_once_it_lasts() {
    let mut machine = Machine::settled();
    machine.set("2030-01-01T00:00:00Z").is("2026-06-02T00:00:00Z");
    assert_eq!(machine.doubts(), Some("ahead"));
    machine.run(MINUTE * 59).is("2026-06-02T00:59:00Z");
    assert_eq!(machine.time.dwell_left(machine.reading(), DWELL), Some(MINUTE));
    machine.run(MINUTE).is("2030-01-01T01:00:00Z");
    assert_eq!(machine.doubts(), None);
}

#[test]
fn row_4_one_that_jumps_on_has_to_last_anew() {
    let mut machine = Machine::settled();
    machine.set("2030-01-01T00:00:00Z").run(MINUTE * 50);
    machine.set("2031-01-01T00:00:00Z").run(MINUTE * 50).is("2026-06-02T01:40:00Z");
    machine.run(MINUTE * 10).is("2031-01-01T01:00:00Z");
}

#[test]
fn row_5_ahead_and_right_again_within_the_hour_did_nothing() {
    let mut machine = Machine::settled();
    machine.set("2030-01-01T00:00:00Z").run(MINUTE * 30);
    machine.set("2026-06-02T00:30:00Z").is("2026-06-02T00:30:00Z");
    assert_eq!(machine.doubts(), None);
}

#[test]
fn row_6_ahead_for_long_and_right_again_goes_back_at_once() {
    let mut machine = Machine::settled();
    machine.set("2030-01-01T00:00:00Z").run(DAY).is("2030-01-02T00:00:00Z");
    machine.set("2026-06-03T00:00:00Z").is("2026-06-03T00:00:00Z");
    assert_eq!(machine.doubts(), None);
    // But not to anywhere else.
    machine.set("2026-01-01T00:00:00Z").is("2026-06-03T00:00:00Z");
}

#[test]
fn row_6_over_a_restart_too() {
    let mut machine = Machine::settled();
    machine.set("2030-01-01T00:00:00Z").run(DAY).restart().is("2030-01-02T00:00:00Z");
    machine.wall = at("2026-06-03T00:00:00Z");
    machine.restart().is("2026-06-03T00:00:00Z");
}

#[test]
fn row_7_a_restart_of_the_agent_changes_nothing() {
    let mut machine = Machine::settled();
    machine.set("2026-01-01T00:00:00Z").restart().is("2026-06-02T00:00:00Z");
    machine.run(HOUR).restart().is("2026-06-02T01:00:00Z");
    let mut machine = Machine::settled();
    machine.set("2030-01-01T00:00:00Z").run(MINUTE * 30).restart().run(MINUTE * 20);
    machine.is("2026-06-02T00:50:00Z");
    machine.run(MINUTE * 10).is("2030-01-01T01:00:00Z");
}

#[test]
fn row_7_the_boot_clock_counts_what_the_agent_slept_through() {
    let mut machine = Machine::settled();
    machine.set("2026-01-01T00:00:00Z");
    (machine.wall, machine.boot) = (plus(machine.wall, DAY * 9), machine.boot + DAY * 9);
    machine.restart().is("2026-06-11T00:00:00Z");
}

#[test]
fn row_8_a_long_power_off_is_explained() {
    let mut machine = Machine::settled();
    machine.reboot("2026-12-24T00:00:00Z").is("2026-12-24T00:00:00Z");
    assert_eq!(machine.doubts(), None);
}

#[test]
fn row_9_a_boot_with_the_clock_behind_goes_on_where_time_was_seen_last() {
    let mut machine = Machine::settled();
    machine.reboot("1970-01-01T00:00:00Z").is("2026-06-02T00:01:00Z");
    assert_eq!(machine.doubts(), Some("behind"));
    // Whenever the time service comes, it is obeyed at once.
    machine.run(DAY).set("2026-08-01T00:00:00Z").is("2026-08-01T00:00:00Z");
    assert_eq!(machine.doubts(), None);
}

#[test]
fn row_9_rebooted_daily_with_the_clock_set_back_it_never_goes_back() {
    let mut machine = Machine::settled();
    for _ in 0..10 {
        let before = machine.run(HOUR * 8).now();
        assert!(machine.reboot("2026-06-01T00:00:00Z").now() >= before);
    }
    assert!(machine.now() >= at("2026-06-05T08:00:00Z"));
}

#[test]
fn row_10_a_boot_with_the_clock_ahead_may_be_put_right_for_an_hour() {
    let mut machine = Machine::settled();
    machine.reboot("2040-01-01T00:00:00Z").is("2040-01-01T00:00:00Z");
    machine.run(MINUTE).set("2026-06-05T00:00:00Z").is("2026-06-05T00:00:00Z");
    assert_eq!(machine.doubts(), None);
    // To before what was seen it may not.
    machine.reboot("2040-01-01T00:00:00Z").set("2026-06-01T00:00:00Z").is("2040-01-01T00:00:00Z");
    assert_eq!(machine.doubts(), Some("behind"));
}

#[test]
fn row_10_after_that_hour_only_the_vendor_takes_it_back() {
    let mut machine = Machine::settled();
    machine.reboot("2040-01-01T00:00:00Z").run(HOUR * 2).set("2026-06-05T00:00:00Z");
    assert_eq!(machine.doubts(), Some("behind"));
    assert!(machine.hears("2026-06-05T00:00:02Z"));
    machine.is("2026-06-05T00:00:00Z");
    assert_eq!(machine.doubts(), None);
}

#[test]
fn row_11_a_suspend_is_counted_by_both_clocks() {
    let mut machine = Machine::settled();
    (machine.wall, machine.boot) = (plus(machine.wall, DAY * 40), machine.boot + DAY * 40);
    machine.is("2026-07-12T00:00:00Z");
    assert_eq!(machine.doubts(), None);
}

#[test]
fn row_12_a_paused_machine_or_a_snapshot_with_memory_waits_for_the_hour_or_the_vendor() {
    let mut machine = Machine::settled();
    // Its clocks stood still for three weeks, then the host sets the wall clock.
    machine.set("2026-06-23T00:00:00Z").is("2026-06-02T00:00:00Z");
    assert_eq!(machine.doubts(), Some("ahead"));
    assert!(machine.hears("2026-06-23T00:00:01Z"));
    machine.is("2026-06-23T00:00:00Z");
    assert_eq!(machine.doubts(), None);
}

#[test]
fn row_13_what_the_vendor_s_host_denies_is_never_obeyed() {
    let mut machine = Machine::settled();
    machine.set("2030-01-01T00:00:00Z");
    assert!(machine.hears("2026-06-02T00:00:03Z"));
    machine.run(HOUR * 5).is("2026-06-02T05:00:03Z");
    assert_eq!(machine.doubts(), Some("ahead"));
    assert_eq!(machine.time.dwell_left(machine.reading(), DWELL), None);
}

#[test]
fn row_13_the_vendor_s_host_moves_time_either_way() {
    let mut machine = Machine::settled();
    assert!(machine.hears("2026-09-01T00:00:00Z"));
    machine.is("2026-09-01T00:00:00Z");
    assert_eq!(machine.doubts(), Some("behind"));
    assert!(machine.hears("2026-06-02T00:00:00Z"));
    machine.is("2026-06-02T00:00:00Z");
    assert_eq!(machine.doubts(), None);
    let reading = machine.reading();
    assert!(!machine.time.confirm(at("2026-01-01T00:00:00Z"), true, reading, DWELL), "later only");
}

#[test]
fn row_14_a_disk_that_is_reverted_is_as_after_a_long_power_off() {
    let mut machine = Machine::settled();
    let stored = machine.time.clone();
    machine.run(DAY * 90);
    machine.time = stored;
    machine.reboot("2026-08-31T00:00:00Z").is("2026-08-31T00:00:00Z");
    assert_eq!(machine.doubts(), None);
}

#[test]
fn row_15_a_document_shows_that_the_clock_is_behind() {
    let mut machine = Machine::new("2000-01-01T00:00:00Z");
    machine.is("2000-01-01T00:00:00Z");
    machine.takes_document_signed("2026-03-01T00:00:00Z");
    machine.is("2026-03-01T00:00:00Z");
    assert_eq!(machine.doubts(), Some("behind"));
    machine.run(DAY * 3).restart().is("2026-03-04T00:00:00Z");
    // Set right, it is obeyed at once: the document only said that it is not earlier.
    machine.set("2026-06-02T00:00:00Z").is("2026-06-02T00:00:00Z");
    assert_eq!(machine.doubts(), None);
}

#[test]
fn row_15_a_vendor_s_clock_a_little_ahead_makes_no_doubt() {
    let mut machine = Machine::settled();
    machine.takes_document_signed("2026-06-02T00:05:00Z");
    machine.is("2026-06-02T00:05:00Z");
    assert_eq!(machine.doubts(), None);
    machine.run(MINUTE * 10).is("2026-06-02T00:10:00Z");
}

#[test]
fn row_16_time_is_never_before_the_signing_of_an_accepted_document() {
    let mut machine = Machine::settled();
    machine.takes_document_signed("2026-06-01T20:00:00Z");
    machine.is("2026-06-02T00:00:00Z");
    assert!(!machine.hears("2026-05-01T00:00:00Z"));
    machine.reboot("2026-05-01T00:00:00Z").is("2026-06-02T00:01:00Z");
    assert_eq!(machine.time.floor(), Some(at("2026-06-01T20:00:00Z")));
}

#[test]
fn row_17_root_resets_it_to_the_wall_clock() {
    let mut machine = Machine::settled();
    machine.takes_document_signed("2099-01-01T00:00:00Z");
    machine.is("2099-01-01T00:00:00Z");
    let reading = machine.reading();
    machine.time.reset(reading, DWELL);
    machine.is("2026-06-02T00:00:00Z");
    assert_eq!((machine.doubts(), machine.time.floor()), (None, Some(at("2026-06-02T00:00:00Z"))));
}

#[test]
fn row_18_a_clock_that_was_wrong_at_the_first_start_may_be_put_right_for_an_hour() {
    for wrong in ["1970-01-01T00:00:00Z", "2040-01-01T00:00:00Z"] {
        let mut machine = Machine::new(wrong);
        machine.run(MINUTE * 30).set("2026-06-01T00:00:00Z").is("2026-06-01T00:00:00Z");
        assert_eq!(machine.doubts(), None);
    }
}

#[test]
fn where_the_boot_is_not_known_each_start_is_a_boot() {
    let mut machine = Machine::settled();
    machine.boot_id = String::new();
    machine.restart().set("2026-01-01T00:00:00Z");
    assert!(machine.restart().now() >= at("2026-06-02T00:00:00Z"));
}

#[test]
fn the_ends_of_time_do_no_harm() {
    for wall in [Timestamp::MIN, Timestamp::MAX] {
        let reading = Reading { wall, boot: SignedDuration::MAX / 4 };
        let mut time = TrustedTime::new("1", reading, DWELL);
        time.observe(Reading { wall: Timestamp::MAX, ..reading }, DWELL);
        time.at_least(Timestamp::MAX, reading, DWELL);
        time.confirm(Timestamp::MIN, false, reading, DWELL);
        time.reset(reading, DWELL);
        let mut time = time.resumed("2", reading);
        assert!(time.observe(reading, DWELL) >= Timestamp::MIN);
    }
}

#[derive(Clone, Debug)]
enum Act {
    Run(i64),
    Step(i64),
    Restart,
    Reboot(i64),
    Document(i64),
    Vendor,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0_i64..200_000).prop_map(Act::Run),
        3 => (-40_000_000_i64..40_000_000).prop_map(Act::Step),
        2 => (-2_000_i64..2_000).prop_map(Act::Step),
        1 => Just(Act::Restart),
        1 => (-9_000_000_i64..9_000_000).prop_map(Act::Reboot),
        1 => (-9_000_000_i64..0).prop_map(Act::Document),
        1 => Just(Act::Vendor),
    ];
    proptest::collection::vec(act, 1..60)
}

proptest! {
    /// Whatever is done to the wall clock: time is never before a document's signing; it goes back only by a turn that is is is
    /// is reported; a clock ahead is never trusted before its hour except after a boot; and the provider's date corrects everything.
    #[test]
    fn whatever_is_done_to_the_clock(acts in acts()) {
        let mut machine = Machine::new("2026-06-01T00:00:00Z");
        // What a good clock would show.
        let mut truth = machine.wall;
        let (mut floor, mut last, mut turns) = (Timestamp::MIN, machine.now(), 0);
        for act in acts {
            let seconds = SignedDuration::from_secs;
            match act {
                Act::Run(n) => {
                    truth = plus(truth, seconds(n));
                    machine.run(seconds(n));
                }
                Act::Step(n) => machine.wall = plus(machine.wall, seconds(n)),
                Act::Restart => drop(machine.restart()),
                Act::Reboot(n) => {
                    let wall = plus(machine.wall, seconds(n)).to_string();
                    machine.reboot(&wall);
                    last = machine.now();
                }
                Act::Document(n) => {
                    let signed = plus(truth, seconds(n));
                    floor = floor.max(signed);
                    let reading = machine.reading();
                    machine.time.at_least(signed, reading, DWELL);
                }
                Act::Vendor => {
                    let reading = machine.reading();
                    let counts = machine.time.confirm(truth, false, reading, DWELL);
                    prop_assert!(counts);
                    let off = machine.now().duration_since(truth).abs();
                    prop_assert!(off <= SLACK, "{off:?}");
                    last = machine.now();
                }
            }
            let now = machine.now();
            prop_assert!(now >= floor);
            prop_assert!(now >= last || machine.time.turns() != turns);
            (last, turns) = (now, machine.time.turns());
        }
    }
}

/// Clocks do not show that, but a damaged note may hold it.
#[test]
fn the_ends_of_the_clocks_do_no_harm() {
    let dwell = SignedDuration::from_hours(24);
    for wall in [Timestamp::MIN, Timestamp::MAX] {
        let reading = Reading { wall, boot: SignedDuration::MAX };
        let mut time = TrustedTime::new("a", reading, dwell).resumed("b", reading);
        assert_eq!(time.observe(reading, dwell), wall);
        assert_eq!(time.observe(reading, dwell), wall);
    }
}
