//! One line of a schedule, as `crontab(5)` has it: minute, hour, day of the month, month, weekday.
//!
//! Promises: what is taken is exactly lists, ranges and steps of numbers and names, and comes at some time; what is not
//! taken has the nearest right form in its message. Which civil times match is `croner`'s to find. Must not know: time
//! zones.

use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Words in place of fields.
    #[error("`{line}` is not a cron line; did you mean \"{right}\"?")]
    Words {
        /// As it was written.
        line: String,
        /// The nearest right form.
        right: String,
    },
    /// Six fields: somebody counts seconds.
    #[error("`{line}` has 6 fields, and a schedule has no seconds; write \"{right}\"")]
    Seconds {
        /// As it was written.
        line: String,
        /// Without its first field.
        right: String,
    },
    /// A time zone in the line, as some other programs take it.
    #[error(
        "`{line}`: a line of the schedule has no time zone of its own; write \"{right}\", and set updates.time_zone = \"{zone}\""
    )]
    Zone {
        /// As it was written.
        line: String,
        /// Without the zone.
        right: String,
        /// The zone.
        zone: String,
    },
    /// Another number of fields.
    #[error(
        "`{line}`: expected 5 fields (minute hour day month weekday), found {count}; write it like \"0 3 * * *\", which is each day at 3:00"
    )]
    Count {
        /// As it was written.
        line: String,
        count: usize,
    },
    /// A field that is not one.
    #[error("`{line}`: the {field} `{part}` {reason}")]
    Field {
        /// As it was written.
        line: String,
        /// Such as `hour`.
        field: &'static str,
        part: String,
        /// Why not, and how it should be.
        reason: String,
    },
    /// No such date is in any calendar.
    #[error(
        "`{line}` never matches, because no month that it names has so many days; \"{right}\" is the last day"
    )]
    Never {
        /// As it was written.
        line: String,
        /// The same on the last day.
        right: String,
    },
}

struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

