//! The address of a receiver, which may hold a secret.

use std::borrow::Cow;
use std::fmt;

/// An address. Its query may be a secret, as some webhooks have their token there, and so may a name and password before
/// its host: they are left out wherever the address is shown, for people and for debugging.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// The whole address, for connecting.
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
        f.write_str(&without_secrets(&self.0))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&without_secrets(&self.0), f)
    }
}

/// A text without query, fragment, name and password, where it is an address that has them.
pub(super) fn without_secrets(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else { return text.into() };
    let (place, behind) = match rest.find(['?', '#']).and_then(|at| rest.split_at_checked(at)) {
        Some((place, behind)) => (place, behind.get(..1).unwrap_or_default()),
        None => (rest, ""),
    };
    // A password may have a slash in it: it is the last @ before the query that counts, and none belongs into a path of
    // an address that is taken.
    let (user, place) = place.rsplit_once('@').map_or(("", place), |(_, place)| ("…@", place));
    match (user, behind) {
        ("", "") => text.into(),
        _ => format!("{scheme}://{user}{place}{behind}{}", if behind.is_empty() { "" } else { "…" }).into(),
    }
}

/// A value that cannot stand at a key, as it is quoted: without what may be a secret that was meant for another place. A
/// text of more than `max` characters is no typing error, and is not quoted at all.
pub fn quoted(text: &str, max: usize) -> String {
    let count = text.chars().count();
    if count > max {
        return format!("a text of {count} characters");
    }
    let text = without_secrets(text);
    match text.rsplit_once('@') {
        Some((_, place)) if !text.contains("://") => format!("\"…@{}\"", place.escape_debug()),
        _ => format!("\"{}\"", text.escape_debug()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_has_no_secret_of_another_place() {
        for (text, message) in [
            ("me", "\"me\""),
            ("a\nb", "\"a\\nb\""),
            ("http://me:secret@h/", "\"http://…@h/\""),
            ("http://h/?secret", "\"http://h/?…\""),
            ("me:secret@h:13111", "\"…@h:13111\""),
            ("planted-bearer-token-5d1f", "a text of 25 characters"),
        ] {
            assert_eq!(quoted(text, 24), message);
        }
    }

    #[test]
    fn an_address_is_shown_without_its_query() {
        for (text, shown) in [
            ("https://h/p?token=secret", "https://h/p?…"),
            ("https://h?a?b", "https://h?…"),
            ("https://h/p", "https://h/p"),
            ("what?", "what?"),
            ("https://h/p#secret", "https://h/p#…"),
            ("https://me:secret@h/p?secret", "https://…@h/p?…"),
            ("https://me:sec/ret@h/p", "https://…@h/p"),
            ("https://secret@h", "https://…@h"),
        ] {
            let address = Address::from(text.to_owned());
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), format!("{shown:?}"));
            assert_eq!(address.whole(), text);
        }
    }
}
