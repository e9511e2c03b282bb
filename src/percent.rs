//! Names in the paths of URLs: percent-encoded by whoever asks, decoded by whoever answers (RFC 3986, section 2).

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

/// The name that a segment stands for; `None` where it is no encoding of UTF-8 text.
pub fn decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit =
                    |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit(rest.next()?)? << 4 | digit(rest.next()?)?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back_from_a_segment() {
        for name in ["SUB/2026/001", "a b?c#d%e", "..", "ключ", "100%", "%2F", "a+b", "\u{0}", ""] {
            let segment = encode(name);
            assert!(!segment.contains(['/', '?', '#', ' ']) && segment.is_ascii(), "{segment}");
            assert_eq!(decode(&segment).as_deref(), Some(name));
        }
        assert_eq!(encode("a/../<b"), "a%2F..%2F%3Cb");
        assert_eq!(decode("%2f%2F").as_deref(), Some("//"));
        for wrong in ["%", "%2", "%zz", "%ff", "%+1"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
