//! The schedule: cron lines in a time zone, and the instants (slots) at which they come.
//!
//! Promises: pure; slots are strictly increasing. Over a change of the clocks, a line that names hours comes once: at
//! the first instant after a gap that holds its time, and in the first pass of an hour that comes twice. A line that
//! is a pace goes on by real time. `croner` finds civil times that match; which instants these are is found here, by the
//! system's zones (`tzdata`): its own search loses the second pass of a repeated hour.

use crate::config::cron_line::{CronLine, LineError};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use svm_core::nearest::distance;

/// More lines than this are no schedule.
const MAX_LINES: usize = 24;

/// Offsets of one place never differ by so much, and neither do two changes of its clocks lie so near. In seconds.
const MARGIN: i64 = 3 * 86_400;

/// Why there is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    #[error(transparent)]
    CronLine(#[from] LineError),
    #[error(
        "there are {0} lines, and at most {MAX_LINES} are possible; use lists and steps such as \"0 2-6/2 * * *\""
    )]
    TooMany(usize),
    /// A zone that is not known.
    #[error("the time zone \"{zone}\" does not exist here; {hint}")]
    Zone {
        /// As it was written.
        zone: String,
        /// The nearest one that is.
        hint: String,
    },
}

/// Cron lines in a time zone.
#[derive(Clone, Debug)]
pub struct Schedule {
    lines: Vec<CronLine>,
    zone: TimeZone,
    name: String,
}

impl Schedule {
    /// Reads cron lines and the name of a zone; without lines nothing ever comes.
    ///
    /// # Errors
    /// The first that is wrong, by name, and how it should be.
    pub fn parse(lines: &[String], zone: &str) -> Result<Self, ScheduleError> {
        let name = zone.to_owned();
        let zone = time_zone(zone)?;
        if lines.len() > MAX_LINES {
            return Err(ScheduleError::TooMany(lines.len()));
        }
        let lines = lines.iter().map(|line| CronLine::parse(line)).collect::<Result<_, _>>()?;
        Ok(Self { lines, zone, name })
    }

    /// Whether nothing ever comes.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub fn lines(&self) -> &[CronLine] {
        &self.lines
    }

    /// The name of the zone, as it was written.
    pub fn zone(&self) -> &str {
        &self.name
    }

    /// The first slot after an instant.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.next_line_after(after).map(|(slot, _)| slot)
    }

    /// The same, and which line it is of.
    pub fn next_line_after(&self, after: Timestamp) -> Option<(Timestamp, usize)> {
        let slots =
            self.lines.iter().enumerate().filter_map(|(at, line)| Some((self.next_of(line, after)?, at)));
        slots.min()
    }

    /// The last slot at or before an instant, and after `not_before`.
    pub fn last_at_or_before(&self, at: Timestamp, not_before: Timestamp) -> Option<Timestamp> {
        // Backwards in spans that double: what one of them holds is not many.
        let mut span = SignedDuration::from_mins(1);
        loop {
            let from = at.checked_sub(span).map_or(not_before, |from| from.max(not_before));
            let mut found = None;
            let mut next = self.next_after(from);
            while let Some(slot) = next.filter(|slot| *slot <= at) {
                found = Some(slot);
                next = self.next_after(slot);
            }
            if found.is_some() || from <= not_before {
                return found;
            }
            span = span.checked_mul(2)?;
        }
    }

    fn offset(&self, at: Timestamp) -> i64 {
        i64::from(self.zone.to_offset(at).seconds())
    }

    /// The first slot of a line after an instant. Between two changes of its clocks a place's time is its offset away
    /// from UTC: each such stretch is searched by civil time, until one holds a match.
    fn next_of(&self, line: &CronLine, after: Timestamp) -> Option<Timestamp> {
        let mut from = after.as_second();
        if after.subsec_nanosecond() < 0 {
            from -= 1;
        }
        let mut inclusive = false;
        for _ in 0..1000 {
            let here = Timestamp::from_second(from).ok()?;
            let offset = self.offset(here);
            let (mut civil, mut at_it) = (from + offset, inclusive);
            if line.at_fixed_hours() {
                // What the stretch before had shown already comes no second time.
                let began = self.zone.preceding(here.checked_add(SignedDuration::from_nanos(1)).ok()?).next();
                if let Some(began) = began.map(|change| change.timestamp()) {
                    let before = self.offset(began.checked_sub(SignedDuration::from_nanos(1)).ok()?);
                    let shown = began.as_second() + before;
                    if shown > civil {
                        (civil, at_it) = (shown, true);
                    }
                }
            }
            let found = line.next(civil, at_it)?;
            let Some(end) = self.zone.following(here).next().map(|change| change.timestamp()) else {
                return Timestamp::from_second(found - offset).ok();
            };
            let (end_second, after_it) = (end.as_second(), self.offset(end));
            if found < end_second + offset {
                return Timestamp::from_second(found - offset).ok();
            }
            if line.at_fixed_hours() && found < end_second + after_it {
                // Its time is in the gap.
                return Some(end);
            }
            // Years may lie between, such as to the next 29th of February; few stretches are looked at.
            (from, inclusive) = (end_second.max(found - offset - MARGIN), true);
        }
        None
    }
}

