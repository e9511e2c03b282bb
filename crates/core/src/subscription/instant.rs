//! Days on the time line: "N days" is N × 86,400 s, and sums stop at the ends of the representable time. And instants as
//! they are written: RFC 3339, nothing else.

use jiff::{SignedDuration, Timestamp, civil::Date};
use serde::{Deserialize, Deserializer, de::Error};

/// The seconds of a day. Leap seconds and time zones play no part in a term.
pub const DAY_SECONDS: i64 = 86_400;

fn days(count: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(DAY_SECONDS))
}

/// `at` plus `count` days, at most the last representable instant.
pub fn add_days(at: Timestamp, count: u64) -> Timestamp {
    at.checked_add(days(count)).unwrap_or(Timestamp::MAX)
}

/// `at` minus `count` days, at least the first representable instant.
pub fn sub_days(at: Timestamp, count: u64) -> Timestamp {
    at.checked_sub(days(count)).unwrap_or(Timestamp::MIN)
}

/// Whole days from `now` to `deadline`, rounded up; 0 where it has passed.
pub fn days_left(now: Timestamp, deadline: Timestamp) -> u64 {
    let left = deadline.duration_since(now);
    if left <= SignedDuration::ZERO {
        return 0;
    }
    let whole = left.as_secs() / DAY_SECONDS;
    let rest = left.as_secs() % DAY_SECONDS != 0 || left.subsec_nanos() != 0;
    u64::try_from(whole).unwrap_or(0) + u64::from(rest)
}

/// A text that is no instant by RFC 3339. Quotes nothing: the text may be of any length, and from anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a time as in RFC 3339, such as 2027-12-31T23:59:59Z or 2027-12-31T23:59:59+03:00")]
pub struct BadInstant;

/// Reads an instant by RFC 3339, section 5.6: date, `T` (or `t`, or a space), time with seconds, and an offset. A time
/// zone's name, a time without an offset and the other forms of ISO 8601 are refused. An instant that lies beyond the last
/// one that can be represented ("for ever": 9999-12-31) is that last one; fractions finer than a nanosecond are cut.
///
/// # Errors
/// [`BadInstant`] for anything else, and for dates that are in no calendar.
pub fn read_instant(text: &str) -> Result<Timestamp, BadInstant> {
    let form = text.as_bytes();
    // YYYY-MM-DDTHH:MM:SS, then a fraction, then the offset.
    let pattern = b"0000-00-00T00:00:00";
    let head = form.get(..pattern.len()).ok_or(BadInstant)?;
    let fits = head.iter().zip(pattern).all(|(byte, expected)| match expected {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't' | b' '),
        other => byte == other,
    });
    if !fits || text.len() > 64 {
        return Err(BadInstant);
    }
    let rest = text.get(pattern.len()..).ok_or(BadInstant)?;
    let (fraction, offset) = match rest.strip_prefix('.') {
        Some(digits) => {
            let end = digits.find(|c: char| !c.is_ascii_digit()).ok_or(BadInstant)?;
            if end == 0 {
                return Err(BadInstant);
            }
            (digits.get(..end.min(9)).ok_or(BadInstant)?, digits.get(end..).ok_or(BadInstant)?)
        }
        None => ("", rest),
    };
    let offset_seconds = read_offset(offset)?;
    let date_time = format!(
        "{}.{fraction:0<9}",
        text.get(..pattern.len()).ok_or(BadInstant)?.replacen(['t', ' '], "T", 1)
    );
    let civil: jiff::civil::DateTime = date_time.parse().map_err(|_| BadInstant)?;
    let in_utc = jiff::tz::TimeZone::UTC.to_timestamp(civil).map_err(|_| ());
    let Ok(in_utc) = in_utc else {
        // Years have four digits without a sign: what UTC cannot represent lies in the last days of the year 9999.
        return Ok(Timestamp::MAX);
    };
    Ok(in_utc.checked_sub(SignedDuration::from_secs(offset_seconds)).unwrap_or(Timestamp::MAX))
}

/// An instant in JSON, read by [`read_instant`]: for `deserialize_with`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    read_instant(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// The same where it may be absent; such a field also needs `default`.
pub(super) fn deserialize_option<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| read_instant(&text).map_err(D::Error::custom)).transpose()
}

