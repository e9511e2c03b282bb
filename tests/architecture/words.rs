//! Holds the words: phrases that a reader has to translate are refused wherever people read, by file and line.

use super::root;
use std::path::{Path, PathBuf};

/// What people read: texts, comments, names of tests, documentation, settings, units and packages.
const READ: &[&str] = &[
    "src",
    "crates",
    "docs",
    "config",
    "systemd",
    "packaging",
    "monitoring",
    "README.md",
    "CONTRIBUTING.md",
];

/// Refused in any case of letters, over the end of a line, and in names with underscores. "no more than" is allowed.
const REFUSED: &[(&str, &str)] = &[
    ("is told", "reported, logged, sent or shown"),
    ("are told", "reported, logged, sent or shown"),
    ("was told", "reported, logged, sent or shown"),
    ("were told", "reported, logged, sent or shown"),
    ("gone by", "trusted, in use"),
    ("no more", "no longer, at most"),
    ("by itself", "automatically, alone"),
    ("by themselves", "automatically, alone"),
    ("whoever", "the one who, a client, a user"),
    ("what must", "name what must"),
    ("held to it", "enforced by"),
    ("trusted besides", "the only one that is trusted"),
    ("is wanted", "expected, required"),
    ("are wanted", "expected, required"),
    ("is looked at", "checked, inspected, polled"),
];

/// Refused in capitals alone.
const SHOUTED: &str = "NOBODY";

/// A word and its line, from 1, and whether it follows the word before it in the same sentence.
struct Word<'a> {
    text: &'a str,
    line: usize,
    goes_on: bool,
}

/// The words of a text. Marks of comments and tables, and the ends of lines, do not end a sentence.
fn words(text: &str) -> Vec<Word<'_>> {
    let separates = |between: &str| !between.chars().all(|c| c.is_whitespace() || "_/!#*|\\".contains(c));
    let (mut words, mut goes_on) = (Vec::new(), true);
    for (number, line) in text.lines().enumerate() {
        let mut rest = line;
        while let Some(start) = rest.find(char::is_alphanumeric) {
            goes_on &= !separates(&rest[..start]);
            let word = &rest[start..];
            let end = word.find(|c: char| !c.is_alphanumeric()).unwrap_or(word.len());
            words.push(Word { text: &word[..end], line: number + 1, goes_on });
            (rest, goes_on) = (&word[end..], true);
        }
        goes_on &= !separates(rest);
    }
    words
}

fn refused(text: &str) -> Vec<(usize, String)> {
    let words = words(text);
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if word.text == SHOUTED {
            found.push((word.line, format!("\"{SHOUTED}\"")));
        }
        for (phrase, instead) in REFUSED {
            let mut parts = phrase.split(' ');
            let len = phrase.split(' ').count();
            let here = words.get(at..at + len).is_some_and(|here| {
                here.iter().enumerate().all(|(n, word)| {
                    (n == 0 || word.goes_on)
                        && parts.next().is_some_and(|part| part.eq_ignore_ascii_case(word.text))
                })
            });
            let than = *phrase == "no more" && words.get(at + len).is_some_and(|word| word.text == "than");
            if here && !than {
                found.push((word.line, format!("\"{phrase}\", say: {instead}")));
            }
        }
    }
    found
}

fn files(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_file() {
        found.push(path.to_owned());
        return;
    }
    for entry in std::fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != "target" {
            files(&entry.path(), found);
        }
    }
}

#[test]
fn phrases_that_a_reader_has_to_translate_are_refused() {
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for place in READ {
        files(&root().join(place), &mut all);
    }
    for file in all {
        // Pictures and archives have no sentences.
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let name = file.strip_prefix(root()).unwrap().display();
        problems.extend(refused(&text).into_iter().map(|(line, what)| format!("{name}:{line}: {what}")));
    }
    assert!(problems.is_empty(), "{} phrases are refused:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn a_phrase_is_found_over_lines_and_in_names_but_not_over_sentences() {
    let lines = |text: &str| refused(text).into_iter().map(|(line, _)| line).collect::<Vec<_>>();
    assert_eq!(lines("fine\n/// What Is\n/// told twice"), [2]);
    assert_eq!(lines("fn it_is_told_once() {}"), [1]);
    assert_eq!(lines("NOBODY but nobody"), [1]);
    assert_eq!(lines("that is. Told so, no: more; no more than ten. This told."), [0; 0]);
}
