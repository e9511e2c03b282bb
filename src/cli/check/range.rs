//! Ranges of thresholds, as the Monitoring Plugins Development Guidelines have them ("Threshold and Ranges").
//!
//! `10` alerts outside 0 to 10, `10:` below 10, `~:10` above 10, `10:20` outside of them, `@10:20` inside.

use std::fmt;
use std::str::FromStr;

/// A range of values, and on which side of it one alerts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Range {
    start: f64,
    end: f64,
    inside: bool,
    /// As it was written: performance data hold it so.
    text: String,
}

/// A text that is no range.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a range: it is such as 7: (alert below 7), 10 (alert outside 0 to 10), ~:10, 10:20 or @10:20", .0.escape_debug())]
pub(super) struct RangeError(String);

impl Range {
    /// Whether a value alerts.
    pub(super) fn alerts(&self, value: f64) -> bool {
        let within = (self.start..=self.end).contains(&value);
        within == self.inside
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let wrong = || RangeError(text.chars().take(60).collect());
        // Neither `inf` nor `1e3`, which Rust would take.
        let number = |text: &str| {
            let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
            text.parse::<f64>().ok().filter(|_| plain)
        };
        let (inside, bounds) = match text.strip_prefix('@') {
            Some(bounds) => (true, bounds),
            None => (false, text),
        };
        let (start, end) = match bounds.split_once(':') {
            None => (Some(0.0), number(bounds)),
            Some((start, end)) => {
                let start = if start == "~" { Some(f64::NEG_INFINITY) } else { number(start) };
                (start, if end.is_empty() { Some(f64::INFINITY) } else { number(end) })
            }
        };
        let (start, end) = start.zip(end).filter(|(start, end)| start <= end).ok_or_else(wrong)?;
        Ok(Self { start, end, inside, text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_guidelines() {
        // range, values that alert, values that do not
        for (text, alerts, quiet) in [
            ("10", vec![-0.1, 10.5], vec![0.0, 10.0]),
            ("10:", vec![9.9, -1.0], vec![10.0, 1e9]),
            ("~:10", vec![10.1], vec![-1e9, 10.0]),
            ("10:20", vec![9.0, 21.0], vec![10.0, 20.0]),
            ("@10:20", vec![10.0, 15.0, 20.0], vec![9.9, 20.1]),
            ("@10", vec![0.0, 10.0], vec![-0.1, 11.0]),
            ("-5:-2.5", vec![-6.0, 0.0], vec![-5.0, -2.5]),
        ] {
            let range: Range = text.parse().unwrap();
            assert!(alerts.iter().all(|v| range.alerts(*v)), "{text} alerts at {alerts:?}");
            assert!(!quiet.iter().any(|v| range.alerts(*v)), "{text} is quiet at {quiet:?}");
            assert_eq!(range.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", ":", ":5", "5:1", "a", "1:b", "@", "1:2:3", "inf", "~", "1e3", "5%", "--1", " 1"] {
            assert!(text.parse::<Range>().is_err(), "{text:?}");
        }
    }
}
