//! The hash of an activation code: the name under which its document is published.

use crate::hex;
use ring::digest::{SHA256, digest};
use std::fmt;

/// SHA-256 of a code, 64 lower-case hexadecimal characters.
///
/// Who knows it can fetch the document, so it is treated as a secret in logs: `Debug` does not show it, and
/// there is no `Display`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sub(String);

/// The text is not a [`Sub`]. It is not quoted: it may be a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a document is 64 lower-case hexadecimal characters")]
pub struct SubError;

impl Sub {
    /// Of the 20 characters of a code, upper case, without dashes.
    pub(super) fn of_code(code: &str) -> Self {
        Self(hex::encode(digest(&SHA256, code.as_bytes()).as_ref()))
    }

    /// The text of it. For paths and requests; never for logs.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Sub {
    type Err = SubError;
    fn from_str(text: &str) -> Result<Self, SubError> {
        let lower_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 64 || !text.bytes().all(lower_hex) {
            return Err(SubError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Sub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sub([redacted])")
    }
}

/// Where the document of a code lies, below the base address of its vendor.
pub fn published_path(sub: &Sub) -> String {
    format!("v1/keys/{}.jws", sub.0)
}

/// What tells one text from another: its SHA-256, in hexadecimal.
pub fn text_digest(text: &str) -> String {
    hex::encode(digest(&SHA256, text.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_64_lower_case_hexadecimal_characters() {
        let good = "0123456789abcdef".repeat(4);
        assert_eq!(published_path(&good.parse().unwrap()), format!("v1/keys/{good}.jws"));
        for bad in [&good[1..], &format!("{good}0"), &good.to_uppercase(), &good.replace('0', "/"), ""] {
            assert_eq!(bad.parse::<Sub>(), Err(SubError), "{bad}");
        }
    }

    #[test]
    fn debug_does_not_show_it() {
        let sub = Sub::of_code("ABC");
        assert_eq!(format!("{sub:?}"), "Sub([redacted])");
        // printf ABC | sha256sum
        assert_eq!(sub.as_str(), "b5d4045c3f466fa91fe2cc6abe79232a1a57cdf104f7a26e716e0a1e2789df78");
    }
}
