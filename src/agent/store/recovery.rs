//! The file beside the database from which it can be rebuilt: identity, state, documents, and a
//! ceiling above which no sequence number was ever used. Small, and replaced atomically.

use super::{Commit, Paper, StoreError, TIME_NOTE};
use crate::agent::identity::Bond;
use crate::agent::lines::say;
use crate::subscription::State;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Sequence numbers are promised in blocks of so many, so that the file is not written for each event.
const BLOCK: u64 = 1000;

/// No number that was counted comes near this: a higher one is damage, and one above SQLite's integers could not be gone
/// on from.
const MOST_NUMBER: u64 = 1 << 53;

/// What the file holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Contents {
    /// The SVM's id.
    pub(super) id: String,
    /// To what it is bound.
    #[serde(default)]
    pub(super) bond: Bond,
    /// The state as it was last kept.
    pub(super) state: State,
    /// The documents of held keys.
    pub(super) papers: Vec<Paper>,
    /// No higher sequence number was used, for any destination.
    pub(super) ceiling: u64,
    /// How many changes were kept, starts included: a database that knows of less has lost some.
    #[serde(default)]
    pub(super) changes: u64,
    /// What trusted time remembered then.
    #[serde(default)]
    pub(super) time: Option<String>,
}

/// The file, and what it should hold.
pub(super) struct Recovery {
    path: PathBuf,
    pub(super) contents: Contents,
    /// Whether the file may hold less than this.
    pub(super) behind: bool,
    /// Whether it could not be written.
    pub(super) missed: bool,
}

pub(super) fn lock(recovery: &Mutex<Recovery>) -> MutexGuard<'_, Recovery> {
    recovery.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recovery {
    pub(super) fn new(path: PathBuf, contents: Contents) -> Self {
        Self { path, contents, behind: true, missed: false }
    }

    /// Reads the file. One that cannot be understood is set aside, and what was wrong with it is told.
    ///
    /// # Errors
    /// A file that is there and cannot be read: it may be good, and is not to be overwritten.
    pub(super) fn read(path: &Path) -> Result<(Option<Contents>, Option<String>), StoreError> {
        let failed =
            |error: std::io::Error| StoreError::File { path: path.to_owned(), problem: error.to_string() };
        let text = match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((None, None)),
            read => read.map_err(failed)?,
        };
        let problem = match serde_json::from_slice::<Contents>(&text) {
            Ok(contents) if contents.ceiling.max(contents.changes) <= MOST_NUMBER => {
                return Ok((Some(contents), None));
            }
            Ok(_) => "it has a number that was never used".to_owned(),
            Err(error) => error.to_string(),
        };
        std::fs::rename(path, path.with_extension("damaged")).map_err(failed)?;
        Ok((None, Some(format!("the recovery file was damaged too ({problem})"))))
    }

    /// Promises sequence numbers up to the next block, where `used` reaches the ceiling.
    pub(super) fn raise(shared: &Mutex<Self>, used: u64) {
        {
            let contents = &mut lock(shared).contents;
            if used <= contents.ceiling {
                return;
            }
            contents.ceiling = (used / BLOCK + 1) * BLOCK;
        }
        Self::write(shared);
    }

    /// Follows what was just kept in the database as change number `changes`; to be written.
    pub(super) fn follow(&mut self, commit: &Commit, changes: u64) {
        if let Some(state) = &commit.state {
            self.contents.state = state.clone();
        }
        if let Some(papers) = &commit.papers {
            self.contents.papers.clone_from(papers);
        }
        let time = commit.notes.iter().find(|(name, _)| *name == TIME_NOTE);
        self.contents.time = time.map(|(_, text)| text.clone()).or(self.contents.time.take());
        self.contents.changes = changes;
        self.behind = true;
    }

    /// Writes the file; nobody is kept waiting for the disk meanwhile. The database is the truth: where this
    /// fails, it is said and work goes on. Only the store's thread writes once it works.
    pub(super) fn write(shared: &Mutex<Self>) {
        let (path, contents) = {
            let mut recovery = lock(shared);
            recovery.behind = false;
            (recovery.path.clone(), serde_json::to_vec(&recovery.contents))
        };
        let written =
            contents.map_err(std::io::Error::other).and_then(|text| write_atomically(&path, &text, 0o600));
        let missed_before = std::mem::replace(&mut lock(shared).missed, written.is_err());
        match written {
            Err(error) if !missed_before => {
                say!(RECOVERY_FAILS, path = %path.display(), %error, "the recovery file {} was not written: {error}; each change tries again", path.display());
            }
            Ok(()) if missed_before => {
                say!(RECOVERY_WORKS, path = %path.display(), "the recovery file is written again");
            }
            _ => {}
        }
    }
}

/// Replaces a file so that readers see the old or the new one, whole; synced. It is never wider than `mode`.
///
/// # Errors
/// Any step's; the old file then stands.
pub fn write_atomically(path: &Path, contents: &[u8], mode: u32) -> std::io::Result<()> {
    let next = path.with_extension("new");
    std::fs::remove_file(&next)
        .or_else(|e| if e.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(e) })?;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next)?;
    // Wider only from here, whatever the umask takes away; nobody knows the file by its name yet.
    rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(mode))?;
    file.write_all(contents)?;
    file.sync_all()?;
    std::fs::rename(&next, path)?;
    match path.parent() {
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_cannot_be_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recovery.json");
        for (ceiling, changes, good) in [(1 << 53, 7, true), (1 << 54, 7, false), (1000, u64::MAX, false)] {
            let contents = Contents { id: "a".to_owned(), ceiling, changes, ..Contents::default() };
            std::fs::write(&path, serde_json::to_vec(&contents).unwrap()).unwrap();
            let (read, problem) = Recovery::read(&path).unwrap();
            assert_eq!((read.is_some(), problem.is_none(), path.exists()), (good, good, good), "{problem:?}");
        }
    }
}
