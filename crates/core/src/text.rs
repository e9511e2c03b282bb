//! Texts from outside: cleaned before a person reads them, trimmed of what nobody sees when a person typed or pasted them.

use std::borrow::Cow;

/// Whether a character can deceive a reader or steer a program that shows it: controls, line separators, characters
/// without a width, and those that change the direction of the text around them (Unicode Technical Report 36).
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || is_invisible(c)
        || matches!(c,
            // Directions: Arabic letter mark, embeddings, overrides, isolates.
            '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
            // Interlinear annotations, deprecated format characters, tags, non-characters.
            | '\u{206A}'..='\u{206F}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}' | '\u{FFFE}' | '\u{FFFF}')
}

/// Whether a character takes no room: zero-width spaces and joiners, the byte order mark, soft hyphens, fillers.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{2065}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{1D173}'..='\u{1D17A}')
}

/// A text as one line that is safe in a log, a terminal, a page or a letter: each deceptive character, line ends
/// included, becomes U+FFFD. Borrowed where nothing had to be replaced.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_deceptive) {
        Cow::Owned(
            text.chars().map(|c| if is_deceptive(c) { char::REPLACEMENT_CHARACTER } else { c }).collect(),
        )
    } else {
        Cow::Borrowed(text)
    }
}

/// The first `max` characters of a text, cleaned; an ellipsis stands for the rest.
pub fn clean_start(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => clean(text.get(..end).unwrap_or_default()).into_owned() + "…",
        None => clean(text).into_owned(),
    }
}

/// A text of several lines as one, each cleaned, with semicolons between: for a log, where one thing has one line.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains('\n') {
        return clean(text);
    }
    let lines: Vec<Cow<'_, str>> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(clean).collect();
    Cow::Owned(lines.join("; "))
}

/// JSON with each deceptive character of its texts as an escape: it says the same, and nothing in it steers a terminal.
pub fn escape_json(json: &str) -> Cow<'_, str> {
    if !json.chars().any(|c| c != '\n' && is_deceptive(c)) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        // Line ends stand between the parts of an object alone: within a text they are escaped already.
        if c == '\n' || !is_deceptive(c) {
            escaped.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| escaped.push_str(&format!("\\u{unit:04x}")));
        }
    }
    Cow::Owned(escaped)
}

/// What a person typed or pasted, without the white space and the invisible characters around it.
pub fn trim_pasted(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c) || matches!(c, '\u{200E}' | '\u{200F}'))
}

/// What a person typed or pasted, without invisible characters anywhere: for codes and other texts in which none belongs.
pub fn without_invisible(text: &str) -> Cow<'_, str> {
    let unseen = |c: char| is_invisible(c) || matches!(c, '\u{200E}' | '\u{200F}');
    if text.contains(unseen) { Cow::Owned(text.replace(unseen, "")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_or_hides_is_left() {
        for hostile in
            ['\u{0}', '\n', '\u{1b}', '\u{7f}', '\u{85}', '\u{200b}', '\u{200f}', '\u{2028}', '\u{202e}']
        {
            assert_eq!(clean(&format!("a{hostile}b")), "a\u{fffd}b", "{hostile:?}");
        }
        for hostile in ['\u{61c}', '\u{2066}', '\u{206a}', '\u{feff}', '\u{ad}', '\u{3164}', '\u{e0041}'] {
            assert_eq!(clean(&format!("a{hostile}b")), "a\u{fffd}b", "{hostile:?}");
        }
        let plain = "Ростелеком, 東京, naïve, 1 € — “x” 🙂";
        assert!(matches!(clean(plain), Cow::Borrowed(same) if same == plain));
        assert_eq!(clean_start("abc", 3), "abc");
        assert_eq!(clean_start("ab\ncd", 3), "ab\u{fffd}…");
    }

    #[test]
    fn a_log_line_is_one_line_and_json_says_the_same() {
        assert_eq!(
            one_line("the settings are wrong:\na: b\u{1b}\r\n\n c\n"),
            "the settings are wrong:; a: b\u{fffd}; c"
        );
        let text = "a\u{202e}\u{9b}31m\u{e0041}\n\u{1b}";
        let json = serde_json::to_string(text).unwrap();
        let escaped = escape_json(&json);
        assert!(!escaped.chars().any(is_deceptive), "{escaped}");
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
        let pretty = serde_json::to_string_pretty(&serde_json::json!({"a": ["b"]})).unwrap();
        assert!(matches!(escape_json(&pretty), Cow::Borrowed(_)));
    }

    #[test]
    fn what_nobody_sees_is_no_part_of_what_was_pasted() {
        assert_eq!(trim_pasted("\u{feff} \u{a0}\u{200b}code\u{200b}\r\n"), "code");
        assert_eq!(trim_pasted("\u{200e}"), "");
        assert_eq!(without_invisible("A\u{200b}B\u{feff}C D"), "ABC D");
        assert!(matches!(without_invisible("as it is"), Cow::Borrowed(_)));
    }
}
