//! What the tool prints: texts come from files and servers, and none of them may steer the terminal.

use std::{borrow::Cow, io};
use svm_core::text::{clean, escape_json};

/// Prints lines, each cleaned; the last one is ended where it is not.
pub(super) fn lines(to: &mut impl io::Write, text: &str) -> io::Result<()> {
    for line in text.lines() {
        // Codes and ids are parted by it in a list.
        let parts: Vec<Cow<'_, str>> = line.split('\t').map(clean).collect();
        writeln!(to, "{}", parts.join("\t"))?;
    }
    Ok(())
}

/// Prints JSON in which such characters are escaped: a program reads the same.
pub(super) fn json(to: &mut impl io::Write, text: &str) -> io::Result<()> {
    writeln!(to, "{}", escape_json(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use svm_core::text::is_deceptive;

    #[test]
    fn nothing_that_is_printed_steers_a_terminal() {
        let mut printed = Vec::new();
        lines(&mut printed, "a\tb\u{1b}[2J\n\u{202e}c\rd").unwrap();
        assert_eq!(String::from_utf8(printed).unwrap(), "a\tb\u{fffd}[2J\n\u{fffd}c\u{fffd}d\n");
        let value = serde_json::json!({"name": "a\u{1b}\u{9b}\u{202e}\u{e0041}b"});
        let mut printed = Vec::new();
        json(&mut printed, &serde_json::to_string_pretty(&value).unwrap()).unwrap();
        let text = String::from_utf8(printed).unwrap();
        assert!(text.chars().all(|c| c == '\n' || !is_deceptive(c)), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
