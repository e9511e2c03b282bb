//! What the headers of an answer say about time.

use hyper::header::{self, HeaderMap};
use std::time::Duration;

/// Nobody waits longer for what a server asks.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The `Retry-After` of an answer (RFC 9110, section 10.2.3), in seconds or as a date, at most an hour.
pub fn retry_after(headers: &HeaderMap, now: jiff::Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More than a number can be is still a number.
        text.parse().map_or(MAX_RETRY_AFTER, Duration::from_secs)
    } else {
        let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Duration::try_from(date.duration_since(now)).unwrap_or_default()
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// The time that an answer tells: its `Date`, and the `Age` that a cache adds to it (RFC 9110, section 6.6.1; RFC 9111,
/// section 5.1).
pub fn server_time(headers: &HeaderMap) -> Option<jiff::Timestamp> {
    let header = |name| headers.get(name)?.to_str().ok();
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(header(header::DATE)?).ok()?;
    let age = header(header::AGE).map_or(Ok(0), str::parse::<u32>).ok()?;
    date.checked_add(jiff::SignedDuration::from_secs(age.into())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn a_wait_that_no_number_can_hold_is_the_longest_there_is() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            retry_after(&headers, jiff::Timestamp::UNIX_EPOCH)
        };
        for (text, wait) in [
            ("0", Some(0)),
            ("30", Some(30)),
            (" 30 ", Some(30)),
            ("99999999999999999999", Some(3600)),
            ("3601", Some(3600)),
            ("Thu, 01 Jan 1970 00:00:05 GMT", Some(5)),
            ("Tue, 01 Jan 2030 00:00:05 GMT", Some(3600)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(of(text), wait.map(Duration::from_secs), "{text}");
        }
    }
}
