//! Publishing: copies the ledger's documents to where a web server serves them.
//!
//! Only what changed is written, each file in one step, so that no reader sees half a document. Web servers
//! make the ETag from a file's time, in whole seconds, and its size; two revisions often have one size. So a
//! changed file's time moves at least a full second past its predecessor's, and an agent that asks with
//! `If-None-Match` never misses a revision. Files of keys that are not in the ledger are left alone.

use super::{Ledger, VendorError, files};
use crate::documents::published_path;
use std::{fs, io, path::Path};

/// What publishing did.
#[derive(Debug, Default)]
pub struct Published {
    /// How many files were new or had changed.
    pub written: u64,
    /// How many were as they should be already.
    pub unchanged: u64,
    /// Keys that could not be published; the others were.
    pub problems: Vec<VendorError>,
}

impl Ledger {
    /// Publishes every key below `folder`, as `v1/keys/<sub>.jws`: files 0644, new folders 0755. No signing key
    /// is needed. The disk has it all when this returns.
    ///
    /// # Errors
    /// Where the ledger or the folder cannot be read or written as a whole; a bad key is in
    /// [`Published::problems`].
    pub fn publish(&self, folder: &Path) -> Result<Published, VendorError> {
        let _lock = self.lock()?;
        let listing = self.list()?;
        let keys = folder.join("v1/keys");
        files::make_folder(&keys, 0o755)?;
        let mut published = Published { problems: listing.problems, ..Published::default() };
        for entry in &listing.entries {
            let path = folder.join(published_path(&entry.document.sub));
            match replace(&path, entry.document.text.as_bytes()) {
                Ok(true) => published.written += 1,
                Ok(false) => published.unchanged += 1,
                Err(problem) => published.problems.push(problem),
            }
        }
        files::sync_folder(&keys)?;
        Ok(published)
    }
}

/// Tells whether the file had to be written.
fn replace(path: &Path, bytes: &[u8]) -> Result<bool, VendorError> {
    let before = match fs::read(path) {
        Ok(held) if held == bytes => return Ok(false),
        Ok(_) => {
            let time = fs::metadata(path).and_then(|file| file.modified());
            Some(time.map_err(VendorError::io("read", path))?)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(VendorError::io("read", path)(error)),
    };
    files::write_atomic(path, bytes, 0o644, before)?;
    Ok(true)
}
