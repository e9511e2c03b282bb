//! Activation codes: what a customer types, and how a typing error is found before the network is used.
//!
//! Four groups of five characters of 0-9 and A-Z; 19 come from a secure random source (98 bits), the last is
//! their check by ISO 7064 MOD 37,36. Every single wrong character is found.

use crate::documents::sub::Sub;
use crate::text::without_invisible;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;

const ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LENGTH: usize = 20;

/// An activation code whose check character is right. Its `Debug` does not show it, and it has no `Display`.
#[derive(Clone)]
pub struct ActivationCode(SecretString);

/// Why a text is not an activation code. The text is not quoted, only a character that cannot be in one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// A character that no code has.
    #[error(
        "{shown} at position {position} cannot be in an activation code, which has only digits and Latin letters{hint}"
    )]
    Character {
        /// The character, escaped where it would not show.
        shown: String,
        /// Counted from 1, without spaces and dashes.
        position: usize,
        /// Says so where it looks like a Latin letter.
        hint: &'static str,
    },
    /// Too short or too long.
    #[error(
        "an activation code has 20 characters in four groups of five, and this text has {found}; look for a character that is missing or typed twice"
    )]
    Length {
        /// How many there are, without spaces and dashes.
        found: usize,
    },
    /// The check character does not fit.
    #[error(
        "there is a typing error in the activation code: its last character, which checks the others, does not fit; compare it with the original"
    )]
    Check,
    /// The system's random source failed.
    #[error("this machine gave no random numbers, so no code was made; try again")]
    Random,
}

/// The place of a character in the alphabet.
fn index(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(36).filter(|_| !byte.is_ascii_lowercase())
}

/// The hybrid system of ISO 7064 before the check character: 1 to 36.
fn carry(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(36, |product, byte| {
        let sum = (product + index(*byte)?) % 36;
        Some((if sum == 0 { 36 } else { sum } * 2) % 37)
    })
}

/// The check character of a text of the alphabet.
fn check_character(text: &[u8]) -> Option<u8> {
    let check = (37 - carry(text)?) % 36;
    ALPHABET.get(usize::try_from(check).ok()?).copied()
}

/// `count` characters of the alphabet, each as likely as another.
pub fn random_text(count: usize) -> Result<String, CodeError> {
    // 252 is the largest multiple of 36 in a byte: what is above would make the first characters likelier.
    const FAIR: u8 = 252;
    let random = SystemRandom::new();
    let mut text = String::with_capacity(count);
    let mut bytes = [0; 64];
    while text.len() < count {
        random.fill(&mut bytes).map_err(|_| CodeError::Random)?;
        let fair = bytes.iter().filter(|b| **b < FAIR).filter_map(|b| ALPHABET.get(usize::from(b % 36)));
        text.extend(fair.take(count - text.len()).map(|b| char::from(*b)));
    }
    Ok(text)
}

fn is_separator(c: char) -> bool {
    // The dashes that word processors put in the place of a hyphen, too.
    c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{00ad}')
}

impl ActivationCode {
    /// A new code from the system's secure random source.
    ///
    /// # Errors
    /// [`CodeError::Random`] where the system has no random numbers.
    pub fn generate() -> Result<Self, CodeError> {
        let mut text = random_text(LENGTH - 1)?;
        let check = check_character(text.as_bytes()).ok_or(CodeError::Random)?;
        text.push(char::from(check));
        Ok(Self(text.into()))
    }

    /// Reads a code as people type it: both cases, spaces and dashes anywhere.
    ///
    /// # Errors
    /// The first wrong character, else the wrong length, else the check character that does not fit.
    pub fn parse(typed: &str) -> Result<Self, CodeError> {
        let mut code = String::with_capacity(LENGTH);
        let mut found = 0;
        for c in without_invisible(typed).chars().filter(|c| !is_separator(*c)) {
            found += 1;
            if !c.is_ascii_alphanumeric() {
                let hint = if matches!(c, '\u{0400}'..='\u{04ff}') {
                    " (this is a Cyrillic letter: switch the keyboard)"
                } else {
                    ""
                };
                return Err(CodeError::Character { shown: format!("{c:?}"), position: found, hint });
            }
            if found <= LENGTH {
                code.push(c.to_ascii_uppercase());
            }
        }
        if found != LENGTH {
            return Err(CodeError::Length { found });
        }
        let (text, check) = code.as_bytes().split_at(LENGTH - 1);
        if check_character(text) != check.first().copied() {
            return Err(CodeError::Check);
        }
        Ok(Self(code.into()))
    }

