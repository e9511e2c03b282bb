//! Removes secrets from texts that others wrote: what a configured file holds, and what has the form of a secret.

use std::collections::BTreeSet;
use svm_core::documents::ActivationCode;

/// Stands for what was removed.
pub(super) const REMOVED: &str = "[removed]";

/// The shortest line of a secret file that is searched for: a shorter one would also match ordinary words.
const SHORTEST_KNOWN: usize = 6;

/// The longest word of mixed letters and digits that is not taken for a key, a token or a part of a document.
const LONGEST_PLAIN_WORD: usize = 40;

/// The length of the name of a published document, in hexadecimal digits.
const DOCUMENT_NAME: usize = 64;

/// How many lines after one boundary of a private key are removed if the other boundary is missing.
const LONGEST_KEY_LINES: usize = 120;

/// Names of values that are secrets, as they end, in lower case.
const SECRET_NAMES: [&str; 9] =
    ["password", "passwd", "passphrase", "secret", "token", "apikey", "api_key", "api-key", "authorization"];

/// A text without secrets; only a [`Redactor`] makes one.
#[derive(Debug)]
pub struct Redacted(String);

impl Redacted {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Knows the secrets of this SVM, and counts what it removes.
#[derive(Default)]
pub(super) struct Redactor {
    /// The longest first, as one may hold another.
    known: Vec<String>,
    /// How many secrets were removed.
    pub(super) removed: usize,
}

impl Redactor {
    /// `known` are contents of files that hold secrets.
    pub(super) fn new(known: impl IntoIterator<Item = String>) -> Self {
        let known: BTreeSet<String> = known.into_iter().filter(|text| text.len() >= SHORTEST_KNOWN).collect();
        let mut known: Vec<String> = known.into_iter().collect();
        known.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self { known, removed: 0 }
    }

    /// A text without what is known as a secret and what looks like one.
    pub(super) fn redact(&mut self, text: &str) -> Redacted {
        let mut text = text.to_owned();
        for secret in &self.known {
            let found = text.matches(secret.as_str()).count();
            if found > 0 {
                self.removed += found;
                text = text.replace(secret.as_str(), REMOVED);
            }
        }
        let mut clean = String::with_capacity(text.len());
        let mut in_key = 0;
        for line in text.split_inclusive('\n') {
            let boundaries = line.matches("PRIVATE KEY-----").count();
            if boundaries == 0 && in_key == 0 {
                self.line(line, &mut clean);
                continue;
            }
            // Newest first, the end of a key comes before its beginning.
            in_key = match (boundaries, in_key) {
                (0, lines) => lines - 1,
                (1, 0) => LONGEST_KEY_LINES,
                _ => 0,
            };
            if boundaries > 0 && in_key > 0 || boundaries > 1 {
                self.removed += 1;
                clean.push_str(REMOVED);
                clean.push_str(" a private key\n");
            }
        }
        Redacted(clean)
    }

    /// One line without addresses' passwords and queries, values of secret names, and words that are secrets.
    fn line(&mut self, line: &str, clean: &mut String) {
        let line = self.addresses(line);
        let line = self.values(&line);
        let mut word = String::new();
        for c in line.chars() {
            if is_of_word(c) {
                word.push(c);
                continue;
            }
            self.word(&word, clean);
            word.clear();
            clean.push(c);
        }
        self.word(&word, clean);
    }

    fn word(&mut self, word: &str, clean: &mut String) {
        if is_secret_word(word) {
            self.removed += 1;
            clean.push_str(REMOVED);
        } else {
            clean.push_str(word);
        }
    }

