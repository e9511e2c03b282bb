//! Product versions, compared by their numbers: 6.10 is above 6.9, and 6.1 is 6.1.0.

use serde::{Deserialize, Serialize};
use std::{cmp::Ordering, fmt};

/// One to eight numbers separated by dots. It is shown as it was written and compared by its numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    text: String,
    /// Without trailing zeros, so that equal versions have equal numbers.
    numbers: Vec<u64>,
}

impl Version {
    /// The numbers, without trailing zeros.
    pub fn numbers(&self) -> &[u64] {
        &self.numbers
    }
}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong =
            || format!("`{}` is not a version: numbers separated by dots, such as 6.1", text.escape_debug());
        if text.len() > 64 {
            return Err("a version is longer than 64 characters".to_owned());
        }
        let mut numbers = Vec::new();
        for part in text.split('.') {
            if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) || numbers.len() == 8 {
                return Err(wrong());
            }
            numbers.push(part.parse::<u64>().map_err(|_| wrong())?);
        }
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        Ok(Self { text, numbers })
    }
}

impl std::str::FromStr for Version {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::try_from(text.to_owned())
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.text
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.numbers == other.numbers
    }
}
impl Eq for Version {}
impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers)
    }
}
impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    fn v(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn numbers_decide() {
        assert!(v("6.10") > v("6.9"));
        assert_eq!(v("6.1"), v("6.1.0"));
        assert!(v("6.1.0.1") > v("6.1"));
        assert!(v("06.1") == v("6.1"));
        for bad in ["", "6.", ".6", "6.1-beta", "6,1", "v6", "1.2.3.4.5.6.7.8.9", "99999999999999999999"] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }
}
