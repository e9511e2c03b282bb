use super::*;
use jiff::civil::DateTime;
use jiff::tz::AmbiguousOffset;
use proptest::prelude::*;

fn schedule(line: &str, zone: &str) -> Schedule {
    Schedule::parse(&[line.to_owned()], zone).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// All slots in `(from, to]`.
fn between(schedule: &Schedule, from: &str, to: &str) -> Vec<String> {
    let (from, to) = (at(from), at(to));
    let next = |slot: &Timestamp| schedule.next_after(*slot);
    let slots = std::iter::successors(schedule.next_after(from), next).take_while(|slot| *slot <= to);
    slots.map(|slot| slot.to_string()).collect()
}

#[test]
fn a_daily_line_comes_once_on_each_change_of_the_clocks() {
    let spring =
        between(&schedule("30 2 * * *", "Europe/Berlin"), "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z");
    assert_eq!(spring, ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"], "3:00, as 2:30 is not there");
    let autumn =
        between(&schedule("30 2 * * *", "Europe/Berlin"), "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z");
    assert_eq!(autumn, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"], "the first of two 2:30");
    let spring =
        between(&schedule("30 2 * * *", "America/New_York"), "2026-03-07T12:00:00Z", "2026-03-09T12:00:00Z");
    assert_eq!(spring, ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]);
    let autumn =
        between(&schedule("30 1 * * *", "America/New_York"), "2026-10-31T12:00:00Z", "2026-11-02T12:00:00Z");
    assert_eq!(autumn, ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]);
    // Half an hour, at 2:00.
    let spring = between(
        &schedule("15 2 * * *", "Australia/Lord_Howe"),
        "2026-10-03T00:00:00Z",
        "2026-10-04T23:00:00Z",
    );
    assert_eq!(spring, ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]);
    let autumn = between(
        &schedule("45 1 * * *", "Australia/Lord_Howe"),
        "2026-04-04T00:00:00Z",
        "2026-04-05T23:00:00Z",
    );
    assert_eq!(autumn, ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]);
    // The whole 30th of December was not there.
    let jump =
        between(&schedule("0 3 * * *", "Pacific/Apia"), "2011-12-29T00:00:00Z", "2011-12-31T23:00:00Z");
    assert_eq!(
        jump,
        ["2011-12-29T13:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T13:00:00Z", "2011-12-31T13:00:00Z"]
    );
    // All that is in a gap is one run.
    let spring =
        between(&schedule("*/10 2 * * *", "Europe/Berlin"), "2026-03-29T00:00:00Z", "2026-03-29T12:00:00Z");
    assert_eq!(spring, ["2026-03-29T01:00:00Z"]);
}

#[test]
fn a_pace_goes_on_by_real_time_through_both_changes() {
    for (line, seconds) in [("*/15 * * * *", 900), ("0 * * * *", 3600), ("* * * * *", 60)] {
        for zone in
            ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC", "Pacific/Apia", "Australia/Sydney"]
        {
            let schedule = schedule(line, zone);
            for from in [
                "2026-03-29T00:00:00Z",
                "2026-10-25T00:00:00Z",
                "2026-03-08T05:00:00Z",
                "2026-11-01T04:00:00Z",
            ] {
                let mut slot = schedule.next_after(at(from)).unwrap();
                for _ in 0..200 {
                    let next = schedule.next_after(slot).unwrap();
                    assert_eq!(next.duration_since(slot).as_secs(), seconds, "{line} in {zone} after {slot}");
                    slot = next;
                }
            }
        }
    }
    // Asked in the second of two hours.
    let quarters = schedule("*/15 * * * *", "Europe/Berlin");
    assert_eq!(quarters.next_after(at("2026-10-25T01:20:00Z")).unwrap(), at("2026-10-25T01:30:00Z"));
    assert_eq!(quarters.next_after(at("2026-10-25T00:59:59.5Z")).unwrap(), at("2026-10-25T01:00:00Z"));
}

