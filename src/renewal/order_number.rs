//! Order numbers as people type them: case, spaces and dashes are free; letters that only look Latin are named.

use serde::Serialize;
use std::fmt;
use svm_core::text::{is_deceptive, trim_pasted};
use svm_core::words::Language;
use svm_core::words::renewal::Renewal;

/// The most characters that an order number has, as in documents.
pub const LONGEST: usize = 64;

/// Cyrillic capitals, and the Latin letter or the digit that each looks like.
const LOOK_ALIKES: &[(char, char)] = &[
    ('А', 'A'),
    ('В', 'B'),
    ('С', 'C'),
    ('Е', 'E'),
    ('Н', 'H'),
    ('І', 'I'),
    ('Ј', 'J'),
    ('К', 'K'),
    ('М', 'M'),
    ('О', 'O'),
    ('Р', 'P'),
    ('Ѕ', 'S'),
    ('Т', 'T'),
    ('У', 'Y'),
    ('Х', 'X'),
    ('Ԛ', 'Q'),
    ('Ԝ', 'W'),
    ('З', '3'),
];

/// A letter that looks like another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LookAlike {
    /// Where it stands in what was given, counted from 1 in characters.
    pub place: usize,
    /// The Cyrillic letter, as it was given.
    pub character: char,
    /// The Latin letter or the digit that it looks like, and as which it was read.
    pub looks_like: char,
}

/// An order number that can be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderNumber {
    /// As it was given, without the space around it.
    pub given: String,
    /// In capitals without spaces and dashes; letters that only look Latin are Latin here.
    pub read: String,
    /// Which were not.
    pub look_alikes: Vec<LookAlike>,
}

/// Why a text is no order number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderNumberError {
    /// Nothing but spaces and dashes.
    Empty,
    /// More than [`LONGEST`].
    TooLong {
        /// How many there are.
        found: usize,
    },
    /// A character that does not show.
    Unseen {
        /// Its number in Unicode.
        code: u32,
        /// Counted from 1.
        place: usize,
    },
}

impl OrderNumberError {
    /// The sentence, with the way out.
    pub fn text(&self, language: Language) -> String {
        match self {
            Self::Empty => Renewal::EmptyNumber.get(language).to_owned(),
            Self::TooLong { found } => Renewal::LongNumber
                .fill(language, &[("found", &found.to_string()), ("most", &LONGEST.to_string())]),
            Self::Unseen { code, place } => Renewal::UnseenCharacter
                .fill(language, &[("code", &format!("U+{code:04X}")), ("place", &place.to_string())]),
        }
    }
}

impl fmt::Display for OrderNumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Language::English))
    }
}

impl std::error::Error for OrderNumberError {}

/// Words that people copy with the number.
const BEFORE: [&str; 8] = ["заказа", "заказ", "номер", "order", "number", "no.", "no", "n"];

/// How many characters of words such as "Order No." stand before the number.
fn words_before(given: &str) -> usize {
    let mut passed = 0;
    loop {
        let rest: String = given.chars().skip(passed).collect();
        let lower = rest.to_lowercase();
        let word = BEFORE.iter().find(|word| {
            lower.strip_prefix(**word).is_some_and(|after| after.starts_with([' ', ':', '#', '№', '\u{a0}']))
        });
        let Some(word) = word else { return passed };
        let after = rest.chars().skip(word.chars().count());
        let gap = after.take_while(|c| c.is_whitespace() || matches!(c, ':' | '#' | '№')).count();
        passed += word.chars().count() + gap;
    }
}

/// Dashes of all kinds, as word processors make them.
fn is_dash(c: char) -> bool {
    matches!(c, '-' | '_' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{00ad}')
}

impl OrderNumber {
    /// Reads what a person or a document gives.
    ///
    /// # Errors
    /// [`OrderNumberError`].
    pub fn parse(given: &str) -> Result<Self, OrderNumberError> {
        let given = trim_pasted(given);
        let given = given
            .char_indices()
            .nth(words_before(given))
            .and_then(|(start, _)| given.get(start..))
            .unwrap_or_default();
        let found = given.chars().count();
        if found > LONGEST {
            return Err(OrderNumberError::TooLong { found });
        }
        let (mut read, mut look_alikes) = (String::new(), Vec::new());
        for (index, character) in given.chars().enumerate() {
            let place = index + 1;
            if is_deceptive(character) && !is_dash(character) {
                return Err(OrderNumberError::Unseen { code: character.into(), place });
            }
            let sign = read.is_empty() && matches!(character, '#' | '№');
            if character.is_whitespace() || is_dash(character) || sign {
                continue;
            }
            for capital in character.to_uppercase() {
                match LOOK_ALIKES.iter().find(|(cyrillic, _)| *cyrillic == capital) {
                    Some((_, latin)) => {
                        look_alikes.push(LookAlike { place, character, looks_like: *latin });
                        read.push(*latin);
                    }
                    None => read.push(capital),
                }
            }
        }
        if read.is_empty() {
            return Err(OrderNumberError::Empty);
        }
        Ok(Self { given: given.to_owned(), read, look_alikes })
    }

    /// As it goes into a letter: as it was given, or in Latin letters where it was not.
    pub fn written(&self) -> &str {
        if self.look_alikes.is_empty() { &self.given } else { &self.read }
    }
}
