//! Queries and the parts of a path, as they were encoded for an address.

/// The pairs of a query as a form writes them: `+` is a space, and `%` comes before two hexadecimal digits.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (String, Option<String>)> + '_ {
    let part = |text: &str| decoded(&text.replace('+', " "));
    query.split('&').filter(|pair| !pair.is_empty()).map(move |pair| match pair.split_once('=') {
        Some((name, value)) => (part(name), Some(part(value))),
        None => (part(pair), None),
    })
}

/// A text with each `%` and two hexadecimal digits as the byte that they name. What is no such thing stays.
pub(super) fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let named = after.get(..2).filter(|_| *first == b'%').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            // `from_str_radix` takes a sign.
            u8::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|b| b.is_ascii_hexdigit()))
        });
        bytes.push(named.unwrap_or(*first));
        rest = if named.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
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
        for (text, is) in [
            ("%", "%"),
            ("%4", "%4"),
            ("%+1", "%+1"),
            ("%zz%41", "%zzA"),
            ("a%2Fb", "a/b"),
            ("%ff", "\u{fffd}"),
        ] {
            assert_eq!(decoded(text), is);
        }
    }
}