#[test]
fn rare_lines_come_and_the_last_slot_is_found_backwards() {
    let leap = schedule("0 3 29 2 *", "Europe/Berlin");
    assert_eq!(leap.next_after(at("2096-03-01T00:00:00Z")).unwrap(), at("2104-02-29T02:00:00Z"));
    let daily = schedule("0 3 * * *", "UTC");
    let last = |now, floor| daily.last_at_or_before(at(now), at(floor));
    assert_eq!(last("2026-05-05T02:00:00Z", "2020-01-01T00:00:00Z"), Some(at("2026-05-04T03:00:00Z")));
    assert_eq!(last("2026-05-05T03:00:00Z", "2026-05-05T02:59:59Z"), Some(at("2026-05-05T03:00:00Z")));
    assert_eq!(last("2026-05-05T04:00:00Z", "2026-05-05T03:00:00Z"), None);
    assert_eq!(last("2026-05-05T02:00:00Z", "2030-01-01T00:00:00Z"), None);
    assert_eq!(
        leap.last_at_or_before(at("2026-01-01T00:00:00Z"), at("2000-01-01T00:00:00Z")),
        Some(at("2024-02-29T02:00:00Z"))
    );
    let two = Schedule::parse(&["0 3 * * *".to_owned(), "0 3,9 * * *".to_owned()], "UTC").unwrap();
    assert_eq!(two.next_line_after(at("2026-05-05T03:00:00Z")), Some((at("2026-05-05T09:00:00Z"), 1)));
    assert_eq!(Schedule::parse(&[], "UTC").unwrap().next_after(at("2026-05-05T03:00:00Z")), None);
    assert_eq!(daily.next_after(Timestamp::MAX), None);
    assert!(daily.next_after(Timestamp::MIN).is_some(), "from before all calendars");
}

#[test]
fn a_wrong_zone_comes_with_the_nearest() {
    for (zone, says) in [
        ("Europe/Berln", "did you mean \"Europe/Berlin\"?"),
        ("Berlin", "did you mean \"Europe/Berlin\"?"),
        ("america/new york", "did you mean \"America/New_York\"?"),
        ("CET+1", "\"Etc/GMT-2\""),
        ("UTC+3", "for +3 h the whole year, write \"Etc/GMT-3\""),
        ("+05:30", "\"Etc/GMT-5\""),
        ("MSK", "abbreviations of zones are not accepted; write a place, such as \"Europe/Moscow\""),
        ("cest", "such as \"Europe/Berlin\""),
        ("XYZ", "abbreviations of zones are not accepted"),
        ("Omks", "did you mean \"Asia/Omsk\"?"),
        ("Nowhere", "write a place such as"),
        ("", "write a place such as \"Europe/Berlin\", or \"UTC\""),
        ("../../etc/passwd", "write a place such as"),
        ("Etc/Unknown", "does not exist here"),
    ] {
        let said = Schedule::parse(&[], zone).map(drop).unwrap_err().to_string();
        assert!(said.contains(says), "{zone}: {said}");
    }
}

/// What a line names, apart from its text.
#[derive(Clone, Debug)]
struct Wanted {
    minutes: Vec<i8>,
    hours: Vec<i8>,
    days: Vec<i8>,
    weekdays: Vec<i8>,
    fixed: bool,
}

impl Wanted {
    fn matches(&self, civil: DateTime) -> bool {
        let has = |list: &[i8], value| list.is_empty() || list.contains(&value);
        let (day, weekday) =
            (has(&self.days, civil.day()), has(&self.weekdays, civil.weekday().to_sunday_zero_offset()));
        let either =
            if self.days.is_empty() || self.weekdays.is_empty() { day && weekday } else { day || weekday };
        civil.second() == 0 && has(&self.minutes, civil.minute()) && has(&self.hours, civil.hour()) && either
    }

    fn line(&self, by: Option<i8>) -> String {
        let list = |list: &[i8]| match list {
            [] => "*".to_owned(),
            list => list.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        };
        let minutes = by.map_or_else(|| list(&self.minutes), |by| format!("*/{by}"));
        format!("{minutes} {} {} * {}", list(&self.hours), list(&self.days), list(&self.weekdays))
    }
}

