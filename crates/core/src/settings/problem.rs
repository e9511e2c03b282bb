//! What is wrong with settings, and where: file and line.

use std::collections::BTreeMap;
use std::fmt;

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `file:line`, the name of a variable, or the program's defaults.
    pub place: String,
    /// What is wrong and how it should be.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// All that is wrong with the settings; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(pub Vec<Problem>);

impl std::error::Error for SettingsError {}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

/// Where a value comes from that no layer says.
pub const DEFAULT: &str = "default";

/// Where each key got its value: `file:line` by dotted key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(pub(super) BTreeMap<String, String>);

impl Origins {
    /// The place of a key itself, where it was set.
    pub(super) fn own_place(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The place of a key, or of the nearest table above it.
    pub fn place(&self, key: &str) -> String {
        let mut key = key;
        loop {
            if let Some(place) = self.0.get(key) {
                return place.clone();
            }
            match key.rsplit_once('.') {
                Some((above, _)) => key = above,
                None => return DEFAULT.to_owned(),
            }
        }
    }

    /// A problem with the value of `key`. An item of a list, `key[0]`, has a place of its own.
    pub fn problem(&self, key: &str, message: impl fmt::Display) -> Problem {
        let whole = without_index(key);
        let place = self.own_place(key).map_or_else(|| self.place(whole), str::to_owned);
        Problem { place, message: format!("`{whole}`: {message}") }
    }
}

/// A key without the number of an item of its list.
pub(super) fn without_index(key: &str) -> &str {
    key.strip_suffix(']').and_then(|item| item.rsplit_once('[')).map_or(key, |(whole, _)| whole)
}
