//! The sequence number of an event as text.

use std::fmt;

/// A number at one destination, in 20 digits: as text such numbers sort as they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence(pub u64);

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}", self.0)
    }
}

/// The 20 digits of a number.
pub fn format_sequence(number: u64) -> String {
    Sequence(number).to_string()
}
