//! The file beside the database from which it can be rebuilt: identity, state, documents, and a
//! ceiling above which no sequence number was ever used. Small, and replaced atomically.
//!
//! Promises: what is written here can be read again: writer and reader share their bounds. A damaged file is never
//! taken for an absent one; what can still be read of it is used.

use crate::identity::Bond;
use crate::log::log_event;
use crate::storage::error::StoreError;
use crate::storage::notes::NoteName;
use crate::storage::types::{Commit, StoredDocument};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use svm_core::atomic_file::write_atomically;
use svm_core::bounds::{MAX_RECOVERY_BYTES, MAX_SEQUENCE};
use svm_core::files;
use svm_core::library_words;
use svm_core::lock::lock;
use svm_core::subscription::State;

/// Sequence numbers are promised in blocks of so many, so that the file is not written for each event.
const BLOCK: u64 = 1000;

/// What the file holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Contents {
    pub(crate) id: String,
    /// To what it is bound.
    #[serde(default)]
    pub(crate) bond: Bond,
    /// The state as it was last kept.
    pub(crate) state: State,
    /// The documents of held keys.
    #[serde(rename = "papers")]
    pub(crate) documents: Vec<StoredDocument>,
    /// No higher sequence number was used, for any destination.
    pub(crate) ceiling: u64,
    /// How many changes were kept, starts included: a database that knows of less has lost some.
    #[serde(default)]
    pub(crate) changes: u64,
    /// What trusted time remembered then.
    #[serde(default)]
    pub(crate) time: Option<String>,
}

/// What was found where the file should be.
pub(crate) enum Read {
    Absent,
    Whole(Contents),
    /// One that is not.
    Damaged {
        /// What is wrong with it.
        problem: String,
        /// What it still says, where it says whose it is.
        salvaged: Option<Salvaged>,
    },
}

/// What a damaged file still says.
pub(crate) struct Salvaged {
    /// What cannot be read is empty.
    pub(crate) contents: Contents,
    /// Whether state and documents could be read.
    pub(crate) state: bool,
}

/// The file, and what it should hold.
pub(crate) struct Recovery {
    path: PathBuf,
    pub(crate) contents: Contents,
    /// Whether the file may hold less than this.
    pub(crate) behind: bool,
    /// Whether it could not be written.
    pub(crate) missed: bool,
}

impl Recovery {
    pub(crate) fn new(path: PathBuf, contents: Contents) -> Self {
        Self { path, contents, behind: true, missed: false }
    }

