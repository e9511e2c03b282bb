//! Values out of a fuzzer's bytes. What is missing is 0, so that every input is one.

use jiff::{SignedDuration, Timestamp};

pub(super) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(super) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub(super) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()]
    }

    pub(super) fn maybe<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.flag() { Some(value(self)) } else { None }
    }

    /// Small numbers, the ends, and anything.
    pub(super) fn number(&mut self) -> u64 {
        match self.byte() {
            small @ 0..200 => small.into(),
            200..210 => u64::MAX - u64::from(self.byte()),
            210..220 => i64::MAX.unsigned_abs().wrapping_add_signed(i64::from(self.byte()) - 128),
            _ => (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte())),
        }
    }

    pub(super) fn signed(&mut self) -> i64 {
        self.number().cast_signed()
    }

    /// A time of our days, any time, and the ends of time.
    pub(super) fn instant(&mut self) -> Timestamp {
        const BASE: i64 = 1_767_225_600;
        match self.byte() {
            0..200 => {
                let (days, seconds) = (i64::from(self.byte()), i64::from(self.byte()));
                Timestamp::from_second(BASE + days * 21_600 + seconds * 60).unwrap()
            }
            200..210 => Timestamp::MIN,
            210..220 => Timestamp::MAX,
            _ => {
                let range = Timestamp::MAX.as_second() - Timestamp::MIN.as_second();
                let at = Timestamp::MIN.as_second() + self.signed().rem_euclid(range);
                Timestamp::new(at, i32::from(self.byte()) * 3_900_000).unwrap()
            }
        }
    }

    pub(super) fn span(&mut self) -> SignedDuration {
        match self.byte() {
            0..150 => SignedDuration::from_secs(i64::from(self.byte()) * 60),
            150..220 => SignedDuration::from_secs(i64::from(self.byte()) * 86_400),
            220..225 => SignedDuration::MIN,
            225..230 => SignedDuration::MAX,
            _ => SignedDuration::from_secs(self.signed()),
        }
    }

    pub(super) fn text(&mut self) -> String {
        let length = usize::from(self.byte()).min(self.0.len());
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// The text of an input that is one; lossy, so that no input is lost.
pub(super) fn text(data: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(data)
}
