//! Bearer tokens: which are known. To which source one belongs is the store's to keep.
//!
//! Promises: the collector holds only SHA-256 hashes of tokens; a token is compared in constant time, and
//! neither it nor its hash is logged.

use axum::http::{HeaderMap, header};
use ring::{digest, rand::SecureRandom};
use std::collections::HashMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use subtle::ConstantTimeEq;

/// What is wrong with the token file.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// It cannot be read.
    #[error("cannot read the token file {} (tokens.file); make a line for it with `svm-collector token`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others may write it, and so let in whom they like.
    #[error("the token file {} can be written by others than its owner: chmod go-w it", .0.display())]
    Writable(PathBuf),
    /// A line is no hash.
    #[error("line {line} of the token file {} is not a SHA-256 hash of 64 hex digits", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

type Hash = [u8; 32];

/// The hashes of all known tokens.
pub(crate) struct Tokens {
    /// Found by their first bytes, so that a hundred thousand are no burden; compared whole in constant time.
    hashes: HashMap<[u8; 8], Vec<Hash>>,
}

impl Tokens {
    /// Reads the file: a hash a line; what follows it on the line is a note. Empty lines and `#` are skipped.
    pub(super) fn read(path: &Path) -> Result<Self, TokensError> {
        use std::os::unix::fs::PermissionsExt;
        let failed = |source| TokensError::Read { path: path.to_owned(), source };
        let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
        if mode & 0o022 != 0 {
            return Err(TokensError::Writable(path.to_owned()));
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        Self::parse(&text).map_err(|line| TokensError::Line { path: path.to_owned(), line })
    }

    pub(crate) fn parse(text: &str) -> Result<Self, usize> {
        let mut hashes: HashMap<[u8; 8], Vec<Hash>> = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let Some(word) = line.split_whitespace().next().filter(|word| !word.starts_with('#')) else {
                continue;
            };
            let hash = from_hex(word).ok_or(index + 1)?;
            hashes.entry(start(&hash)).or_default().push(hash);
        }
        Ok(Self { hashes })
    }

    /// How many are known.
    pub(super) fn count(&self) -> usize {
        self.hashes.values().map(Vec::len).sum()
    }

    /// The hash, in hex, of the token a request shows, where it is a known one.
    pub(super) fn known(&self, headers: &HeaderMap) -> Option<String> {
        let shown = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = shown.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let hash = hash(token.trim());
        let candidates = self.hashes.get(&start(&hash))?;
        let known = candidates.iter().fold(false, |found, known| found | bool::from(known.ct_eq(&hash)));
        known.then(|| to_hex(&hash))
    }
}

/// Makes a token: the token, and the line for the token file.
pub fn make() -> Option<(String, String)> {
    let mut bytes = [0_u8; 32];
    ring::rand::SystemRandom::new().fill(&mut bytes).ok()?;
    let token = format!("svmc_{}", to_hex(&bytes));
    let line = to_hex(&hash(&token));
    Some((token, line))
}

fn hash(token: &str) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    hash
}

fn start(hash: &Hash) -> [u8; 8] {
    let mut first = [0; 8];
    first.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
    first
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
}

fn from_hex(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str) -> HeaderMap {
        [(header::AUTHORIZATION, value.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn a_made_token_is_known_and_no_other() {
        let (token, line) = make().unwrap();
        let tokens = Tokens::parse(&format!("# ours\n\n{line} svm-7\n")).unwrap();
        assert_eq!(tokens.known(&shown(&format!("Bearer {token}"))), Some(line.clone()));
        assert_eq!(tokens.known(&shown(&format!("bearer {token}"))), Some(line));
        for wrong in ["Bearer ", "Bearer x", &token, &format!("Basic {token}"), &format!("Bearer {token}x")] {
            assert_eq!(tokens.known(&shown(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn a_line_that_is_no_hash_is_named() {
        assert_eq!(Tokens::parse("\nplain-token\n").err(), Some(2));
    }
}