    /// Reads the file, and changes nothing.
    ///
    /// # Errors
    /// A file that is there and cannot be read: it may be good, and is not to be overwritten.
    pub(crate) fn read(path: &Path) -> Result<Read, StoreError> {
        match files::read_bounded(path, MAX_RECOVERY_BYTES) {
            Ok(text) => Ok(understand(&text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Read::Absent),
            Err(error) if error.kind() == ErrorKind::FileTooLarge => {
                Ok(Read::Damaged { problem: library_words::io(&error), salvaged: None })
            }
            Err(source) => Err(StoreError::File { path: path.to_owned(), source }),
        }
    }

    /// Promises sequence numbers up to the next block, where `used` reaches the ceiling.
    pub(crate) fn raise(shared: &Mutex<Self>, used: u64) {
        {
            let contents = &mut lock(shared).contents;
            if used <= contents.ceiling {
                return;
            }
            contents.ceiling = ((used / BLOCK).saturating_add(1).saturating_mul(BLOCK)).min(MAX_SEQUENCE);
        }
        Self::write(shared);
    }

    /// Follows what was just kept in the database as change number `changes`; to be written.
    pub(crate) fn follow(&mut self, commit: &Commit, changes: u64) {
        if let Some(state) = &commit.state {
            self.contents.state = state.clone();
        }
        if let Some(documents) = &commit.documents {
            self.contents.documents.clone_from(documents);
        }
        let time = commit.notes.iter().find(|(name, _)| *name == NoteName::Time);
        self.contents.time = time.map(|(_, text)| text.clone()).or(self.contents.time.take());
        self.contents.changes = changes.min(MAX_SEQUENCE);
        self.behind = true;
    }

    /// Writes the file; nobody is kept waiting for the disk meanwhile. The database is the truth: where this
    /// fails, it is said and work goes on. Only the store's thread writes once it works.
    pub(crate) fn write(shared: &Mutex<Self>) {
        let (path, contents) = {
            let mut recovery = lock(shared);
            recovery.behind = false;
            (recovery.path.clone(), serde_json::to_vec(&recovery.contents))
        };
        let written = contents.map_err(std::io::Error::other).and_then(|text| {
            if u64::try_from(text.len()).is_ok_and(|length| length <= MAX_RECOVERY_BYTES) {
                write_atomically(&path, &text, 0o600)
            } else {
                // The next start could not read it; the older one it can.
                Err(std::io::Error::new(ErrorKind::FileTooLarge, "the state is too large for it"))
            }
        });
        let missed_before = std::mem::replace(&mut lock(shared).missed, written.is_err());
        match written {
            Err(error) if !missed_before => {
                let path = path.display();
                let error = library_words::io(&error);
                log_event!(RECOVERY_FAILS, %path, %error);
            }
            Ok(()) if missed_before => {
                let path = path.display();
                log_event!(RECOVERY_WORKS, %path);
            }
            _ => {}
        }
    }
}

/// What the text of the file says.
fn understand(text: &[u8]) -> Read {
    let problem = match serde_json::from_slice::<Contents>(text) {
        Ok(contents) if contents.id.is_empty() => "it contains no id".to_owned(),
        Ok(contents) => match contents.ceiling.max(contents.changes) {
            0..=MAX_SEQUENCE => return Read::Whole(contents),
            number => format!(
                "it contains the sequence number {number}, but the largest possible one is {MAX_SEQUENCE}"
            ),
        },
        Err(error) => library_words::json(&error),
    };
    Read::Damaged { problem, salvaged: salvage(text) }
}

/// Reads what can be read of a damaged text, part by part. Whose it is must be among it.
fn salvage(text: &[u8]) -> Option<Salvaged> {
    let parts: Map<String, Value> = serde_json::from_slice(text).ok()?;
    let id: String = part(&parts, "id")?;
    let bond = part(&parts, "bond")?;
    let state: Option<(State, Vec<StoredDocument>)> = part(&parts, "state").zip(part(&parts, "papers"));
    let number = |name| part(&parts, name).filter(|number| *number <= MAX_SEQUENCE).unwrap_or(0);
    let (state, documents, whole) = state
        .map_or_else(|| (State::default(), Vec::new(), false), |(state, documents)| (state, documents, true));
    let contents = Contents {
        id,
        bond,
        state,
        documents,
        ceiling: number("ceiling"),
        changes: number("changes"),
        time: part(&parts, "time"),
    };
    (!contents.id.is_empty()).then_some(Salvaged { contents, state: whole })
}

fn part<T: DeserializeOwned>(parts: &Map<String, Value>, name: &str) -> Option<T> {
    T::deserialize(parts.get(name)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn damaged(text: &str) -> (String, Option<Salvaged>) {
        match understand(text.as_bytes()) {
            Read::Damaged { problem, salvaged } => (problem, salvaged),
            _ => panic!("{text} counts as whole"),
        }
    }

    #[test]
    fn the_reader_takes_what_the_writer_may_write_and_nothing_above() {
        for (ceiling, changes, good) in [
            (MAX_SEQUENCE, 7, true),
            (MAX_SEQUENCE + 1, 7, false),
            (1000, MAX_SEQUENCE, true),
            (1000, u64::MAX, false),
        ] {
            let contents = Contents { id: "a".to_owned(), ceiling, changes, ..Contents::default() };
            let read = understand(&serde_json::to_vec(&contents).unwrap());
            assert_eq!(matches!(read, Read::Whole(_)), good, "{ceiling} {changes}");
        }
        let contents = Contents { id: "a".to_owned(), ..Contents::default() };
        let shared = Mutex::new(Recovery::new(PathBuf::from("/nowhere/recovery.json"), contents));
        for used in [0, 1, 999, 1000, MAX_SEQUENCE - 1000, MAX_SEQUENCE - 1, MAX_SEQUENCE, u64::MAX] {
            Recovery::raise(&shared, used);
            lock(&shared).follow(&Commit::default(), used);
            let written = serde_json::to_vec(&lock(&shared).contents).unwrap();
            assert!(matches!(understand(&written), Read::Whole(_)), "{used}");
        }
    }

    #[test]
    fn of_a_damaged_file_each_part_that_can_be_read_is_used() {
        let whole = r#"{"id":"a","bond":{"since":null,"machine_id":"m"},"state":{"protected_devices":7},"papers":[],"ceiling":9,"changes":3}"#;
        assert!(matches!(understand(whole.as_bytes()), Read::Whole(_)));
        let read = |from: &str, to: &str| damaged(&whole.replace(from, to)).1;
        let salvaged = read(r#""ceiling":9"#, r#""ceiling":18446744073709551615"#).unwrap();
        assert!(salvaged.state && salvaged.contents.state.protected_devices == Some(7));
        assert_eq!((salvaged.contents.ceiling, salvaged.contents.changes), (0, 3));
        let salvaged = read(r#"{"protected_devices":7}"#, r#"{"active":{}}"#).unwrap();
        assert!(!salvaged.state && salvaged.contents.id == "a" && salvaged.contents.ceiling == 9);
        assert!(read(r#""id":"a""#, r#""id":"""#).is_none() && read(r#""id":"a","#, "").is_none());
        assert!(read(r#""since":null,"#, r#""since":7,"#).is_none(), "whose it is cannot be told");
        for text in ["", "{", "null", "[]", "\u{0}\u{0}\u{0}", &whole[..whole.len() / 2]] {
            let (problem, salvaged) = damaged(text);
            assert!(salvaged.is_none() && !problem.is_empty());
        }
    }

    #[test]
    fn a_file_is_read_within_bounds_and_one_that_is_no_file_is_not_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recovery.json");
        assert!(matches!(Recovery::read(&path).unwrap(), Read::Absent));
        std::fs::File::create(&path).unwrap().set_len(MAX_RECOVERY_BYTES + 1).unwrap();
        assert!(matches!(Recovery::read(&path).unwrap(), Read::Damaged { .. }));
        std::fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .unwrap();
        assert!(Recovery::read(&path).is_err());
    }
}
