//! A look at the database from outside, while the agent may be working in it.
//!
//! Promises: nothing is written and nobody is kept waiting: where the agent works, its own index is used; where it does
//! not, the file is read as it lies, without one. A caller who may not read the folder gets an error that says so.

use crate::storage::error::StoreError;
use crate::storage::history::{self, EventRow, Listing};
use crate::storage::sql;
use crate::storage::types::StoredDocument;
use rusqlite::{Connection, OpenFlags};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;
use svm_core::library_words;

#[derive(Debug)]
pub struct Inspection {
    /// What `PRAGMA quick_check` has against the database; nothing where it is whole.
    pub problem: Option<String>,
    /// Documents of held keys.
    pub documents: Vec<StoredDocument>,
    /// The size of the database with its log, in bytes.
    pub bytes: u64,
}

/// Why there was nothing to see.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error("there is no database yet")]
    Missing,
    /// The agent ended without closing it, and only the next start may read what it left.
    #[error("the agent was killed; its next start completes the database from its log")]
    Left,
    /// This user may not.
    #[error("only root and the agent can read it")]
    Denied,
    #[error("it cannot be read: {0}")]
    Failed(String),
}

/// Looks whether the database of a state folder is whole, for at most `patience`, and at what it holds. `running`:
/// whether an agent works in the folder.
///
/// # Errors
/// [`InspectError`].
pub fn inspect(folder: &Path, running: bool, timeout: Duration) -> Result<Inspection, InspectError> {
    let (db, bytes) = open(folder, running)?;
    let interrupt = db.get_interrupt_handle();
    let (done, ended) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        if ended.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout) {
            interrupt.interrupt();
        }
    });
    let whole: rusqlite::Result<String> = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    drop(done);
    let whole = whole.map_err(failed)?;
    let documents = sql::documents(&db).map_err(failed)?;
    Ok(Inspection { problem: (whole != "ok").then_some(whole), documents, bytes })
}

/// The documents of held keys, as [`inspect`] gives them, without a look at the rest.
///
/// # Errors
/// As there.
pub fn stored_documents(folder: &Path, running: bool) -> Result<Vec<StoredDocument>, InspectError> {
    sql::documents(&open(folder, running)?.0).map_err(failed)
}

/// The newest events, at most `most`, newest first.
///
/// # Errors
/// As [`inspect`].
pub fn newest_events(folder: &Path, running: bool, most: usize) -> Result<Vec<EventRow>, InspectError> {
    let listing = Listing { most, ..Listing::default() };
    history::events(&open(folder, running)?.0, &listing).map_err(failed)
}

fn failed(error: rusqlite::Error) -> InspectError {
    InspectError::Failed(StoreError::from(error).to_string())
}

/// The database for reading, and its size.
fn open(folder: &Path, running: bool) -> Result<(Connection, u64), InspectError> {
    let file = folder.join("agent.db");
    let size = |path: &Path| std::fs::metadata(path).map(|about| about.len());
    let of = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => InspectError::Missing,
        std::io::ErrorKind::PermissionDenied => InspectError::Denied,
        _ => InspectError::Failed(library_words::io(&error)),
    };
    let bytes = size(&file).map_err(of)?;
    // Closing it releases no lock of ours, as there is none yet.
    std::fs::File::open(&file).map_err(of)?;
    let log = size(&folder.join("agent.db-wal")).unwrap_or(0);
    if !running && log > 0 {
        return Err(InspectError::Left);
    }
    // The path in a URI (RFC 3986): nothing in it may mean anything.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b);
    let mut uri = "file:".to_owned();
    for byte in file.as_os_str().as_bytes() {
        match plain(*byte) {
            true => uri.push(char::from(*byte)),
            false => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str(if running { "?mode=ro" } else { "?immutable=1" });
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(uri, flags).map_err(failed)?;
    db.busy_timeout(Duration::from_secs(1)).map_err(failed)?;
    Ok((db, bytes + log))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const TIMEOUT: Duration = Duration::from_secs(60);

    fn made(folder: &Path) -> Connection {
        let db = crate::storage::connection::connect(&folder.join("agent.db")).unwrap();
        sql::create(&db, "id", &Default::default(), &Default::default()).unwrap();
        db
    }

    #[test]
    fn a_database_is_read_beside_its_writer_and_left_as_it_is() {
        let outer = tempfile::tempdir().unwrap();
        // A name that would mean something in a URI.
        let folder = outer.path().join("a b?mode=rwc#%41");
        fs::create_dir(&folder).unwrap();
        assert!(matches!(inspect(&folder, false, TIMEOUT), Err(InspectError::Missing)));
        let db = made(&folder);
        db.execute("INSERT INTO documents VALUES ('K', 'i', 's', 'j')", []).unwrap();
        // A writer holds its lock, and the inspection does not wait.
        db.execute_batch("BEGIN IMMEDIATE; INSERT INTO documents VALUES ('L', 'i', 's', 'j')").unwrap();
        let seen = inspect(&folder, true, TIMEOUT).unwrap();
        assert_eq!((seen.problem, seen.documents.len()), (None, 1));
        assert_eq!(stored_documents(&folder, true).unwrap().len(), 1);
        db.execute_batch("COMMIT").unwrap();
        assert!(
            matches!(inspect(&folder, false, TIMEOUT), Err(InspectError::Left)),
            "its log is not ours to read"
        );
        drop(db);
        let names = || {
            let mut names: Vec<_> =
                fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let before = names();
        assert_eq!(inspect(&folder, false, TIMEOUT).unwrap().documents.len(), 2);
        assert_eq!(names(), before, "no index is made");
        fs::write(
            folder.join("agent.db"),
            "this is no database, and as long as the head of one is at least, is it not? Now it is.",
        )
        .unwrap();
        let told = inspect(&folder, false, TIMEOUT).unwrap_err().to_string();
        assert!(told.contains("damaged"), "{told}");
    }
}