    /// `scheme://user:password@host/path?query` without user, password and query.
    fn addresses(&mut self, line: &str) -> String {
        let mut clean = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("://") {
            clean.push_str(before);
            clean.push_str("://");
            let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`' | ')');
            let end = after.find(ends).unwrap_or(after.len());
            let (address, next) = after.split_at(end);
            let (address, query) = match address.split_once('?') {
                Some((address, query)) => (address, !query.is_empty()),
                None => (address, false),
            };
            let host = address.find('/').unwrap_or(address.len());
            // A password may hold a slash that its writer did not encode.
            let host = match address.rfind('@') {
                Some(at) if at > host && address.get(..host).is_some_and(|start| start.contains(':')) => {
                    address.len()
                }
                _ => host,
            };
            let (authority, path) = address.split_at(host);
            match authority.rsplit_once('@') {
                Some((_, host)) => {
                    self.removed += 1;
                    clean.push_str(REMOVED);
                    clean.push('@');
                    clean.push_str(host);
                }
                None => clean.push_str(authority),
            }
            clean.push_str(path);
            if query {
                self.removed += 1;
                clean.push('?');
                clean.push_str(REMOVED);
            }
            rest = next;
        }
        clean.push_str(rest);
        clean
    }

    /// `password=…`, `"token": "…"`, `Authorization: Bearer …` without the value.
    fn values(&mut self, line: &str) -> String {
        let mut clean = String::new();
        let mut rest = line;
        while let Some((before, sign, after)) = split_at_assignment(rest) {
            clean.push_str(before);
            clean.push(sign);
            rest = after;
            let name = before.trim_end_matches([' ', '"', '\'', '\\']).to_ascii_lowercase();
            if !SECRET_NAMES.iter().any(|secret| name.ends_with(secret)) {
                continue;
            }
            let start = rest.find(|c: char| !matches!(c, ' ' | '"' | '\'' | '\\')).unwrap_or(rest.len());
            let (opening, value) = rest.split_at(start);
            let scheme =
                ["Bearer ", "Basic ", "bearer ", "basic "].iter().find(|scheme| value.starts_with(**scheme));
            let scheme_length = scheme.map_or(0, |scheme| scheme.len());
            let (scheme, value) = value.split_at(scheme_length);
            let ends =
                |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\' | ',' | ';' | '&' | '}' | ']');
            let quoted = opening.contains(['"', '\'']);
            let end = match quoted {
                true => value.find(['"', '\'', '\n']),
                false => value.find(ends),
            };
            let end = end.unwrap_or(value.len());
            // Quotes in a text of JSON have a backslash.
            let end = value.get(..end).map_or(end, |value| value.trim_end_matches('\\').len());
            let (value, next) = value.split_at(end);
            clean.push_str(opening);
            clean.push_str(scheme);
            if !matches!(value, "" | "null" | REMOVED) {
                self.removed += 1;
                clean.push_str(REMOVED);
            } else {
                clean.push_str(value);
            }
            rest = next;
        }
        clean.push_str(rest);
        clean
    }
}

/// The text before the first `=` or `:` that no `://` belongs to, the sign, and the text after it.
fn split_at_assignment(text: &str) -> Option<(&str, char, &str)> {
    let (at, sign) = text.char_indices().find(|(_, c)| matches!(c, '=' | ':'))?;
    Some((text.get(..at)?, sign, text.get(at + 1..)?))
}

/// Letters of words that can be secrets: base64 in both alphabets, without the slash of paths, and dashes of codes.
fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+')
}

fn is_secret_word(word: &str) -> bool {
    let all = |test: fn(&u8) -> bool| word.bytes().all(|byte| test(&byte));
    let any = |test: fn(&u8) -> bool| word.bytes().any(|byte| test(&byte));
    if word.len() < 20 {
        return false;
    }
    let groups: Vec<&str> = word.split('-').collect();
    let typed_code =
        groups.len() == 4 && groups.iter().all(|group| group.len() == 5) && any(u8::is_ascii_digit);
    let code = typed_code || word.len() == 20 && ActivationCode::parse(word).is_ok();
    let document = word.len() == DOCUMENT_NAME && all(u8::is_ascii_hexdigit);
    let random = word.len() > LONGEST_PLAIN_WORD
        && any(u8::is_ascii_uppercase)
        && any(u8::is_ascii_lowercase)
        && any(u8::is_ascii_digit);
    code || document || random
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str) -> String {
        Redactor::new(["from-a-token-file".to_owned(), "short".to_owned()]).redact(text).as_str().to_owned()
    }

    #[test]
    fn what_has_the_form_of_a_secret_is_removed() {
        let code = ActivationCode::generate().unwrap().reveal();
        let sub = ActivationCode::parse(&code).unwrap().sub();
        let plain = code.replace('-', "");
        for (text, clean) in [
            ("curl -H from-a-token-file\n".to_owned(), "curl -H [removed]\n"),
            (format!("activate {code}"), "activate [removed]"),
            (format!("activate {plain}, {}", plain.to_lowercase()), "activate [removed], [removed]"),
            ("AAAAA-BBBBB-CCCCC-DDDD1 is mistyped".to_owned(), "[removed] is mistyped"),
            (format!("GET /v1/keys/{}.jws", sub.as_str()), "GET /v1/keys/[removed].jws"),
            (
                "proxy http://me:pa/ss@proxy.example:3128/x?".to_owned(),
                "proxy http://[removed]@proxy.example:3128/x",
            ),
            ("to https://h/in?sig=a&b=c, and".to_owned(), "to https://h/in?[removed] and"),
            ("http://[::1]:80/a".to_owned(), "http://[::1]:80/a"),
            ("\"password\": \"a, b\", \"n\": 1".to_owned(), "\"password\": \"[removed]\", \"n\": 1"),
            ("DB_PASSWORD=abc TOKEN = 'd e' x".to_owned(), "DB_PASSWORD=[removed] TOKEN = '[removed]' x"),
            ("authorization: Bearer abc.def".to_owned(), "authorization: Bearer [removed]"),
            ("token_file = \"/etc/svm-agent/token\"".to_owned(), "token_file = \"/etc/svm-agent/token\""),
            ("key aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5zA7bC9dE.x".to_owned(), "key [removed].x"),
            (
                "id 0197b2c4-7d8e-7abc-8def-0123456789ab of svm-agent-update.service, 2027-01-15T00:00:00Z"
                    .to_owned(),
                "id 0197b2c4-7d8e-7abc-8def-0123456789ab of svm-agent-update.service, 2027-01-15T00:00:00Z",
            ),
        ] {
            assert_eq!(redacted(&text), clean);
        }
    }

    #[test]
    fn a_private_key_is_removed_whichever_way_its_lines_run() {
        let key = ["-----BEGIN PRIVATE KEY-----", "AAAA", "BBBB", "-----END PRIVATE KEY-----"];
        let forth = format!("before\n{}\nafter\n", key.join("\n"));
        let back = format!("before\n{}\nafter\n", key.iter().rev().copied().collect::<Vec<_>>().join("\n"));
        for text in [forth, back, format!("before\nx {} y\nafter\n", key.join("\\n"))] {
            assert_eq!(redacted(&text), "before\n[removed] a private key\nafter\n");
        }
        assert!(!redacted(&format!("{}\nAAAA\nBBBB", key[0])).contains("AAAA"));
    }
}
