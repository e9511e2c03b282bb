//! Which sequence numbers of one source are missing.
//!
//! Promises: a number is missing from when a higher one is seen until it comes or is named as one that will
//! never come; numbers start at 1. Memory is bounded: at most [`MAX_RANGES`] ranges are held, the oldest are
//! forgotten first and counted. Pure: it knows neither the store nor the events.

use std::collections::BTreeMap;
use std::fmt;

/// More ranges than this are not held for one source.
pub const MAX_RANGES: usize = 512;

/// The sequence numbers of one source: how far they go, and what is missing below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    highest: Option<u64>,
    /// First and last number of each missing range; no two touch.
    ranges: BTreeMap<u64, u64>,
    /// Numbers whose range was forgotten because there were too many.
    forgotten: u64,
}

impl Gaps {
    /// What was kept of an earlier state: `ranges` as written by [`Gaps::ranges_text`]. Text that is none is
    /// taken for no ranges: it only ever shows less.
    pub fn restore(highest: Option<u64>, ranges: &str, forgotten: u64) -> Self {
        let range = |part: &str| {
            let (from, to) = part.split_once('-')?;
            Some((from.parse().ok()?, to.parse().ok()?)).filter(|(from, to): &(u64, u64)| from <= to)
        };
        Self { highest, ranges: ranges.split(',').filter_map(range).collect(), forgotten }
    }

    /// The highest number seen or named.
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// The missing ranges, both ends included, in ascending order.
    pub fn ranges(&self) -> impl Iterator<Item = (u64, u64)> {
        self.ranges.iter().map(|(from, to)| (*from, *to))
    }

    /// The ranges as text: `5-9,12-12`.
    pub fn ranges_text(&self) -> String {
        use fmt::Write;
        self.ranges().fold(String::new(), |mut text, (from, to)| {
            let comma = if text.is_empty() { "" } else { "," };
            write!(text, "{comma}{from}-{to}").ok();
            text
        })
    }

    /// How many numbers are missing, without those forgotten.
    pub fn missing(&self) -> u64 {
        self.ranges().fold(0, |sum: u64, (from, to)| sum.saturating_add((to - from).saturating_add(1)))
    }

    /// How many missing numbers were forgotten because there were too many ranges.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub fn took(&mut self, number: u64) {
        self.settle(number, number);
    }

    /// Numbers from `from` to `to`, both included, will never come.
    pub fn skipped(&mut self, from: u64, to: u64) {
        if from <= to {
            self.settle(from, to);
        }
    }

    /// Takes `from..=to` out of what is missing; what lies between it and the highest so far becomes missing.
    fn settle(&mut self, from: u64, to: u64) {
        let next = self.highest.map_or(1, |highest| highest.saturating_add(1));
        if from > next {
            self.ranges.insert(next, from - 1);
        }
        self.highest = self.highest.max(Some(to));
        let touched: Vec<(u64, u64)> =
            self.ranges.range(..=to).rev().map(|(f, t)| (*f, *t)).take_while(|(_, t)| *t >= from).collect();
        for (first, last) in touched {
            self.ranges.remove(&first);
            if first < from {
                self.ranges.insert(first, from - 1);
            }
            if last > to {
                self.ranges.insert(to + 1, last);
            }
        }
        while self.ranges.len() > MAX_RANGES {
            if let Some((from, to)) = self.ranges.pop_first() {
                self.forgotten = self.forgotten.saturating_add((to - from).saturating_add(1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn after(numbers: &[u64]) -> Gaps {
        let mut gaps = Gaps::default();
        numbers.iter().for_each(|number| gaps.took(*number));
        gaps
    }

    #[test]
    fn in_order_nothing_is_missing() {
        assert_eq!(after(&[1, 2, 3]).ranges_text(), "");
    }

    #[test]
    fn a_jump_is_missing_until_filled() {
        assert_eq!(after(&[1, 5]).ranges_text(), "2-4");
        assert_eq!(after(&[1, 5, 3]).ranges_text(), "2-2,4-4");
        assert_eq!(after(&[1, 5, 3, 2, 4]).ranges_text(), "");
        assert_eq!(after(&[4]).ranges_text(), "1-3");
    }

    #[test]
    fn skips_close_and_may_reach_ahead() {
        let mut gaps = after(&[1, 10]);
        gaps.skipped(2, 8);
        assert_eq!(gaps.ranges_text(), "9-9");
        gaps.skipped(11, 19);
        gaps.took(20);
        assert_eq!(gaps.ranges_text(), "9-9");
        gaps.skipped(7, 3);
        assert_eq!(gaps.ranges_text(), "9-9");
    }

    #[test]
    fn the_ends_of_the_numbers_do_no_harm() {
        let mut gaps = after(&[0, u64::MAX]);
        assert_eq!(gaps.missing(), u64::MAX - 1);
        gaps.skipped(0, u64::MAX);
        assert_eq!((gaps.missing(), gaps.highest()), (0, Some(u64::MAX)));
        gaps.took(u64::MAX);
        assert_eq!(gaps.ranges_text(), "");
    }

    #[test]
    fn what_is_damaged_only_shows_less() {
        let gaps = Gaps::restore(Some(9), "7-3,2-4,x-1,5,-,18446744073709551615-0", 0);
        assert_eq!((gaps.ranges_text().as_str(), gaps.missing()), ("2-4", 3));
    }

    #[test]
    fn ranges_are_bounded_and_the_rest_is_counted() {
        let mut gaps = Gaps::default();
        (1..=2 * MAX_RANGES as u64).for_each(|number| gaps.took(number * 2));
        assert_eq!(gaps.ranges().count(), MAX_RANGES);
        assert_eq!(gaps.forgotten() + gaps.missing(), 2 * MAX_RANGES as u64);
    }

    proptest! {
        /// Against the plainest model: a set of all numbers seen.
        #[test]
        fn like_a_set(steps in proptest::collection::vec((1_u64..40, 0_u64..4), 1..40)) {
            let (mut gaps, mut seen) = (Gaps::default(), BTreeSet::new());
            for (from, length) in steps {
                gaps.skipped(from, from + length);
                seen.extend(from..=from + length);
                gaps = Gaps::restore(gaps.highest(), &gaps.ranges_text(), gaps.forgotten());
                let highest = seen.last().copied().unwrap();
                let missing: Vec<u64> = (1..=highest).filter(|n| !seen.contains(n)).collect();
                let shown: Vec<u64> = gaps.ranges().flat_map(|(from, to)| from..=to).collect();
                prop_assert_eq!(shown, missing);
                prop_assert_eq!(gaps.highest(), Some(highest));
            }
        }
    }
}
