//! Publishing: copies the ledger's documents to where a web server serves them.
//!
//! Only what changed is written, each file in one step, so that no reader sees half a document. Web servers
//! make the ETag from a file's time, in whole seconds, and its size; two revisions often have one size. So a
//! changed file's time moves at least a full second past its predecessor's, and an agent that asks with
//! `If-None-Match` never misses a revision. Files of keys that are not in the ledger are left alone, and so is
//! what is published and newer than the ledger: a clone that is behind takes nothing back. Each folder gets an empty
//! `index.html`, so that no web server lists it.

use super::{
    Entry, Ledger, VendorError, files,
    parallel::par_map,
    published_index::{Index, Printer},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};
use svm_core::documents::{Expect, MAX_DOCUMENT_BYTES, published_path, verify};
use svm_core::files::{list_folder, read_bounded};
use svm_core::subscription::KeyId;

/// What is larger is no document.
const MAX_PUBLISHED_BYTES: u64 = MAX_DOCUMENT_BYTES as u64;
/// So many keys are held in memory at a time.
const MAX_IN_MEMORY: usize = 4096;
/// From so many keys on, what was seen is remembered; of fewer, all are read each time.
const MIN_REMEMBERED: usize = 1000;

#[derive(Debug, Default)]
pub struct Published {
    /// What was new or had changed.
    pub written: Vec<ToPublish>,
    /// How many were as they should be already.
    pub unchanged: u64,
    /// Keys that could not be published; the others were.
    pub problems: Vec<VendorError>,
}

/// A document that is to be published.
#[derive(Clone, Debug)]
pub struct ToPublish {
    pub key: KeyId,
    pub rev: u64,
    /// Below the published folder; who knows it can fetch the document.
    pub path: String,
    /// Whether nothing was published of it before.
    pub is_new: bool,
}

/// What is to be done for one key.
enum Need {
    Nothing,
    Write { to: ToPublish, after: Option<SystemTime> },
}

/// The name of the page that web servers give out for a folder.
const INDEX_PAGE: &str = "index.html";

/// Puts an empty page into each folder of published files that has none, so that a web server with lists of folders switched
/// on lists nothing: a document is all that one needs, and its name is secret. Into the folder itself only where nothing
/// but published files is in it, because it may be the root of a site with a page of its own kind.
fn put_index_pages(folder: &Path) -> Result<(), VendorError> {
    let mut folders = vec![folder.join("v1/keys"), folder.join("v1")];
    let found = list_folder(folder).map_err(VendorError::io("read", folder))?;
    if found.iter().all(|path| path.ends_with("v1")) {
        folders.push(folder.to_owned());
    }
    for page in folders.into_iter().map(|folder| folder.join(INDEX_PAGE)) {
        if page.symlink_metadata().is_err() {
            files::write_atomic(&page, b"", 0o644)?;
        }
    }
    Ok(())
}

impl Ledger {
    /// Publishes every key below `folder`, as `v1/keys/<sub>.jws`: files 0644, new folders 0755. No signing key
    /// is needed. The disk has it all when this returns. With `rehearses`, nothing is written.
    ///
    /// # Errors
    /// Where the ledger or the folder cannot be read or written as a whole; a bad key is in
    /// [`Published::problems`].
    pub fn publish(&self, folder: &Path, rehearses: bool) -> Result<Published, VendorError> {
        let _lock = self.lock()?;
        let keys = folder.join("v1/keys");
        if !rehearses {
            files::make_folder(&keys, 0o755)?;
            put_index_pages(folder)?;
        }
        let of =
            |held: &Path| keys.join(Path::new(held.file_stem().unwrap_or_default()).with_extension("jws"));
        let printer = Printer::of(self);
        let print = |held: &PathBuf| printer.print(held, &of(held));
        let paths = self.paths()?;
        let remembers = paths.len() >= MIN_REMEMBERED;
        let index = if remembers { Index::read(folder) } else { Index::default() };
        let known = par_map(&paths, |held| print(held).filter(|print| index.has(print)));
        let mut prints: Vec<_> = known.iter().copied().flatten().collect();
        let changed: Vec<&PathBuf> =
            paths.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(path, _)| path).collect();

        let mut published = Published::default();
        let (mut good, mut batch) = (Vec::new(), files::Batch::new(&keys));
        for some in changed.chunks(MAX_IN_MEMORY) {
            let done = par_map(some, |held| -> Result<(Need, PathBuf), VendorError> {
                let entry = self.read(held)?;
                let path = of(held);
                let need = self.need(&entry, &path)?;
                if let Need::Write { after, .. } = need
                    && !rehearses
                {
                    let form = files::Form { mode: 0o644, after };
                    files::write_beside(&path, entry.document.text.as_bytes(), form)?;
                }
                Ok((need, path))
            });
            for (held, done) in some.iter().zip(done) {
                match done {
                    Ok((need, path)) => {
                        good.push((*held).clone());
                        if let Need::Write { to, .. } = need {
                            published.written.push(to);
                            if !rehearses {
                                batch.add(path);
                            }
                        }
                    }
                    Err(problem) => published.problems.push(problem),
                }
            }
        }
        let as_they_are = prints.len() + good.len() - published.written.len();
        published.unchanged = u64::try_from(as_they_are).unwrap_or(u64::MAX);
        if rehearses {
            return Ok(published);
        }
        batch.put()?;
        if !remembers {
            return Ok(published);
        }
        prints.extend(par_map(&good, print).into_iter().flatten());
        if !good.is_empty() || prints.len() != index.len() {
            Index::write(folder, &prints)?;
        }
        Ok(published)
    }

    /// What has to be done so that `path` has this key's document.
    fn need(&self, entry: &Entry, path: &Path) -> Result<Need, VendorError> {
        let document = &entry.document;
        let to = |is_new| ToPublish {
            key: document.statement.key.clone(),
            rev: document.statement.rev,
            path: published_path(&document.sub),
            is_new,
        };
        let held = match read_bounded(path, MAX_PUBLISHED_BYTES) {
            Ok(held) if held == document.text.as_bytes() => return Ok(Need::Nothing),
            Ok(held) => held,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Need::Write { to: to(true), after: None });
            }
            // No document is so large: somebody damaged it.
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Vec::new(),
            Err(error) => return Err(VendorError::io("read", path)(error)),
        };
        // Agents that took it pass over a revision with its number or less. What does not verify nobody took.
        let expect = Expect { sub: Some(&document.sub), issuer: Some(&document.iss) };
        let published = verify(&String::from_utf8_lossy(&held), self.trust(), expect).ok();
        let published = published.map_or(0, |published| published.statement.rev);
        let held = document.statement.rev;
        if published >= held {
            let id = document.statement.key.clone();
            return Err(VendorError::PublishedElsewhere { id, published, held });
        }
        let time = fs::metadata(path).and_then(|file| file.modified());
        let after = Some(time.map_err(VendorError::io("read", path))?);
        Ok(Need::Write { to: to(false), after })
    }
}
