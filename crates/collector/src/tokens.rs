//! Bearer tokens: which are known, and for which source the file names one. What a token without such a name belongs to
//! is the store's to keep.
//!
//! Promises: the collector holds only SHA-256 hashes of tokens; a token is compared in constant time, and
//! neither it nor its hash is logged.

use axum::http::{HeaderMap, header};
use ring::{digest, rand::SecureRandom};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use subtle::ConstantTimeEq;
use svm_core::files::read_text_bounded;
use svm_core::hex;
use svm_core::root_only::{Exposed, only_root_may_change};
use svm_core::text::trim_pasted;

/// Bytes of a token file: about 100,000 lines.
const MAX_FILE: u64 = 16 * 1024 * 1024;
/// What stands before the name of a source in a line.
const SOURCE: &str = "source=";

/// What is wrong with the token file.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// It cannot be read.
    #[error("cannot read the token file {}; make a line for it with `svm-collector token`", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// Somebody else than root may change it, and so let in whom they like.
    #[error("the token file {} is not used: others can change it", path.display())]
    Exposed { path: PathBuf, source: Exposed },
    /// A line cannot be used.
    #[error("line {line} of the token file {} {problem}", path.display())]
    Line {
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it, to be read after the line.
        problem: &'static str,
    },
}

type Hash = [u8; 32];

/// A line of the file.
struct Known {
    hash: Hash,
    source: Option<String>,
}

/// A line of a token file that cannot be used.
#[derive(Debug)]
pub(crate) struct BadLine {
    /// Counted from 1.
    line: usize,
    /// To be read after the line's number.
    problem: &'static str,
}

/// The hashes of all known tokens.
pub(crate) struct Tokens {
    /// Found by their first bytes, so that a hundred thousand are no burden; compared whole in constant time.
    hashes: HashMap<[u8; 8], Vec<Known>>,
    /// Sources that are named for a token.
    named: HashSet<String>,
}

/// A token that a request shows, and that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownToken {
    /// Its hash, in hex.
    pub(crate) hash: String,
    /// The source that the file names for it.
    pub(crate) source: Option<String>,
}

impl Tokens {
    /// Reads the file: a hash a line, then perhaps `source=…`; what else follows is a note. Empty lines and `#` are
    /// skipped.
    pub(super) fn read(path: &Path) -> Result<Self, TokensError> {
        let text = read_text_bounded(path, MAX_FILE)
            .map_err(|source| TokensError::Read { path: path.to_owned(), source })?;
        only_root_may_change(path)
            .map_err(|source| TokensError::Exposed { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|BadLine { line, problem }| TokensError::Line {
            path: path.to_owned(),
            line,
            problem,
        })
    }

    /// Reads the lines, or says which is wrong and why.
    pub(crate) fn parse(text: &str) -> Result<Self, BadLine> {
        let mut tokens = Self { hashes: HashMap::new(), named: HashSet::new() };
        for (index, line) in text.lines().enumerate() {
            let mut words = trim_pasted(line).split_whitespace();
            let Some(word) = words.next().filter(|word| !word.starts_with('#')) else { continue };
            let bad = |problem| BadLine { line: index + 1, problem };
            let hash = hex::decode(word)
                .ok_or_else(|| bad("does not begin with a SHA-256 hash of 64 hex digits"))?;
            let mut sources = words.filter_map(|word| word.strip_prefix(SOURCE));
            let source = sources.next().map(str::to_owned);
            if source.as_deref() == Some("") || sources.next().is_some() {
                return Err(bad("must name one source after source="));
            }
            let same = tokens.hashes.entry(start(&hash)).or_default();
            if same.iter().any(|known| known.hash == hash && known.source != source) {
                return Err(bad("names another source for a token than a line before it"));
            }
            tokens.named.extend(source.clone());
            same.push(Known { hash, source });
        }
        Ok(tokens)
    }

    /// How many are known.
    pub(super) fn count(&self) -> usize {
        self.hashes.values().map(Vec::len).sum()
    }

    /// Whether a source is named for a token.
    pub(super) fn names(&self, source: &str) -> bool {
        self.named.contains(source)
    }

    /// The token a request shows, if it is a known one.
    pub(super) fn known(&self, headers: &HeaderMap) -> Option<KnownToken> {
        let shown = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = shown.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let hash = hash(token.trim());
        let candidates = self.hashes.get(&start(&hash))?;
        let mut found = None;
        for known in candidates {
            if bool::from(known.hash.ct_eq(&hash)) {
                found = Some(known);
            }
        }
        found.map(|known| KnownToken { hash: hex::encode(&hash), source: known.source.clone() })
    }
}

/// A token that was made.
pub struct NewToken {
    /// What the sender shows.
    pub token: String,
    /// What the token file has of it.
    pub line: String,
}

/// Makes a token, perhaps with the source that it may speak for; `None` if the system gives no random numbers.
pub fn make(source: Option<&str>) -> Option<NewToken> {
    let mut bytes = [0_u8; 32];
    ring::rand::SystemRandom::new().fill(&mut bytes).ok()?;
    let token = format!("svmc_{}", hex::encode(&bytes));
    let mut line = hex::encode(&hash(&token));
    if let Some(source) = source {
        write!(line, " {SOURCE}{source}").ok();
    }
    Some(NewToken { token, line })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str) -> HeaderMap {
        [(header::AUTHORIZATION, value.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn a_made_token_is_known_and_no_other() {
        let NewToken { token, line } = make(None).unwrap();
        let tokens = Tokens::parse(&format!("# ours\n\n{line} svm-7\n")).unwrap();
        let known = Some(KnownToken { hash: line, source: None });
        assert_eq!(tokens.known(&shown(&format!("Bearer {token}"))), known);
        assert_eq!(tokens.known(&shown(&format!("bearer {token}"))), known);
        for wrong in ["Bearer ", "Bearer x", &token, &format!("Basic {token}"), &format!("Bearer {token}x")] {
            assert_eq!(tokens.known(&shown(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn a_line_names_a_source_or_says_what_is_wrong() {
        let NewToken { token, line } = make(None).unwrap();
        let shown = shown(&format!("Bearer {token}"));
        let tokens = Tokens::parse(&format!("\u{feff}{line} the first source=urn:svm:a\r\n")).unwrap();
        assert_eq!(tokens.known(&shown).unwrap().source.as_deref(), Some("urn:svm:a"));
        assert!(tokens.names("urn:svm:a") && !tokens.names("urn:svm:b"));
        for (text, at) in [
            ("\nplain-token\n".to_owned(), 2),
            (format!("{line} source="), 1),
            (format!("{line} source=a source=b"), 1),
            (format!("{line} source=a\n\n{line} source=b"), 3),
            (format!("{line} source=a\n{line}"), 2),
        ] {
            assert_eq!(Tokens::parse(&text).err().map(|bad| bad.line), Some(at), "{text}");
        }
    }
}