    /// The name of its document.
    pub fn sub(&self) -> Sub {
        Sub::of_code(self.0.expose_secret())
    }

    /// The code in groups, for the one who is to have it.
    pub fn reveal(&self) -> String {
        let mut text = String::with_capacity(LENGTH + 3);
        for (at, c) in self.0.expose_secret().chars().enumerate() {
            if at > 0 && at % 5 == 0 {
                text.push('-');
            }
            text.push(c);
        }
        text
    }
}

impl fmt::Debug for ActivationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ActivationCode([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_check_is_iso_7064_mod_37_36() {
        // The example of the Global Release Identifier, which uses the same system: A1-2425G-ABC1234002-M.
        assert_eq!(check_character(b"A12425GABC1234002"), Some(b'M'));
        assert_eq!(check_character(b"AAAAABBBBBCCCCCDDDD"), Some(b'D'));
        assert_eq!(check_character(b"a"), None);
    }

    #[test]
    fn it_is_taken_as_people_type_it() {
        let sub = ActivationCode::parse("01234-56789-ABCDE-FGHII").unwrap().sub();
        for typed in [
            "0123456789abcdefghii",
            " 01234 56789 ABCDE fghii\n",
            "0-1-2-3-4 5678 9ABCDE\u{2013}FGHII",
            "\u{feff}01234-56789-ABCDE-FGHII\u{200b}\r\n",
            "\u{a0}01234\u{200b}-56789\u{2060}-AB\u{ad}CDE-FGHII\u{200e}",
        ] {
            let code = ActivationCode::parse(typed).unwrap();
            assert_eq!(code.reveal(), "01234-56789-ABCDE-FGHII");
            assert!(code.sub() == sub);
        }
        // printf 0123456789ABCDEFGHII | sha256sum
        assert_eq!(sub.as_str(), "7a457df9e7f488df04baf6410fecb145344ffca7663cab09189173c5444d4e8d");
    }

    #[test]
    fn errors_say_what_is_wrong_and_never_the_code() {
        let error = |typed: &str| ActivationCode::parse(typed).unwrap_err().to_string();
        assert!(error("01234-56789-ABCDE-FGHI").contains("this text has 19"));
        assert!(error(&"A".repeat(500)).contains("this text has 500"));
        assert!(error("").contains("this text has 0"));
        let wrong = error("0123_-56789-ABCDE-FGHII");
        assert!(wrong.contains("'_' at position 5") && !wrong.contains("56789"), "{wrong}");
        assert!(error("01234-56789-\u{0410}BCDE-FGHII").contains("Cyrillic"));
        assert!(error("01234-56789-ABCDE-FGHIJ").contains("typing error"));
        let code = ActivationCode::parse("01234-56789-ABCDE-FGHII").unwrap();
        assert_eq!(format!("{code:?}"), "ActivationCode([redacted])");
    }

    #[test]
    fn made_codes_are_read_and_use_the_whole_alphabet() {
        let codes: Vec<_> = (0..400).map(|_| ActivationCode::generate().unwrap().reveal()).collect();
        assert!(codes.iter().all(|c| c.len() == 23 && ActivationCode::parse(c).is_ok()));
        for letter in ALPHABET {
            let count = codes.iter().flat_map(|c| c[..22].bytes()).filter(|b| b == letter).count();
            // 7,600 characters over 36 letters: 211 each, with a standard deviation of 14.
            assert!((100..330).contains(&count), "{} occurs {count} times", char::from(*letter));
        }
    }

    proptest! {
        #[test]
        fn every_wrong_character_is_found(at in 0_usize..20, other in 0_usize..36) {
            let mut code = ActivationCode::generate().unwrap().reveal().replace('-', "").into_bytes();
            let same = code[at] == ALPHABET[other];
            code[at] = ALPHABET[other];
            let read = ActivationCode::parse(&String::from_utf8(code).unwrap());
            prop_assert_eq!(read.is_ok(), same);
        }
    }
}