fn wanted() -> impl Strategy<Value = (Wanted, String)> {
    let some = |range: std::ops::Range<i8>, most| prop::collection::vec(range, 0..most);
    (
        some(0..60, 4),
        prop_oneof![Just(vec![]), some(0..4, 3), some(0..24, 3)],
        some(1..32, 2),
        some(0..7, 2),
        prop::option::of(1_i8..60),
    )
        .prop_map(|(minutes, hours, days, weekdays, by)| {
            let fixed = !hours.is_empty();
            let mut wanted = Wanted { minutes, hours, days, weekdays, fixed };
            let line = wanted.line(by);
            if let Some(by) = by {
                wanted.minutes = (0..60).step_by(usize::try_from(by).unwrap()).collect();
            }
            (wanted, line)
        })
}

/// Every slot in `(from, to]`, looking at each minute and each change of the clocks.
fn by_hand(wanted: &Wanted, zone: &TimeZone, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let mut slots = Vec::new();
    let minute = SignedDuration::from_mins(1);
    let mut now = Timestamp::from_second(from.as_second().div_euclid(60) * 60).unwrap();
    while now <= to {
        let first = zone.to_ambiguous_timestamp(zone.to_datetime(now)).earlier().unwrap() == now;
        if now > from && wanted.matches(zone.to_datetime(now)) && (first || !wanted.fixed) {
            slots.push(now);
        }
        now = now.checked_add(minute).unwrap();
    }
    for change in zone.following(from).map(|change| change.timestamp()).take_while(|change| *change <= to) {
        let last = zone.to_datetime(change.checked_sub(SignedDuration::from_secs(1)).unwrap());
        let mut civil = last.checked_add(SignedDuration::from_secs(1)).unwrap();
        while wanted.fixed
            && matches!(zone.to_ambiguous_timestamp(civil).offset(), AmbiguousOffset::Gap { .. })
        {
            if wanted.matches(civil) {
                slots.push(change);
            }
            civil = civil.checked_add(minute).unwrap();
        }
    }
    slots.sort();
    slots.dedup();
    slots
}

const ZONES: &[(&str, &[&str])] = &[
    ("Europe/Berlin", &["2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"]),
    ("America/New_York", &["2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"]),
    ("Australia/Lord_Howe", &["2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"]),
    ("Pacific/Apia", &["2011-12-30T10:00:00Z", "2012-03-31T14:00:00Z"]),
    ("America/Havana", &["2026-03-08T05:00:00Z", "2026-11-01T05:00:00Z"]),
    ("Africa/Casablanca", &["2026-02-15T02:00:00Z", "2026-03-22T02:00:00Z"]),
    ("Asia/Kolkata", &["2026-03-29T01:00:00Z"]),
    ("UTC", &["2026-03-29T01:00:00Z"]),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn slots_are_those_found_minute_by_minute(
        (wanted, line) in wanted(),
        (zone, change) in (0..ZONES.len(), 0_usize..2),
        before in 0_i64..200_000_000_000_000,
    ) {
        let (zone, changes) = ZONES[zone];
        let change = at(changes[change % changes.len()]);
        let from = change.checked_sub(SignedDuration::from_nanos(before)).unwrap();
        let to = from.checked_add(SignedDuration::from_hours(96)).unwrap();
        let schedule = schedule(&line, zone);
        let mut found = Vec::new();
        let mut last = from;
        while let Some(next) = schedule.next_after(last).filter(|next| *next <= to) {
            prop_assert!(next > last, "{} after {}", next, last);
            found.push(next);
            last = next;
        }
        let zone = TimeZone::get(zone).unwrap();
        prop_assert_eq!(&found, &by_hand(&wanted, &zone, from, to), "{}", line);
        prop_assert_eq!(schedule.last_at_or_before(to, from), found.last().copied());
    }
}
