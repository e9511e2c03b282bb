//! Base64url as JOSE has it: without padding, and only the one spelling of each value.
//!
//! A second spelling (other trailing bits, padding, white space) would let a byte of a document change without
//! its meaning changing; such text is refused.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// Encodes without padding (RFC 7515, section 2).
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Text as bytes; `None` for anything but the one canonical spelling.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    // The engine's default configuration refuses padding and trailing bits that are not zero.
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_one_spelling() {
        assert_eq!(decode("AQI").as_deref(), Some(&[1, 2][..]));
        for second in ["AQI=", "AQJ", "AQK", "AQ I", "AQI\n", "+/8", "A"] {
            assert_eq!(decode(second), None, "{second}");
        }
        assert_eq!(decode(&encode([0xff, 0xfe])).as_deref(), Some(&[0xff, 0xfe][..]));
    }
}