/// In the order of a line.
const FIELDS: [Field; 5] = [
    Field { name: "minute", least: 0, most: 59, names: &[] },
    Field { name: "hour", least: 0, most: 23, names: &[] },
    Field { name: "day of the month", least: 1, most: 31, names: &[] },
    Field {
        name: "month",
        least: 1,
        most: 12,
        names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    },
    Field { name: "weekday", least: 0, most: 7, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

/// The most days that months have, January first.
const DAYS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

impl Field {
    fn value(&self, text: &str) -> Result<u32, String> {
        let lower = text.to_ascii_lowercase();
        let named = self.names.iter().zip(self.least..).find(|(name, _)| **name == lower);
        if let Some((_, value)) = named {
            return Ok(value);
        }
        let number = (!text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse::<u32>().ok())
            .flatten();
        match number {
            Some(number) if (self.least..=self.most).contains(&number) => Ok(number),
            Some(_) => Err(format!("is out of range; the range is {} to {}", self.least, self.most)),
            None => Err(self.form()),
        }
    }

    fn is_weekday(&self) -> bool {
        self.most == 7
    }

    /// The values of a field as `croner` takes them. Weekdays are listed one by one, Sunday as 0, so that nothing
    /// depends on how ranges over the end of a week are read.
    fn plain(&self, text: &str, bits: u64, shown: Vec<String>) -> String {
        if !self.is_weekday() || text == "*" {
            return shown.join(",");
        }
        let days = (0..7).filter(|day| bits & (1 << day) != 0 || (*day == 0 && bits & (1 << 7) != 0));
        days.map(|day: u32| day.to_string()).collect::<Vec<_>>().join(",")
    }

    fn form(&self) -> String {
        let names = match self.names {
            [] => String::new(),
            names => format!(", or {}", names.join(" ")),
        };
        format!(
            "takes *, numbers from {} to {}{names}, ranges such as {}-{}, steps such as */2, and lists of these with commas",
            self.least,
            self.most,
            self.least + 1,
            self.least + 3
        )
    }

    /// What a field names, a bit for each value, and the same text in numbers.
    fn read(&self, text: &str) -> Result<(u64, String), (String, String)> {
        let (mut all, mut plain) = (0_u64, Vec::new());
        for item in text.split(',') {
            let wrong = |reason: String| (item.to_owned(), reason);
            let (range, step) = match item.split_once('/') {
                None => (item, None),
                Some((range, step)) => {
                    let step = step.parse::<u32>().ok().filter(|s| (1..=self.most).contains(s));
                    let reason = || wrong(format!("has a wrong step; steps go from 1 to {}", self.most));
                    (range, Some(step.ok_or_else(reason)?))
                }
            };
            let (first, last, shown) = match (range, range.split_once('-')) {
                ("*", _) => (self.least, self.most, "*".to_owned()),
                (_, Some((first, last))) => {
                    let first = self.value(first).map_err(wrong)?;
                    let mut last = self.value(last).map_err(wrong)?;
                    // Sunday is 0 and 7: at the end of a range that began before it, it is 7.
                    if self.is_weekday() && last == 0 && first > 0 {
                        last = 7;
                    }
                    if first > last {
                        return Err(wrong(format!(
                            "goes backwards; write \"{first}-{},{}-{last}\"",
                            self.most, self.least
                        )));
                    }
                    (first, last, format!("{first}-{last}"))
                }
                (one, None) => {
                    let value = self.value(one).map_err(wrong)?;
                    if let Some(step) = step {
                        return Err(wrong(format!(
                            "steps from a single value; write \"{value}-{}/{step}\"",
                            self.most
                        )));
                    }
                    (value, value, value.to_string())
                }
            };
            let by = usize::try_from(step.unwrap_or(1)).unwrap_or(1);
            all |= (first..=last).step_by(by).fold(0, |bits, value| bits | (1 << value));
            plain.push(step.map_or_else(|| shown.clone(), |step| format!("{shown}/{step}")));
        }
        Ok((all, self.plain(text, all, plain)))
    }
}

/// The time zone in a line, before or behind its fields, and the other fields.
fn with_zone<'a>(parts: &'a [&'a str]) -> Option<(&'a str, &'a [&'a str])> {
    if let [first, rest @ ..] = parts
        && let Some((_, zone)) = first.split_once('=').filter(|(name, _)| name.ends_with("TZ"))
    {
        return Some((zone, rest));
    }
    match parts {
        [rest @ .., last] if rest.len() == 5 && is_zone(last) => Some((last, rest)),
        _ => None,
    }
}

/// Such as `Europe/Berlin` or `UTC`; `*/2` and `mon` are fields.
fn is_zone(text: &str) -> bool {
    text == "UTC"
        || text.split_once('/').is_some_and(|(area, _)| area.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// A line that was read.
#[derive(Clone, Debug)]
pub struct CronLine {
    cron: Cron,
    /// As it was written.
    text: String,
    /// As `croner` and `tokio-cron-scheduler` take it: numbers alone.
    plain: String,
    at_fixed_hours: bool,
}

impl CronLine {
    /// Reads a line.
    ///
    /// # Errors
    /// [`LineError`], with the nearest right form.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        let line: String = text.escape_debug().take(120).collect();
        let known = match text.trim().to_ascii_lowercase().as_str() {
            "@hourly" => Some("0 * * * *"),
            "@daily" | "@midnight" => Some("0 0 * * *"),
            "@weekly" => Some("0 0 * * 0"),
            "@monthly" => Some("0 0 1 * *"),
            "@yearly" | "@annually" => Some("0 0 1 1 *"),
            _ => None,
        };
        let parts: Vec<&str> = known.unwrap_or(text).split_whitespace().collect();
        if let Some((zone, rest)) = with_zone(&parts) {
            let zone = zone.escape_debug().take(60).collect();
            return Err(LineError::Zone {
                line,
                right: rest.join(" ").escape_debug().take(120).collect(),
                zone,
            });
        }
        if known.is_none()
            && let Some(right) = said_in_words(&parts)
        {
            return Err(LineError::Words { line, right });
        }
        let [minute, hour, day, month, weekday] = parts.as_slice() else {
            return Err(match parts.as_slice() {
                [_, rest @ ..] if rest.len() == 5 => LineError::Seconds { line, right: rest.join(" ") },
                parts => LineError::Count { line, count: parts.len() },
            });
        };
        let mut fields = Vec::new();
        for (field, part) in FIELDS.iter().zip([minute, hour, day, month, weekday]) {
            let wrong = |(part, reason): (String, String)| LineError::Field {
                line: line.clone(),
                field: field.name,
                part: part.escape_debug().take(60).collect(),
                reason,
            };
            fields.push(field.read(part).map_err(wrong)?);
        }
        let [_, hours, days, months, _] = fields.as_slice() else {
            return Err(LineError::Count { line, count: fields.len() });
        };
        let named = |bits: u64, value: u32| bits & (1 << value) != 0;
        // crontab(5): where neither the day nor the weekday begins with `*`, either is enough; else both must match.
        let both = day.starts_with('*') || weekday.starts_with('*');
        if both {
            let longest = DAYS.iter().zip(1..).filter(|(_, month)| named(months.0, *month));
            let longest = longest.map(|(days, _)| *days).max().unwrap_or(31);
            if (1..=longest).all(|day| !named(days.0, day)) {
                let right = format!("{minute} {hour} {longest} {month} {weekday}");
                return Err(LineError::Never { line, right });
            }
        }
        let at_fixed_hours = !hour.starts_with('*') && hours.0.count_ones() < 24;
        let plain = fields.iter().map(|(_, plain)| plain.as_str()).collect::<Vec<_>>().join(" ");
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .dom_and_dow(both)
            .build();
        let cron = parser.parse(&plain).map_err(|_| LineError::Field {
            line: line.clone(),
            field: "whole",
            part: plain.clone(),
            reason: "is not understood; write such as \"0 3 * * *\" for each day at 3:00".to_owned(),
        })?;
        Ok(Self { cron, text: text.to_owned(), plain, at_fixed_hours })
    }

    /// The line as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The line in numbers, with a field for seconds before it.
    pub fn with_seconds(&self) -> String {
        format!("0 {}", self.plain)
    }

    /// Whether it names hours of the day, such as `30 2 * * *`: an appointment, which is kept once a day. Else it is a
    /// pace, such as `*/15 * * * *`, which goes on through a repeated hour.
    pub fn at_fixed_hours(&self) -> bool {
        self.at_fixed_hours
    }

    /// The first civil time that matches after `civil`, or at it where `inclusive`; in seconds since the beginning of
    /// 1970 by the same wall clock.
    pub fn next(&self, civil: i64, inclusive: bool) -> Option<i64> {
        let from = DateTime::<Utc>::from_timestamp(civil, 0)?;
        // As if the wall clock were UTC: there every civil time comes once.
        let found = self.cron.find_next_occurrence(&from, inclusive).ok()?.timestamp();
        Some(found).filter(|found| *found > civil || (inclusive && *found == civil))
    }
}

/// The cron line of what people write instead, where it is understood.
fn said_in_words(parts: &[&str]) -> Option<String> {
    let words: Vec<String> = parts.iter().map(|word| word.to_ascii_lowercase()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "at").collect();
    let time = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let (hour, minute) = (hour.parse::<u32>().ok()?, minute.parse::<u32>().ok()?);
        (hour < 24 && minute < 60).then(|| format!("{minute} {hour} * * *"))
    };
    match words.as_slice() {
        ["hourly"] | ["every", "hour"] => Some("0 * * * *".to_owned()),
        ["every", "minute"] => Some("* * * * *".to_owned()),
        ["daily" | "nightly"] | ["every", "day" | "night"] => Some("0 3 * * *".to_owned()),
        ["weekly"] | ["every", "week"] => Some("0 3 * * 0".to_owned()),
        ["daily", at] | ["every", "day", at] | [at] if at.contains(':') => time(at),
        ["every", count, unit] | ["each", count, unit] => {
            let count = count.parse::<u32>().ok().filter(|n| *n > 0)?;
            match *unit {
                "m" | "min" | "mins" | "minute" | "minutes" if count < 60 => {
                    Some(format!("*/{count} * * * *"))
                }
                "h" | "hour" | "hours" if count < 24 => Some(format!("0 */{count} * * *")),
                _ => Some("0 3 * * *".to_owned()),
            }
        }
        [word] => {
            let (number, unit) = word.split_at_checked(word.len().checked_sub(1)?)?;
            let count = number.parse::<u32>().ok().filter(|n| *n > 0)?;
            match unit {
                "m" if count < 60 => Some(format!("*/{count} * * * *")),
                "h" if count < 24 => Some(format!("0 */{count} * * *")),
                _ => None,
            }
        }
        ["every", ..] => Some("0 3 * * *".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_comes_with_the_nearest_right_form() {
        for (text, says) in [
            ("0 */15 * * * *", "has 6 fields, and a schedule has no seconds; write \"*/15 * * * *\""),
            (
                "TZ=Europe/Berlin 0 3 * * *",
                "write \"0 3 * * *\", and set updates.time_zone = \"Europe/Berlin\"",
            ),
            ("CRON_TZ=Asia/Tokyo @daily", "write \"@daily\", and set updates.time_zone = \"Asia/Tokyo\""),
            ("0 3 * * * Europe/Berlin", "write \"0 3 * * *\", and set updates.time_zone = \"Europe/Berlin\""),
            ("every 10 minutes", "did you mean \"*/10 * * * *\"?"),
            ("every 6 hours", "did you mean \"0 */6 * * *\"?"),
            ("15m", "did you mean \"*/15 * * * *\"?"),
            ("daily at 03:30", "did you mean \"30 3 * * *\"?"),
            ("hourly", "did you mean \"0 * * * *\"?"),
            ("", "expected 5 fields (minute hour day month weekday), found 0"),
            ("0 3 * *", "found 4"),
            ("60 * * * *", "the minute `60` is out of range; the range is 0 to 59"),
            ("0 25 * * *", "the hour `25` is out of range; the range is 0 to 23"),
            ("0 3 0 * *", "the day of the month `0` is out of range; the range is 1 to 31"),
            ("0 3 * 13 *", "the month `13` is out of range; the range is 1 to 12"),
            ("0 3 * * 8", "the weekday `8` is out of range; the range is 0 to 7"),
            ("0 3 * * monday", "the weekday `monday` takes *, numbers from 0 to 7, or sun mon"),
            ("5/15 * * * *", "steps from a single value; write \"5-59/15\""),
            ("*/0 * * * *", "the minute `*/0` has a wrong step"),
            ("*/99 * * * *", "has a wrong step; steps go from 1 to 59"),
            ("0 22-4 * * *", "goes backwards; write \"22-23,0-4\""),
            ("0 3 31 2 *", "never matches, because no month that it names has so many days; \"0 3 29 2 *\""),
            ("0 3 31 4,6 *", "never matches"),
            ("0 3 L * *", "the day of the month `L` takes"),
            ("0 3 * * \u{663}", "the weekday"),
            ("0 3 * * 1#2", "the weekday `1#2` takes"),
            ("+0 3 * * *", "the minute `+0` takes"),
            ("@reboot", "found 1"),
        ] {
            let said = CronLine::parse(text).map(drop).unwrap_err().to_string();
            assert!(said.contains(says), "{text}: {said}");
        }
        for text in ["* * * * *", "0 3 31 2 1", "0 3 29 2 *", "0,30 8-18/2 * jan-MAR sun,fri-sun", "@daily"] {
            CronLine::parse(text).unwrap();
        }
    }

    /// The weekdays on which a line comes in two weeks, Sunday as 0.
    fn weekdays(text: &str) -> Vec<i64> {
        // 2026-11-29 is a Sunday.
        let (start, week) = (1_795_910_400, 7 * 86_400);
        let line = CronLine::parse(text).unwrap();
        let slots = std::iter::successors(line.next(start, true), |slot| line.next(*slot, false));
        let days = slots.take_while(|slot| *slot < start + 2 * week).map(|slot| (slot - start) / 86_400);
        let days: Vec<i64> = days.collect();
        let (first, second): (Vec<i64>, Vec<i64>) = days.iter().partition(|day| **day < 7);
        assert_eq!(first, second.iter().map(|day| day - 7).collect::<Vec<_>>(), "{text}");
        first
    }

    #[test]
    fn sunday_is_0_and_7_as_crontab_has_it() {
        for (weekday, days) in [
            ("sun-sun", &[0][..]),
            ("0-0", &[0]),
            ("7-7", &[0]),
            ("7", &[0]),
            ("0", &[0]),
            ("sun", &[0]),
            ("0,7", &[0]),
            ("fri-sun", &[0, 5, 6]),
            ("sat-sun", &[0, 6]),
            ("5-7", &[0, 5, 6]),
            ("6-0", &[0, 6]),
            ("mon-sun", &[0, 1, 2, 3, 4, 5, 6]),
            ("0-7", &[0, 1, 2, 3, 4, 5, 6]),
            ("sun-sat", &[0, 1, 2, 3, 4, 5, 6]),
            ("sun-tue", &[0, 1, 2]),
            ("0-6/2", &[0, 2, 4, 6]),
            ("1-7/2", &[0, 1, 3, 5]),
            ("fri-sun/2", &[0, 5]),
            ("sun-sun/2", &[0]),
            ("*/2", &[0, 2, 4, 6]),
            ("*/7", &[0]),
            ("SAT,Sun-Sun", &[0, 6]),
            ("mon-mon", &[1]),
        ] {
            assert_eq!(weekdays(&format!("0 3 * * {weekday}")), days, "{weekday}");
            // What a list of single days comes to, by the library alone.
            let single: Vec<String> = days.iter().map(ToString::to_string).collect();
            assert_eq!(weekdays(&format!("0 3 * * {}", single.join(","))), days, "{weekday}");
        }
        for backwards in ["7-2", "sat-mon", "tue-mon"] {
            let said = CronLine::parse(&format!("0 3 * * {backwards}")).map(drop).unwrap_err().to_string();
            assert!(said.contains("goes backwards"), "{said}");
        }
    }

    #[test]
    fn a_day_and_a_weekday_are_joined_as_crontab_has_it() {
        // November 2026: the 2nd is a Monday.
        let days = |text: &str| -> Vec<i64> {
            let (start, line) = (1_793_491_200, CronLine::parse(text).unwrap());
            let slots = std::iter::successors(line.next(start, true), |slot| line.next(*slot, false));
            slots
                .take_while(|slot| *slot < start + 30 * 86_400)
                .map(|slot| 1 + (slot - start) / 86_400)
                .collect()
        };
        assert_eq!(days("0 3 10 * mon"), [2, 9, 10, 16, 23, 30], "either is enough");
        assert_eq!(days("0 3 */2 * mon"), [9, 23], "both, as one begins with *");
        assert_eq!(days("0 3 1-7 * */7"), [1], "the first Sunday");
        assert_eq!(days("0 3 * * mon"), [2, 9, 16, 23, 30]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_ends_the_program(text in "[-*/,@#0-9a-zA-Z+?\\PC ]{0,40}") {
            if let Ok(line) = CronLine::parse(&text) {
                line.next(1_700_000_000, false);
            }
        }

        #[test]
        fn what_is_taken_comes(text in "(\\*|\\*/[0-9]{1,2}|[0-9]{1,2}(-[0-9]{1,2})?) (\\*|\\*/[0-9]|[0-9]{1,2}) (\\*|[0-9]{1,2}) (\\*|[0-9]{1,2}|feb) (\\*|[0-7])") {
            if let Ok(line) = CronLine::parse(&text) {
                proptest::prop_assert!(line.next(1_700_000_000, false).is_some());
            }
        }
    }
}
