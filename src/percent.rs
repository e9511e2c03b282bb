//! Names in the paths and queries of URLs: percent-encoded by whoever asks, decoded by whoever answers (RFC 3986,
//! section 2).

/// A name as one segment of a path: everything but the unreserved characters is encoded, `/` and `%` included.
pub fn encode(name: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| DIGITS.get(usize::from(value)).map_or('0', |digit| char::from(*digit));
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(byte))
            }
            _ => text.extend(['%', digit(byte >> 4), digit(byte & 15)]),
        }
    }
    text
}

/// A text with each `%` and two hexadecimal digits as the byte that they name. What is no such thing stays.
pub fn decode(text: &str) -> String {
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
    fn every_name_comes_back_from_a_segment() {
        for name in ["SUB/2026/001", "a b?c#d%e", "..", "ключ", "100%", "%2F", "a+b", "\u{0}", ""] {
            let segment = encode(name);
            assert!(!segment.contains(['/', '?', '#', ' ']) && segment.is_ascii(), "{segment}");
            assert_eq!(decode(&segment), name);
        }
        assert_eq!(encode("a/../<b"), "a%2F..%2F%3Cb");
        for (text, is) in [
            ("%", "%"),
            ("%4", "%4"),
            ("%+1", "%+1"),
            ("%zz%41", "%zzA"),
            ("a%2Fb%2f", "a/b/"),
            ("%ff", "\u{fffd}"),
        ] {
            assert_eq!(decode(text), is);
        }
    }
}
