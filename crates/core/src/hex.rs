//! Bytes as hexadecimal digits.

use std::fmt::Write;

/// Two lower-case digits for each byte.
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a text cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

/// The bytes that a text names, digits in either case; `None` where it does not name exactly `N`.
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = char::from(*digit).to_digit(16)?;
            *byte = (*byte << 4) | u8::try_from(value).ok()?;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_they_are_written() {
        assert_eq!(encode(&[0x00, 0x0f, 0xa5]), "000fa5");
        assert_eq!(decode("000FA5"), Some([0x00, 0x0f, 0xa5]));
        for other in ["000fa", "000fa50", "000fag", "+00fa5", "00 fa5", "ключ"] {
            assert_eq!(decode::<3>(other), None, "{other}");
        }
    }
}
