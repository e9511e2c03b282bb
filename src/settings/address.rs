//! The address of a receiver, which may hold a secret.

use std::borrow::Cow;
use std::fmt;

/// An address. Its query may be a secret, as some webhooks have their token there: it is left out wherever the address is
/// shown, for people and for debugging.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// All of it, for whoever connects.
    pub fn whole(&self) -> &str {
        &self.0
    }
}

impl From<String> for Address {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_query(&self.0))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&without_query(&self.0), f)
    }
}

/// A text without the query, where it is an address that has one.
pub(super) fn without_query(text: &str) -> Cow<'_, str> {
    match text.split_once('?') {
        Some((place, _)) if text.contains("://") => format!("{place}?…").into(),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_query() {
        for (text, shown) in [
            ("https://h/p?token=secret", "https://h/p?…"),
            ("https://h?a?b", "https://h?…"),
            ("https://h/p", "https://h/p"),
            ("what?", "what?"),
        ] {
            let address = Address::from(text.to_owned());
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), format!("{shown:?}"));
            assert_eq!(address.whole(), text);
        }
    }
}
