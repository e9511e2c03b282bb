//! Queries, as they were encoded for an address.

use svm_core::percent;

/// The pairs of a query as a form writes them: `+` is a space, and `%` comes before two hexadecimal digits.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (String, Option<String>)> + '_ {
    let part = |text: &str| percent::decode(&text.replace('+', " "));
    query.split('&').filter(|pair| !pair.is_empty()).map(move |pair| match pair.split_once('=') {
        Some((name, value)) => (part(name), Some(part(value))),
        None => (part(pair), None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_curl_and_browsers_encode_is_read() {
        let read: Vec<_> = pairs("until=2027-01-01T00%3A00%3A00%2B03%3a00&&a+b=c+d%20e&x").collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            read,
            [
                ("until".to_owned(), some("2027-01-01T00:00:00+03:00")),
                ("a b".to_owned(), some("c d e")),
                ("x".to_owned(), None)
            ]
        );
    }
}