/// A day in JSON that may be absent: `full-date` of RFC 3339 and nothing else.
pub(super) fn deserialize_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    let day = |text: String| {
        let is_full_date = text.len() == "2026-01-01".len() && text.is_ascii();
        let date = text.parse().ok().filter(|_| is_full_date);
        date.ok_or_else(|| D::Error::custom("expected a day as in RFC 3339, such as 2027-12-31"))
    };
    Option::<String>::deserialize(deserializer)?.map(day).transpose()
}

/// The seconds that an offset is east of UTC.
fn read_offset(text: &str) -> Result<i64, BadInstant> {
    if matches!(text, "Z" | "z") {
        return Ok(0);
    }
    let sign = match text.as_bytes().first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Err(BadInstant),
    };
    let (hours, minutes) = text.get(1..).and_then(|rest| rest.split_once(':')).ok_or(BadInstant)?;
    let read = |digits: &str, below: i64| match digits.parse::<i64>() {
        Ok(number) if digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit()) && number < below => {
            Ok(number)
        }
        _ => Err(BadInstant),
    };
    Ok(sign * (read(hours, 24)? * 3600 + read(minutes, 60)? * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_rounded_up_and_never_overflow() {
        let end: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(days_left(sub_days(end, 30), end), 30);
        assert_eq!(days_left(end, end), 0);
        assert_eq!(days_left("2026-03-01T11:59:59.999Z".parse().unwrap(), end), 1);
        assert_eq!(add_days(end, u64::MAX), Timestamp::MAX);
        assert_eq!(sub_days(end, u64::MAX), Timestamp::MIN);
        assert!(days_left(Timestamp::MIN, Timestamp::MAX) > 7_000_000);
    }

    #[test]
    fn an_instant_is_read_by_rfc_3339_and_nothing_else() {
        for (text, same) in [
            ("2027-12-31T23:59:59Z", "2027-12-31T23:59:59Z"),
            ("2027-12-31t23:59:59z", "2027-12-31T23:59:59Z"),
            ("2027-12-31 23:59:59+03:00", "2027-12-31T20:59:59Z"),
            ("2027-12-31T23:59:59.5-00:30", "2028-01-01T00:29:59.5Z"),
            ("2027-12-31T23:59:59.1234567891234Z", "2027-12-31T23:59:59.123456789Z"),
            // A leap second is the end of its minute.
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
        ] {
            assert_eq!(read_instant(text), Ok(same.parse().unwrap()), "{text}");
        }
        for last in [
            "9999-12-31T00:00:00Z",
            "9999-12-31T23:59:59+00:00",
            "9999-12-31T23:59:59-23:59",
            "9999-12-30T23:59:59-12:00",
        ] {
            assert_eq!(read_instant(last), Ok(Timestamp::MAX), "{last}");
        }
        assert_eq!(
            read_instant(&Timestamp::MAX.to_string()),
            Ok(Timestamp::MAX),
            "what is written is read again"
        );
        for bad in [
            "20271231T235959Z",
            "2027-12-31T23:59:59Z[Asia/Tokyo]",
            "2027-12-31T23:59:59+09:00[Asia/Tokyo]",
            "2027-12-31T23:59:59",
            "2027-12-31T23:59Z",
            "2027-12-31",
            "2027-12-31T23:59:59+03",
            "2027-12-31T23:59:59+0300",
            "+002027-12-31T23:59:59Z",
            "-002027-12-31T23:59:59Z",
            "2027-12-31T23:59:59,5Z",
            "2027-12-31T23:59:59.Z",
            "2027-02-30T00:00:00Z",
            "2027-12-31T24:00:00Z",
            "2027-12-31T23:60:00Z",
            "2027-12-31T23:59:59+24:00",
            "2027-12-31T23:59:59+00:60",
            "2027-W52-5T23:59:59Z",
            "1830297599",
            "",
            " 2027-12-31T23:59:59Z",
            "2027-12-31T23:59:59Z ",
            "2027-12-31T23:59:59+1:00",
            "2027-12-31T23:59:59−03:00",
            "２０27-12-31T23:59:59Z",
        ] {
            assert_eq!(read_instant(bad), Err(BadInstant), "{bad}");
        }
    }
}
