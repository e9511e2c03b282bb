//! One key in the ledger: a file of JSON that a person can read and git can compare.
//!
//! The signed document is what counts. Its claims stand beside it in the clear for people; where they differ,
//! somebody edited the file by hand, and nothing is built on it.

use super::{Damage, VendorError, files};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use svm_core::documents::{Document, Expect, Sub, TrustStore, verify};
use svm_core::files::read_bounded;
use svm_core::subscription::{KeyId, read_instant};
use svm_core::text::is_deceptive;

/// No file of the ledger is larger: it has some hundred bytes for each change of a key.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// One revision in the history of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {
    pub rev: u64,
    /// When it was signed.
    #[serde(deserialize_with = "instant")]
    pub at: Timestamp,
    pub what: String,
    /// Why, where somebody said so; for the provider alone, no document has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

fn instant<'de, D: serde::Deserializer<'de>>(text: D) -> Result<Timestamp, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(text)?;
    read_instant(&text).map_err(serde::de::Error::custom)
}

/// A key and its newest document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub document: Document,
    /// As ordered: days after each signing for which the word is fresh.
    pub fresh_for_days: Option<u64>,
    /// Oldest first.
    pub history: Vec<Done>,
}

/// The file as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    key: KeyId,
    #[serde(skip_serializing_if = "Option::is_none")]
    fresh_for_days: Option<u64>,
    history: Vec<Done>,
    claims: Map<String, Value>,
    document: String,
}

/// What is read of a file to find a key among many.
#[derive(Deserialize)]
struct Label {
    key: KeyId,
}

/// The key that a file says it is of, verified or not; of a damaged file, too, where that much of it is left.
pub(super) fn label(path: &Path) -> Option<KeyId> {
    label_in(&read_bounded(path, MAX_BYTES).ok()?)
}

pub(crate) fn label_in(text: &[u8]) -> Option<KeyId> {
    serde_json::from_slice::<Label>(text).ok().map(|label| label.key).or_else(|| key_in_ruins(text))
}

/// The key of a file that is no JSON any more. The line with it is the same on both sides of a conflict.
fn key_in_ruins(text: &[u8]) -> Option<KeyId> {
    let text = String::from_utf8_lossy(text);
    let (_, rest) = text.split_once("\"key\": \"")?;
    KeyId::try_from(rest.split('"').next()?.to_owned()).ok()
}

fn not_as_written(path: &Path, text: &[u8], error: &serde_json::Error) -> VendorError {
    let path = path.to_owned();
    if text.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"<<<<<<< ")) {
        return VendorError::Conflict { path };
    }
    VendorError::Damaged {
        path,
        problem: Damage::NotAsWritten { line: error.line(), column: error.column() },
    }
}

/// Reads a file of the ledger and verifies the document, and that everything beside it says the same.
pub(super) fn read(path: &Path, trust: &TrustStore, iss: &str) -> Result<Entry, VendorError> {
    parse(path, &read_bounded(path, MAX_BYTES).map_err(VendorError::io("read", path))?, trust, iss)
}

pub(crate) fn parse(path: &Path, text: &[u8], trust: &TrustStore, iss: &str) -> Result<Entry, VendorError> {
    let file: File = serde_json::from_slice(text).map_err(|error| not_as_written(path, text, &error))?;
    let texts = file.history.iter().flat_map(|done| [Some(&done.what), done.why.as_ref()]).flatten();
    if let Some(character) = texts.flat_map(|text| text.chars()).find(|c| is_deceptive(*c)) {
        let line = line_of(text, character);
        let (path, what) = (path.to_owned(), "the history of the key");
        return Err(VendorError::Deceptive { path, line, what, character });
    }
    let damaged = |problem| VendorError::Damaged { path: path.to_owned(), problem };
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let sub: Sub = name.parse().map_err(|_| damaged(Damage::Name))?;
    let document = verify(&file.document, trust, Expect { sub: Some(&sub), issuer: Some(iss) })
        .map_err(|error| damaged(Damage::Document(error)))?;
    if document.claims() != file.claims || document.statement.key != file.key {
        return Err(damaged(Damage::Edited));
    }
    Ok(Entry { document, fresh_for_days: file.fresh_for_days, history: file.history })
}

/// The first line of a JSON text with a character, as it is or escaped.
fn line_of(text: &[u8], character: char) -> usize {
    let text = String::from_utf8_lossy(text);
    let short = match character {
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\u{8}' => "\\b",
        '\u{c}' => "\\f",
        _ => "\\u",
    };
    let long: String =
        character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect();
    let has = |line: &str| {
        let lower = line.to_ascii_lowercase();
        line.contains(character) || lower.contains(&long) || (short != "\\u" && lower.contains(short))
    };
    text.split('\n').position(has).map_or(1, |at| at + 1)
}

impl Entry {
    /// Writes it beside its name in the folder of keys, and answers the name, for a [`files::Batch`].
    pub(super) fn write_beside(&self, folder: &Path) -> Result<PathBuf, VendorError> {
        let path = path_of(folder, &self.document.sub);
        let file = File {
            key: self.document.statement.key.clone(),
            fresh_for_days: self.fresh_for_days,
            history: self.history.clone(),
            claims: self.document.claims(),
            document: self.document.text.clone(),
        };
        let mut text = serde_json::to_vec_pretty(&file).map_err(|error| VendorError::Io {
            verb: "write",
            path: path.clone(),
            source: error.into(),
        })?;
        text.push(b'\n');
        files::write_beside(&path, &text, files::Form { mode: 0o600, after: None })?;
        Ok(path)
    }
}

/// Where the key of a code lies.
pub(super) fn path_of(folder: &Path, sub: &Sub) -> PathBuf {
    folder.join(format!("{}.json", sub.as_str()))
}