/// A zone by its name.
fn time_zone(name: &str) -> Result<TimeZone, ScheduleError> {
    if matches!(name, "UTC" | "Etc/UTC") {
        return Ok(TimeZone::UTC);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    match TimeZone::get(name) {
        Ok(zone) if !zone.is_unknown() && name.chars().all(plain) => Ok(zone),
        _ => {
            let zone = name.escape_debug().take(60).collect();
            Err(ScheduleError::Zone { zone, hint: nearest_zone(name) })
        }
    }
}

fn nearest_zone(wrong: &str) -> String {
    let known: Vec<String> = jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
    if known.is_empty() {
        return "this machine knows only \"UTC\", because /usr/share/zoneinfo is missing; install tzdata"
            .to_owned();
    }
    if wrong.is_empty() {
        return "write a place such as \"Europe/Berlin\", or \"UTC\"".to_owned();
    }
    // UTC+2 and +02:00: the names of such zones count the other way.
    if let Some(at) = wrong.find(['+', '-'])
        && let Some((sign, hours)) = wrong.get(at..).and_then(|text| text.split_at_checked(1))
        && let Ok(hours) = hours.split(':').next().unwrap_or_default().parse::<u32>()
        && (1..=12).contains(&hours)
    {
        let base = if wrong.get(..at).is_some_and(|base| base.eq_ignore_ascii_case("CET")) { 1 } else { 0 };
        let east = if sign == "+" { i64::from(hours) } else { -i64::from(hours) } + base;
        let name = format!("Etc/GMT{:+}", -east);
        if east != 0 && known.contains(&name) {
            return format!(
                "write a place such as \"Europe/Berlin\", whose offset follows its clock changes; for {east:+} h the whole year, write \"{name}\""
            );
        }
    }
    if let Some(place) = place_of_abbreviation(wrong) {
        return format!("abbreviations of zones are not accepted; write a place, such as \"{place}\"");
    }
    let far = |name: &String| {
        let place = name.rsplit('/').next().unwrap_or_default();
        distance(wrong, name).into_iter().chain(distance(wrong, place)).min()
    };
    match known.iter().filter_map(|name| Some((far(name)?, name))).min() {
        Some((_, name)) => format!("did you mean \"{name}\"?"),
        None => "write a place such as \"Europe/Berlin\"; `timedatectl list-timezones` lists all".to_owned(),
    }
}

/// Common abbreviations, each with a place of its zone. They are not names of zones: several zones share one, and half of
/// them stand for a part of the year.
const ABBREVIATIONS: &[(&str, &str)] = &[
    ("MSK", "Europe/Moscow"),
    ("MSD", "Europe/Moscow"),
    ("SAMT", "Europe/Samara"),
    ("YEKT", "Asia/Yekaterinburg"),
    ("OMST", "Asia/Omsk"),
    ("NOVT", "Asia/Novosibirsk"),
    ("KRAT", "Asia/Krasnoyarsk"),
    ("IRKT", "Asia/Irkutsk"),
    ("YAKT", "Asia/Yakutsk"),
    ("VLAT", "Asia/Vladivostok"),
    ("MAGT", "Asia/Magadan"),
    ("PETT", "Asia/Kamchatka"),
    ("TRT", "Europe/Istanbul"),
    ("GST", "Asia/Dubai"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("KST", "Asia/Seoul"),
    ("AEST", "Australia/Sydney"),
    ("BST", "Europe/London"),
    ("WEST", "Europe/Lisbon"),
    ("CEST", "Europe/Berlin"),
    ("EEST", "Europe/Helsinki"),
    ("EDT", "America/New_York"),
    ("CST", "America/Chicago"),
    ("CDT", "America/Chicago"),
    ("MDT", "America/Denver"),
    ("PST", "America/Los_Angeles"),
    ("PDT", "America/Los_Angeles"),
];

/// A place of the zone that an abbreviation means; some place for one that is not known.
fn place_of_abbreviation(name: &str) -> Option<&'static str> {
    let known = ABBREVIATIONS.iter().find(|(short, _)| short.eq_ignore_ascii_case(name));
    let looks_like_one = (3..=5).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_uppercase());
    known.map(|(_, place)| *place).or(looks_like_one.then_some("Europe/Berlin"))
}

#[cfg(test)]
mod tests;
