//! One key in the ledger: a file of JSON that a person can read and git can compare.
//!
//! The signed document is what counts. Its claims stand beside it in the clear for people; where they differ,
//! somebody edited the file by hand, and nothing is built on it.

use super::{VendorError, files};
use crate::{
    documents::{Document, Expect, Sub, TrustStore, verify},
    subscription::KeyId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// One revision in the history of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// The revision.
    pub rev: u64,
    /// When it was signed.
    pub at: Timestamp,
    /// What was done.
    pub what: String,
}

/// A key and its newest document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The document.
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

/// A file that was read but not verified: enough to look for a key among many.
pub(crate) struct Unverified {
    path: PathBuf,
    file: File,
}

impl Unverified {
    /// Reads a file of the ledger.
    pub(super) fn read(path: &Path) -> Result<Self, VendorError> {
        Self::parse(path, &fs::read(path).map_err(VendorError::io("read", path))?)
    }

    pub(crate) fn parse(path: &Path, text: &[u8]) -> Result<Self, VendorError> {
        let file = serde_json::from_slice(text).map_err(|error| VendorError::Damaged {
            path: path.to_owned(),
            problem: format!("is not as it was written ({error})"),
        })?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// The key it says it is.
    pub(super) fn key(&self) -> &KeyId {
        &self.file.key
    }

    /// Verifies the document, and that everything beside it says the same.
    pub(crate) fn verified(self, trust: &TrustStore, iss: &str) -> Result<Entry, VendorError> {
        let Self { path, file } = self;
        let damaged = |problem: String| VendorError::Damaged { path: path.clone(), problem };
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let sub: Sub =
            name.parse().map_err(|_| damaged("does not have the name of a document".to_owned()))?;
        let document = verify(&file.document, trust, Expect { sub: Some(&sub), issuer: Some(iss) })
            .map_err(|error| damaged(format!("has a document that is refused ({error})")))?;
        if document.claims() != file.claims || document.statement.key != file.key {
            return Err(damaged("was edited by hand: its claims are not those that were signed".to_owned()));
        }
        Ok(Entry { document, fresh_for_days: file.fresh_for_days, history: file.history })
    }
}

impl Entry {
    /// Writes it into the folder of keys, in one step and waiting for the disk.
    pub(super) fn write(&self, folder: &Path) -> Result<(), VendorError> {
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
        files::write_atomic(&path, &text, 0o600, None)?;
        files::sync_folder(folder)
    }
}

/// Where the key of a code lies.
pub(super) fn path_of(folder: &Path, sub: &Sub) -> PathBuf {
    folder.join(format!("{}.json", sub.as_str()))
}
