//! Writes a bundle as `.tar.zst`.

use super::parts::Bundle;
use jiff::Timestamp;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// zstd's own default.
const LEVEL: i32 = 3;

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file, folder or link has that name.
    #[error("{} exists and is not overwritten; give another name with --output", .0.display())]
    Exists(PathBuf),
    /// The folder, the rights or the disk do not allow it.
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Writes the archive with mode 0600, and returns its size in bytes. Everything in it lies in one folder, `folder`.
///
/// # Errors
/// [`ArchiveError`]; no part of an archive is left behind.
pub fn write(path: &Path, folder: &str, bundle: &Bundle, now: Timestamp) -> Result<u64, ArchiveError> {
    let failed = |source| ArchiveError::Write { path: path.to_owned(), source };
    let file = File::options().write(true).create_new(true).mode(0o600).open(path);
    let file = file.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => ArchiveError::Exists(path.to_owned()),
        _ => failed(error),
    })?;
    let written = fill(file, folder, bundle, now);
    if written.is_err() {
        // The first error says why.
        std::fs::remove_file(path).ok();
    }
    written.map_err(failed)
}

fn fill(file: File, folder: &str, bundle: &Bundle, now: Timestamp) -> io::Result<u64> {
    let mut tar = tar::Builder::new(zstd::stream::write::Encoder::new(file, LEVEL)?);
    for part in &bundle.parts {
        let text = part.text.as_str().as_bytes();
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_mtime(u64::try_from(now.as_second()).unwrap_or_default());
        header.set_size(u64::try_from(text.len()).unwrap_or(u64::MAX));
        tar.append_data(&mut header, format!("{folder}/{}", part.name), text)?;
    }
    let file = tar.into_inner()?.finish()?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}
