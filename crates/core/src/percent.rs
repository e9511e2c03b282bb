//! Names in the paths and queries of URLs: percent-encoded by the client, decoded by the server (RFC 3986,
//! section 2).

/// A name as one segment of a path: everything but the unreserved characters is encoded, `/` and `%` included.
pub fn encode(name: &str) -> String {
    encode_all_but(name, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~'))
}

/// A text with every byte encoded that is not `plain`; `%` is not plain, or the text does not come back.
pub fn encode_all_but(text: &str, plain: impl Fn(u8) -> bool) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| DIGITS.get(usize::from(value)).map_or('0', |digit| char::from(*digit));
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match plain(byte) {
            true => encoded.push(char::from(byte)),
            false => encoded.extend(['%', digit(byte >> 4), digit(byte & 15)]),
        }
    }
    encoded
}

/// As [`decode`], of a text in which every `%` stands before two digits and what is named is UTF-8; `None` else.
pub fn decode_strictly(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.bytes());
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
    }
    String::from_utf8(bytes).ok()
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
            assert_eq!(decode_strictly(&segment).as_deref(), Some(name));
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
        for text in ["%", "%4", "%+1", "%zz%41", "%ff"] {
            assert_eq!(decode_strictly(text), None, "{text}");
        }
    }
}
