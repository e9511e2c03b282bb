//! What publishing remembers, so that a hundred thousand keys that did not change cost a look at each file's facts
//! and not its reading: one print for each key whose file in the ledger was verified and whose published file is
//! the same.
//!
//! A print is made of the facts that change with every writing (inode, size, times) of both files, and of whom the
//! ledger trusts. The index is a cache: without it, or over files that came here by another way, everything is
//! read and verified again. It says nothing of a key that could not be guessed without knowing its name.

use super::{Ledger, VendorError, files};
use ring::digest::{Context, Digest, SHA256};
use std::{collections::HashSet, fs, os::unix::fs::MetadataExt, path::Path};
use svm_core::files::read_bounded;

/// Half a SHA-256.
type Print = [u8; 16];

/// The file's name beside the folder of documents, where no web server is asked for it.
pub(super) const FILE: &str = "v1/.published";

/// The prints of the last publishing.
#[derive(Debug, Default)]
pub(super) struct Index(HashSet<Print>);

/// Prints of sixteen million keys.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// How prints are made of a ledger: by whom it trusts.
#[derive(Clone)]
pub(super) struct Printer(Digest);

impl Printer {
    pub(super) fn of(ledger: &Ledger) -> Self {
        let mut text = ledger.profile().iss.clone();
        for (kid, signer) in ledger.trust().signers() {
            text += &format!("\n{kid} {}", signer.issuers.join(" "));
        }
        Self(ring::digest::digest(&SHA256, text.as_bytes()))
    }

    /// The print of a key's two files; `None` where one is not there.
    pub(super) fn print(&self, held: &Path, published: &Path) -> Option<Print> {
        let mut print = Context::new(&SHA256);
        print.update(self.0.as_ref());
        for path in [held, published] {
            // What a link leads to is not what was written here.
            let facts = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
            print.update(path.file_name()?.as_encoded_bytes());
            for number in [facts.dev(), facts.ino(), facts.size(), u64::from(facts.mode())] {
                print.update(&number.to_le_bytes());
            }
            for number in [facts.mtime(), facts.mtime_nsec(), facts.ctime(), facts.ctime_nsec()] {
                print.update(&number.to_le_bytes());
            }
        }
        print.finish().as_ref().first_chunk().copied()
    }
}

impl Index {
    /// Reads the index of a published folder; a missing or damaged one knows nothing.
    pub(super) fn read(folder: &Path) -> Self {
        let bytes = read_bounded(&folder.join(FILE), MAX_BYTES).unwrap_or_default();
        let (prints, rest) = bytes.as_chunks::<16>();
        Self(if rest.is_empty() { prints.iter().copied().collect() } else { HashSet::new() })
    }

    pub(super) fn has(&self, print: &Print) -> bool {
        self.0.contains(print)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Keeps these and no others. For the publisher's own eyes: mode 0600.
    pub(super) fn write(folder: &Path, prints: &[Print]) -> Result<(), VendorError> {
        files::write_atomic(&folder.join(FILE), prints.as_flattened(), 0o600)
    }
}
